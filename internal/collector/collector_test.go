package collector

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/simulator"
)

func TestEverythingOnce(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "key_value"} {
		for _, compress := range []string{"on", "off"} {
			t.Run(format+" "+compress, func(t *testing.T) {
				withRig(t, simulator.Config{}, []string{"siem_format", format, "siem_compress", compress}, func(r *rig) {
					for range 5 {
						r.sim.AddBatch(200)
					}
					r.sim.AddEvents(250, time.Now().Add(-time.Hour), 3)
					r.statfs = nil // the system's
					r.start()
					r.run(2 * time.Minute)
					r.sim.AddBatch(200)
					r.sim.AddEvents(50, time.Now(), 3)
					r.run(3 * time.Minute)
					r.clean()
				})
			})
		}
	}
}

func TestLargeBatches(t *testing.T) {
	t.Parallel()
	notShort(t)
	withRig(t, simulator.Config{Types: []string{"receipt", "delivery"}}, nil, func(r *rig) {
		r.sim.AddBatch(40000) // some 17 MB: spooled to a file, files held and released
		r.sim.AddBatch(10)
		r.start()
		r.run(30 * time.Second)
		r.clean()
		if entries, _ := os.ReadDir(r.dir); len(entries) != 1 {
			r.t.Errorf("left beside the db: %v", entries)
		}
	})
}

func TestTagsByType(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"tag_by_type", "on"}, func(r *rig) {
		r.sim.AddBatch(100)
		if _, err := r.sim.AddBatchFiles([]simulator.File{{Name: "receipt_1.log", JSON: []byte("{")}}); err != nil {
			r.t.Fatal(err)
		}
		r.sim.AddEvents(10, time.Now().Add(-time.Hour), 3)
		r.start()
		r.run(time.Minute)
		tags := map[string]int{}
		for _, s := range r.host.stored {
			tags[s.tag]++
			source, logType, _ := strings.Cut(s.tag, ".")
			if !strings.Contains(s.record, `"log_source":"`+source+`"`) || !strings.Contains(s.record, `"log_type":"`+logType+`"`) {
				r.t.Errorf("tag %q on %s", s.tag, s.record)
			}
		}
		if len(tags) != len(simulator.LogTypes())+2 || tags["siem.unparsed"] != 1 || tags["ttp.impersonation"] != 10 {
			r.t.Errorf("got %v", tags)
		}
	})
}

func TestCleanRestartsRepeatNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(sized(12, 1)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			withRig(t, simulator.Config{Seed: seed}, []string{"impersonation_page_size", "40"}, func(r *rig) {
				dice := rand.New(rand.NewPCG(seed, 1))
				for range 3 {
					r.sim.AddBatch(sized(3000, 2000))
				}
				r.sim.AddEvents(300, time.Now().Add(-time.Hour), 3)
				for range 8 {
					r.start()
					for range dice.IntN(4) {
						r.step(dice.IntN(3)) // a main thread that keeps up badly
					}
					if dice.IntN(2) == 0 {
						r.stop()
					} else {
						r.end() // what is in the ring was not taken
					}
				}
				r.start()
				r.run(2 * time.Minute)
				r.clean()
				r.notLogged("delivering it from the start")
			})
		})
	}
}

func TestKillsLoseNothing(t *testing.T) {
	t.Parallel()
	repeats := 0
	for seed := range uint64(sized(20, 1)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			withRig(t, simulator.Config{Seed: seed}, []string{"impersonation_page_size", "40"}, func(r *rig) {
				dice := rand.New(rand.NewPCG(seed, 2))
				for range 3 {
					r.sim.AddBatch(sized(3000, 2000))
				}
				r.sim.AddEvents(300, time.Now().Add(-time.Hour), 3)
				for range 6 {
					r.start()
					for range dice.IntN(5) {
						r.step(dice.IntN(4))
					}
					if dice.IntN(2) == 0 {
						r.host.half() // it dies between counting and storing
						r.handover.Drain(r.host, time.Now().Add(700*time.Millisecond))
						time.Sleep(time.Second)
					}
					r.kill()
				}
				r.start()
				r.run(2 * time.Minute)
				a := r.account(r.sim.Expected())
				if a.lost+a.foreign+a.unparsed > 0 {
					r.t.Errorf("%+v\n%s", a, r.log.String())
				}
				repeats += a.twice
			})
		})
	}
	t.Logf("%d records came twice", repeats)
}

func TestARestartInsideABatch(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.sim.AddBatch(5000)
		r.start()
		r.step(3)
		r.end()
		before := len(r.host.stored)
		if before == 0 || before == 5000 {
			r.t.Fatalf("%d records stored: not inside the batch", before)
		}
		// The format is another now; the batch that was begun stays in its own.
		r.configure("logs", "siem", "siem_format", "key_value", "siem_compress", "off")
		r.start()
		r.run(time.Minute)
		r.clean()
		r.notLogged("delivering it from the start")
	})
}

func TestABatchThatIsAnotherOneIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.sim.AddBatch(5000)
		r.start()
		r.step(3)
		r.end()
		before := len(r.host.stored)
		store, err := openStore(r)
		if err != nil {
			r.t.Fatal(err)
		}
		var pos position.SIEM
		if _, err := store.Load(Keys(r.cfg)[0], &pos); err != nil || pos.Records != before {
			r.t.Fatalf("position %+v, %v, stored %d", pos, err, before)
		}
		pos.Digest++
		if err := store.Commit([]checkpoint.Change{{Key: Keys(r.cfg)[0], Position: pos}}); err != nil {
			r.t.Fatal(err)
		}
		closeStore(r)
		r.start()
		r.run(time.Minute)
		a := r.account(r.sim.Expected())
		if a.lost > 0 || a.twice != before {
			r.t.Errorf("%+v, stored before %d", a, before)
		}
		r.logged("delivering it from the start")
	})
}

// openStore opens the rig's file beside the collector, which must be stopped.
func openStore(r *rig) (*checkpoint.Store, error) {
	r.files = &checkpoint.Files{}
	claim, err := r.files.Claim(r.cfg.DB, Keys(r.cfg))
	if err != nil {
		return nil, err
	}
	r.closing = claim
	return claim.Open()
}

func closeStore(r *rig) {
	r.t.Helper()
	if err := r.closing.Release(); err != nil {
		r.t.Fatal(err)
	}
}

func TestLateEvents(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "impersonation"}, func(r *rig) {
		start := time.Now()
		r.sim.AddEvents(100, start.Add(-time.Hour), 3)
		r.sim.AddLateEvents(20, start.Add(-5*time.Minute), start.Add(5*time.Minute))
		r.sim.AddLateEvents(20, start.Add(20*time.Minute), start.Add(30*time.Minute))
		r.start()
		r.run(20 * time.Minute)
		r.stop()
		r.start()
		r.run(20 * time.Minute)
		r.clean()
	})
}

func TestIdsAreForgottenBehindTheOverlap(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "impersonation", "overlap", "10m"}, func(r *rig) {
		r.start()
		for range sized(36, 20) {
			r.sim.AddEvents(100, time.Now(), 10)
			r.run(10 * time.Minute)
		}
		r.clean()
		poller := r.collector.pollers[0].(*paged)
		r.stop()
		kept := len(poller.delivered)
		store, err := openStore(r)
		if err != nil {
			r.t.Fatal(err)
		}
		inFile := 0
		if err := store.IDs(Keys(r.cfg)[0], func(checkpoint.ID) { inFile++ }); err != nil {
			r.t.Fatal(err)
		}
		closeStore(r)
		if kept == 0 || kept > 1500 || inFile == 0 || inFile > 1500 {
			r.t.Errorf("of %d ids %d are kept in memory, %d in the file", 100*sized(36, 20), kept, inFile)
		}
	})
}

func TestAPausedInstanceHandsOverNothing(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		for range 4 {
			r.sim.AddBatch(2000)
		}
		r.start()
		r.step(1)
		r.handover.Pause()
		before := r.host.appends
		for range 100 {
			r.step(0)
		}
		if r.host.appends != before {
			r.t.Errorf("%d appends while paused", r.host.appends-before)
		}
		r.notLogged("count of records can't be used")
		r.handover.Resume()
		r.run(time.Minute)
		r.clean()
	})
}

func TestWhatTheHostDoesNotTakeIsGivenAgain(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		r.sim.AddBatch(3000)
		r.sim.AddEvents(100, time.Now().Add(-time.Hour), 3)
		r.start()
		for range 10 {
			r.host.refuse = 1
			r.step(2)
		}
		r.run(time.Minute)
		r.clean()
		r.logged("the host refused records")
	})
}

func TestFlowControl(t *testing.T) {
	t.Parallel()
	notShort(t)
	const batch = 80_000 // 40 MB of records
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.sim.AddBatch(batch)
		r.start()
		for range 20 {
			r.step(0)
		}
		size := 0
		for _, a := range r.host.ring {
			size += len(a.buf)
		}
		if size < maxInFlight || size > maxInFlight+2*pieceSize {
			r.t.Errorf("%d bytes are in the ring of a host that takes none", size)
		}
		r.notLogged("count of records can't be used")
		for len(r.host.stored) < batch {
			r.step(1 << 20)
		}
		r.clean()
	})
}

func TestACountThatDoesNotAgree(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.host.extra = 1 // as with conditional routes
		r.sim.AddBatch(3000)
		r.sim.AddBatch(3000)
		r.start()
		r.run(time.Minute)
		r.logged("does not agree with what was handed over")
		if n := strings.Count(r.log.String(), "count of records can't be used"); n != 1 {
			r.t.Errorf("it is said %d times", n)
		}
		r.stop()
		r.start()
		r.run(time.Minute)
		r.clean()
	})
}

func TestAHostThatDropsEverything(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.host.drop = true
		r.sim.AddBatch(3000)
		r.start()
		r.run(20 * time.Second)
		r.logged("some were dropped before they were counted")
		r.host.drop = false
		r.sim.AddBatch(3000)
		r.run(2 * time.Minute)
		if a := r.account(r.sim.ExpectedBatch(1)); a.lost > 0 {
			r.t.Errorf("%+v", a)
		}
	})
}

// An old host does not tell what it drops: the stream goes on all the same.
func TestAnOldHostThatDropsEverything(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.host.old, r.host.drop = true, true
		r.sim.AddBatch(60000) // more than is handed over without a count
		r.start()
		r.run(50 * time.Second)
		r.notLogged("count of records can't be used")
		r.run(4 * time.Minute)
		if n := strings.Count(r.log.String(), "count of records can't be used"); n != 1 {
			r.t.Errorf("it is said %d times", n)
		}
		r.host.drop = false
		r.sim.AddBatch(3000)
		r.run(2 * time.Minute)
		if a := r.account(r.sim.ExpectedBatch(1)); a.lost > 0 {
			r.t.Errorf("%+v", a)
		}
		before := r.host.appends
		r.kill()
		r.start()
		r.run(2 * time.Minute)
		if r.host.appends > before+2 {
			r.t.Errorf("%d appends after a restart", r.host.appends-before)
		}
	})
}

// The main thread of an old host hangs, and goes on later: the doubt ends.
func TestAnOldHostThatHangs(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.host.old = true
		r.sim.AddBatch(3000)
		r.start()
		for range 70 {
			r.step(0)
		}
		r.logged("count of records can't be used")
		r.run(10 * time.Second)
		r.logged("count of records agrees again")
		// And nothing is guessed any more.
		r.sim.AddBatch(3000)
		for range 30 {
			r.step(0)
		}
		r.kill()
		r.start()
		r.run(time.Minute)
		if a := r.account(r.sim.Expected()); a.lost > 0 || a.twice > 1 {
			r.t.Errorf("%+v", a)
		}
	})
}

// A full ring refuses an append after a second: that ends the callback, and
// nothing refused counts as safe.
func TestAFullRingEndsTheCallback(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.host.old, r.host.blind = true, true
		r.sim.AddBatch(3000)
		r.start()
		r.step(0)
		r.host.ring = nil // whatever it took until now
		before := r.host.appends
		r.host.refuse = 1 << 20
		r.sim.AddBatch(3000)
		const seconds = 90
		for range seconds {
			r.step(0)
		}
		if n := r.host.appends - before; n == 0 || n > seconds {
			r.t.Errorf("%d appends in %d callbacks", n, seconds)
		}
		r.kill()
		r.host.refuse = 0
		r.start()
		r.run(time.Minute)
		if a := r.account(r.sim.ExpectedBatch(1)); a.lost > 0 {
			r.t.Errorf("%+v", a)
		}
	})
}

func TestAMainThreadThatHangs(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		for range 5 {
			r.sim.AddBatch(2000)
		}
		r.start()
		for range 100 {
			r.step(0)
		}
		r.logged("has taken no records for a while")
		r.notLogged("count of records can't be used")
		r.kill()
		r.start()
		r.run(time.Minute)
		r.clean()
	})
}

func TestAHostWithoutACount(t *testing.T) {
	t.Parallel()
	batch := sized(3000, 200)
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		r.host.blind = true
		r.sim.AddBatch(batch)
		r.sim.AddEvents(100, time.Now().Add(-time.Hour), 3)
		r.start()
		r.run(time.Minute)
		r.stop()
		r.start()
		r.run(time.Minute)
		r.clean()

		// Stopped some seconds after a hand-over it repeats nothing.
		r.sim.AddBatch(batch)
		for r.account(r.sim.Expected()).lost > 0 {
			r.step(1 << 20)
		}
		r.step(1 << 20)
		r.step(1 << 20)
		r.stop()
		r.start()
		r.run(time.Minute)
		r.clean()

		// Killed soon after a hand-over it repeats, and loses nothing.
		r.sim.AddBatch(batch)
		for r.account(r.sim.Expected()).lost > 0 {
			r.step(1 << 20)
		}
		r.kill()
		r.start()
		r.run(time.Minute)
		if a := r.account(r.sim.Expected()); a.lost > 0 || a.twice == 0 || a.twice > batch {
			r.t.Errorf("%+v", a)
		}
	})
}

func TestWithoutADB(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"db", "off"}, func(r *rig) {
		r.sim.AddBatch(100)
		r.sim.AddEvents(100, time.Now().Add(-time.Hour), 3)
		r.start()
		r.run(5 * time.Minute)
		r.clean()
		if entries, _ := os.ReadDir(r.dir); len(entries) != 0 {
			r.t.Errorf("files: %v", entries)
		}
	})
}

func TestADBThatCanNotBeUsedYet(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		r.cfg.DB = filepath.Join(r.dir, "later", "x.db")
		r.sim.AddBatch(100)
		r.start()
		r.run(time.Minute)
		r.logged("nothing is collected until the db can be used")
		if n := strings.Count(r.log.String(), "nothing is collected"); n != 1 || r.host.appends > 0 {
			r.t.Errorf("it is said %d times, %d appends", n, r.host.appends)
		}
		if err := os.Mkdir(filepath.Join(r.dir, "later"), 0o700); err != nil {
			r.t.Fatal(err)
		}
		r.run(time.Minute)
		r.clean()
	})
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		r.sim.AddBatch(100)
		r.sim.AddEvents(10, time.Now().Add(-time.Hour), 3)
		r.start()
		r.run(31 * time.Minute)
		if n := strings.Count(r.log.String(), "msg=collected"); n != 6 {
			r.t.Errorf("%d summaries of two streams in half an hour", n)
		}
		r.logged("logs=siem records=100", "records_total=100 newest=")
	})
}

func TestFlowControlWithoutACount(t *testing.T) {
	t.Parallel()
	notShort(t)
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.host.blind = true
		r.sim.AddBatch(250_000) // 120 MB
		r.start()
		// Ten seconds after its append a record counts as taken.
		for began := time.Now(); time.Since(began) < 8*time.Second; {
			r.step(0)
		}
		size := 0
		for _, a := range r.host.ring {
			size += len(a.buf)
		}
		if len(r.host.ring) == 0 || len(r.host.ring) > maxLagAppends+2 || size > maxLagBytes+2*pieceSize {
			r.t.Errorf("%d appends of %d bytes are in the ring of a host that takes none", len(r.host.ring), size)
		}
	})
}

func TestCleanRestartsByType(t *testing.T) {
	t.Parallel()
	for seed := range uint64(sized(6, 3)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			withRig(t, simulator.Config{Seed: seed}, []string{"tag_by_type", "on", "logs", "siem"}, func(r *rig) {
				dice := rand.New(rand.NewPCG(seed, 3))
				for range 3 {
					r.sim.AddBatch(300)
				}
				for range 5 {
					r.start()
					for range dice.IntN(3) {
						r.step(dice.IntN(8))
					}
					r.end()
				}
				r.start()
				r.run(2 * time.Minute)
				r.clean()
				r.notLogged("delivering it from the start")
			})
		})
	}
}

func TestAKillWhenIdleRepeatsOneRecord(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		file := func(name string, n int) simulator.File {
			f := simulator.File{Name: name}
			for i := range n {
				f.Records = append(f.Records, fmt.Sprintf(`{"n":"%s %d"}`, name, i))
			}
			f.JSON = []byte(`{"type":"MTA","data":[` + strings.Join(f.Records, ",") + `]}`)
			return f
		}
		if _, err := r.sim.AddBatchFiles([]simulator.File{file("receipt_1.log", 100), file("process_1.log", 1)}); err != nil {
			r.t.Fatal(err)
		}
		r.start()
		r.run(time.Minute)
		r.kill()
		r.start()
		r.run(time.Minute)
		if a := r.account(r.sim.Expected()); a.lost > 0 || a.twice != 1 {
			r.t.Errorf("%+v", a)
		}
	})
}

func TestAClockThatIsOffAtTheStart(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{30 * time.Minute, 3 * time.Hour, -100 * time.Hour, -8 * 24 * time.Hour} {
		t.Run(offset.String(), func(t *testing.T) {
			withRig(t, simulator.Config{DateOffset: offset}, []string{"logs", "impersonation"}, func(r *rig) {
				service := func() time.Time { return time.Now().Add(offset) }
				r.start()
				r.run(5 * time.Minute)
				for range sized(20, 2) {
					r.sim.AddEvents(60, service().Add(-time.Minute), 1)
					r.run(10 * time.Minute)
				}
				for range 3 {
					r.stop()
					r.start() // again with this machine's clock
					r.sim.AddEvents(60, service().Add(-time.Minute), 1)
					r.run(5 * time.Minute)
				}
				r.clean()
			})
		})
	}
}

func TestNothingNewAtABegunBatch(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.sim.AddBatch(5000)
		r.start()
		r.step(3)
		r.end()
		r.configure("logs", "siem", "siem_format", "key_value")
		r.answerWith(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"meta":{"status":200},"data":[],"fail":[]}`))
		})
		r.start()
		r.run(10 * time.Second)
		r.answerWith(nil)
		r.run(2 * time.Minute)
		r.clean()
	})
}
