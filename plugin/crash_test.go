package main

import (
	"strings"
	"syscall"
	"testing"

	"fluent-bit-mimecast/internal/simulator"
)

// killed collects SIEM records through kills, and accounts for them.
type killed struct {
	*bench
	unconfirmed int // stored and not before the position, in all kills
}

const recordsPerKilledBatch = 400

func newKilled(b *bench) *killed {
	b.input("logs", "siem")
	b.Host.Service = map[string]string{"flush": "86400"} // chunks stay, to be counted
	return &killed{bench: b}
}

func (k *killed) add(batches int) {
	for range batches {
		k.Service.AddBatch(recordsPerKilledBatch)
	}
}

// kill ends the host and counts what it had stored.
func (k *killed) kill() {
	k.t.Helper()
	k.Kill()
	k.unconfirmed += k.Unconfirmed(recordsPerKilledBatch)
}

// polls waits until the service has said four times that there is nothing new.
// There is a second between two of them, and a callback.
func (k *killed) polls() {
	k.t.Helper()
	idle := func() int { return k.Service.Requests().Count(simulator.PathSIEM, simulator.OutcomeIdle) }
	before := idle()
	k.Await("polls", func() bool { return idle() >= before+4 })
}

// settle waits until all records are stored and the position is behind them. What
// a real Fluent Bit has in chunks can't be seen while it runs.
func (k *killed) settle() {
	k.t.Helper()
	if k.Host.FluentBit == "" {
		k.All()
	}
	k.polls()
}

// account fails the test unless all records were stored, and none twice that was
// confirmed.
func (k *killed) account() {
	k.t.Helper()
	a := k.Account()
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
			asked, stored := k.Service.Requests().Count(simulator.PathSIEM, simulator.OutcomeBatch), k.OutputSize()
			k.Start()
			k.Await("some batches", func() bool {
				return k.Service.Requests().Count(simulator.PathSIEM, simulator.OutcomeBatch) > asked+i*batches/4
			})
			if k.Host.FluentBit == "" {
				k.Await("some records", func() bool { return k.OutputSize() > stored })
			}
			k.kill()
		}
		k.Start()
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
			k.Start()
			k.Process.Hold()
			k.polls()
			k.kill()
		}
		k.Start()
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
			k.Start()
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
				b.Service.AddBatch(400)
			}
			b.Start()
			b.All()
			asked := b.Service.Requests().Total
			b.Await("until all of it counts as safe", func() bool { return b.Service.Requests().Total > asked+26 })
			b.Stop()
		}
		b.Clean()
	})
}

// Nothing is handed over while the host pauses the instance, though it goes on
// calling the callback.
func TestPausesByTheHost(t *testing.T) {
	t.Parallel()
	test := func(b *bench) {
		for range 20 {
			b.Service.AddBatch(1000)
		}
		b.Start()
		b.Await("some records", func() bool { return b.Received() > 0 })
		b.signal(syscall.SIGUSR1)
		b.Logged("mimecast.0 is called back in a pause") // what it had taken before is written
		before := b.Account()
		b.Service.AddBatch(1000) // all the others may be through
		b.Await("callbacks in the pause", func() bool { return strings.Count(b.Host.Log(), "mimecast.0 is called back in a pause") > 2 })
		if after := b.Account(); after.Received != before.Received || after.Lost == 0 {
			b.t.Errorf("%v at the beginning of the pause, %v at its end", before, after)
		}
		b.signal(syscall.SIGUSR2)
		b.All()
		b.Stop()
		b.Clean()
	}
	inSmallHost(t, test)
	inBareHost(t, test)
}

func (b *bench) signal(s syscall.Signal) {
	b.t.Helper()
	b.Must(b.Process.Signal(s))
}
