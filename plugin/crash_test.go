package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// killed collects SIEM records through kills, and accounts for them.
type killed struct {
	*bench
	tally       harness.Tally // of what the host had stored
	unconfirmed int           // stored and not before the position, in all kills
}

const recordsPerKilledBatch = 400

func newKilled(b *bench) *killed {
	b.input("logs", "siem")
	b.host.Service = map[string]string{"flush": "86400"} // chunks stay, to be counted
	return &killed{bench: b}
}

func (k *killed) add(batches int) {
	for range batches {
		k.service.AddBatch(recordsPerKilledBatch)
	}
}

// kill ends the host and counts what it had stored.
func (k *killed) kill() {
	k.t.Helper()
	k.process.Kill()
	k.process = nil
	var err error
	if k.host.FluentBit != "" {
		err = k.tally.TakeChunks(k.host.Storage())
	} else {
		k.tally = harness.Tally{}
		err = k.tally.AddFile(k.host.Output())
	}
	if err != nil {
		k.t.Fatal(err)
	}
	confirmed, err := k.service.Confirmed(k.db(), recordsPerKilledBatch)
	if err != nil {
		k.t.Fatal(err)
	}
	open := k.tally.Different() - confirmed
	if open < 0 {
		k.t.Fatalf("%d records are before the position, and only %d were stored", confirmed, k.tally.Different())
	}
	k.unconfirmed += open
}

// output is the size of what the small host has stored.
func (k *killed) output() int64 {
	st, err := os.Stat(k.host.Output())
	if err != nil {
		return 0
	}
	return st.Size()
}

// polls waits until the service has said four times that there is nothing new.
// There is a second between two of them, and a callback.
func (k *killed) polls() {
	k.t.Helper()
	idle := func() int { return k.service.Requests().Count(simulator.PathSIEM, simulator.OutcomeIdle) }
	before := idle()
	k.await("polls", func() bool { return idle() >= before+4 })
}

// settle waits until all records are stored and the position is behind them. What
// a real Fluent Bit has in chunks can't be seen while it runs.
func (k *killed) settle() {
	k.t.Helper()
	if k.host.FluentBit == "" {
		k.all()
	}
	k.polls()
}

// account fails the test unless all records were stored, and none twice that was
// confirmed.
func (k *killed) account() {
	k.t.Helper()
	a := k.tally.Account(k.service.Expected())
	k.t.Logf("%v, unconfirmed %d", a, k.unconfirmed)
	if a.Served == 0 || a.Lost+a.Foreign+a.Unparsed > 0 || a.Twice > k.unconfirmed {
		k.t.Errorf("foreign %d, unparsed %d, lost for instance %.300s", a.Foreign, a.Unparsed, a.FirstLost)
	}
}

func TestKills(t *testing.T) {
	t.Parallel()
	notShort(t)
	test := func(b *bench, batches int) {
		k := newKilled(b)
		for i := range 3 {
			k.add(batches)
			asked, stored := k.service.Requests().Count(simulator.PathSIEM, simulator.OutcomeBatch), k.output()
			k.start()
			k.await("some batches", func() bool {
				return k.service.Requests().Count(simulator.PathSIEM, simulator.OutcomeBatch) > asked+i*batches/4
			})
			if k.host.FluentBit == "" {
				k.await("some records", func() bool { return k.output() > stored })
			}
			k.kill()
		}
		k.start()
		k.settle()
		k.kill()
		k.account()
	}
	inBoth(t, func(b *bench) { test(b, 20) })
	inBareHost(t, func(b *bench) { test(b, 15) })
}

// The main thread is held up after it has counted an append and before it has
// stored it: the append does not count as safe.
func TestKillsOfAHostThatIsHeldUp(t *testing.T) {
	t.Parallel()
	notShort(t)
	inSmallHost(t, func(b *bench) {
		k := newKilled(b)
		k.add(3)
		for range 3 {
			k.start()
			k.process.Hold()
			k.polls()
			k.kill()
		}
		k.start()
		k.settle()
		k.kill()
		k.account()
	})
}

// When all is counted, what is not confirmed is the last record.
func TestAKillOfAnIdleHost(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		k := newKilled(b)
		k.add(5)
		for range 2 {
			k.start()
			k.settle()
			k.kill()
		}
		k.account()
		if k.unconfirmed > 2 {
			k.t.Errorf("%d records are not confirmed, of two kills", k.unconfirmed)
		}
	})
}

func TestRestartsOfABareHost(t *testing.T) {
	t.Parallel()
	inBareHost(t, func(b *bench) {
		for range 2 {
			for range 5 {
				b.service.AddBatch(400)
			}
			b.start()
			b.all()
			asked := b.service.Requests().Total
			b.await("until all of it counts as safe", func() bool { return b.service.Requests().Total > asked+26 })
			b.stop()
		}
		b.clean()
	})
}

// Nothing is handed over while the host pauses the instance, though it goes on
// calling the callback.
func TestPausesByTheHost(t *testing.T) {
	t.Parallel()
	test := func(b *bench) {
		for range 20 {
			b.service.AddBatch(1000)
		}
		b.start()
		b.await("some records", func() bool { return b.received() > 0 })
		b.signal(syscall.SIGUSR1)
		b.logged("mimecast.0 is called back in a pause") // what it had taken before is written
		before := b.account()
		b.service.AddBatch(1000) // all the others may be through
		b.await("callbacks in the pause", func() bool { return strings.Count(b.host.Log(), "mimecast.0 is called back in a pause") > 2 })
		if after := b.account(); after.Received != before.Received || after.Lost == 0 {
			b.t.Errorf("%v at the beginning of the pause, %v at its end", before, after)
		}
		b.signal(syscall.SIGUSR2)
		b.all()
		b.stop()
		b.clean()
	}
	inSmallHost(t, test)
	inBareHost(t, test)
}

func (b *bench) signal(s syscall.Signal) {
	b.t.Helper()
	if err := b.process.Signal(s); err != nil {
		b.t.Fatal(err)
	}
}
