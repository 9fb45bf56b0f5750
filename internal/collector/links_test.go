package collector

import (
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/simulator"
	"fluent-bit-mimecast/mimecast"
)

// withAPI2 runs fn with a block of API 2.0, which collects the SIEM logs alone.
func withAPI2(t *testing.T, sim simulator.Config, options []string, fn func(r *rig)) {
	t.Helper()
	withRig(t, sim, append([]string{"api", "2", "logs", "siem"}, options...), fn)
}

// addFiles adds files of every type.
func (r *rig) addFiles(each, records int) {
	r.t.Helper()
	for _, kind := range mimecast.SIEMTypes() {
		if err := r.sim.AddFiles(kind.Name, each, records); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestLinksEverythingOnce(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"logs", "siem,impersonation"}, func(r *rig) {
		r.addFiles(3, 100)
		r.sim.AddEvents(50, time.Now().Add(-time.Hour), 1)
		r.start()
		r.run(30 * time.Minute)
		r.clean()
		r.addFiles(2, 40)
		r.run(30 * time.Minute)
		r.clean()
		r.notLogged("level=WARN", "level=ERROR")
	})
}

func TestLinksOverSeveralPages(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt", "tag_by_type", "on"}, func(r *rig) {
		if err := r.sim.AddFiles("receipt", sized(450, 150), 20); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.run(time.Hour)
		r.clean()
		for _, s := range r.host.stored {
			if s.tag != "siem.receipt" {
				t.Fatalf("the tag %q", s.tag)
			}
		}
	})
}

// TestLinksFaults has each fault at half of all requests.
func TestLinksFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range simulator.EventFaults() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			bomb := int64(sized(256, 20)) << 20
			withAPI2(t, simulator.Config{EventsLimit: 1000, EventsWindow: time.Minute, BombSize: bomb}, []string{"siem_types", "receipt,url_protect"}, func(r *rig) {
				for range sized(4, 3) {
					for _, kind := range []string{"receipt", "url protect"} {
						if err := r.sim.AddFiles(kind, 2, 30); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := r.sim.SetFaults(simulator.Plan{Rate: 0.5, Faults: []simulator.Fault{fault}}); err != nil {
					t.Fatal(err)
				}
				r.start()
				r.run(time.Duration(sized(120, 20)) * time.Minute)
				if err := r.sim.SetFaults(simulator.Plan{}); err != nil {
					t.Fatal(err)
				}
				r.run(time.Duration(sized(120, 40)) * time.Minute)
				a := r.account(r.sim.Expected())
				mayRepeat := fault == simulator.FaultInvalidToken || fault == simulator.FaultPageTokenStale
				if fault == simulator.FaultZipBomb && a.unparsed > 0 {
					a.lost = 0 // one that came alike twice is one: its bytes are kept
				}
				if a.lost+a.foreign > 0 || a.received == 0 || a.twice > 0 && !mayRepeat {
					log := r.log.String()
					t.Errorf("%+v\nthe end of the log:\n%s", a, log[max(0, len(log)-3000):])
				}
			})
		})
	}
}

// TestLinksBrokenLine has files with a broken line for good: it goes out as its
// bytes, and all records around it as they are.
func TestLinksBrokenLine(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{EventsLimit: 1000, EventsWindow: time.Minute}, []string{"siem_types", "receipt"}, func(r *rig) {
		const files = 3
		if err := r.sim.AddFaultyFiles("receipt", simulator.FaultLineBroken, files, sized(3000, 1200)); err != nil {
			t.Fatal(err)
		}
		for range 4 { // with restarts in mid-file
			r.start()
			r.step(2)
			r.stop()
		}
		r.start()
		r.run(30 * time.Minute)
		a := r.account(r.sim.Expected())
		if a.lost+a.foreign+a.twice > 0 || a.unparsed != files {
			t.Errorf("%+v", a)
		}
		for _, s := range r.host.stored {
			if strings.Contains(s.record, `"log_type":"unparsed"`) && !strings.Contains(s.record, `\"subject\":\"cut"`) {
				t.Errorf("not the line: %s", s.record)
			}
		}
		r.logged("a log file can't be read")
	})
}

// TestLinksKills dies at random steps, in the middle of pages and files.
func TestLinksKills(t *testing.T) {
	t.Parallel()
	for seed := range uint64(sized(12, 1)) {
		withAPI2(t, simulator.Config{EventsLimit: 1000, EventsWindow: time.Minute}, []string{"siem_types", "receipt,av"}, func(r *rig) {
			random := rand.New(rand.NewPCG(seed, 1))
			for _, kind := range []string{"receipt", "av"} {
				if err := r.sim.AddFiles(kind, 6, sized(900, 400)); err != nil {
					t.Fatal(err)
				}
			}
			for range 4 {
				r.start()
				for range random.IntN(5) {
					r.step(random.IntN(4))
				}
				r.host.half()
				r.kill()
			}
			for range 2 {
				r.start()
				r.run(10 * time.Minute)
				r.stop()
			}
			if a := r.account(r.sim.Expected()); a.lost+a.foreign+a.unparsed > 0 {
				t.Errorf("seed %d: %+v", seed, a)
			}
		})
	}
}

// TestLinksCleanRestarts repeats nothing.
func TestLinksCleanRestarts(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{EventsLimit: 1000, EventsWindow: time.Minute}, nil, func(r *rig) {
		r.addFiles(4, sized(500, 200))
		for range 6 {
			r.start()
			for range 2 {
				r.step(3)
			}
			r.stop()
		}
		r.start()
		r.run(30 * time.Minute)
		r.stop()
		r.clean()
		r.notLogged("delivering it from the start")
	})
}

// TestLinksQuota never has the service refuse a call for its number, also when it
// starts anew again and again.
func TestLinksQuota(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, nil, func(r *rig) {
		r.addFiles(1, 10)
		if err := r.sim.AddFiles("receipt", sized(1500, 600), 2); err != nil {
			t.Fatal(err)
		}
		for range sized(20, 3) {
			r.start()
			r.run(10 * time.Second)
			r.kill()
		}
		r.start()
		r.run(time.Duration(sized(180, 75)) * time.Minute)
		if a := r.account(r.sim.Expected()); a.lost+a.foreign+a.unparsed > 0 {
			t.Errorf("%+v", a)
		}
		if n := r.sim.Requests().PeakEvents; n > 50 {
			t.Errorf("%d calls in a quarter of an hour", n)
		}
		r.notLogged("status 429")
	})
}

// TestLinksOfATypeThatIsNotLicensed disturb no other.
func TestLinksOfATypeThatIsNotLicensed(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt,av"}, func(r *rig) {
		r.sim.Forbid("av")
		if err := r.sim.AddFiles("receipt", 2, 10); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.run(time.Hour)
		r.clean()
		if n := strings.Count(r.log.String(), "fetching fails"); n != 1 {
			t.Errorf("it was said %d times", n)
		}
		r.logged("app_forbidden")
	})
}

// TestALinkThatIsGoneForGood is named after six hours, in an error and a record,
// while files of the same page or of another type come.
func TestALinkThatIsGoneForGood(t *testing.T) {
	t.Parallel()
	for name, beside := range map[string]string{"in a page with others": "receipt", "alone in its page": "av"} {
		withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt,av"}, func(r *rig) {
			if err := r.sim.AddFaultyFiles("receipt", simulator.FaultLinkGone, 1, 10); err != nil {
				t.Fatal(err)
			}
			if err := r.sim.AddFiles(beside, 2, 10); err != nil {
				t.Fatal(err)
			}
			r.start()
			r.run(5 * time.Hour)
			r.notLogged("a log file can't be fetched")
			if err := r.sim.AddFiles("receipt", 1, 10); err != nil {
				t.Fatal(err)
			}
			if err := r.sim.AddFiles("av", 1, 10); err != nil {
				t.Fatal(err)
			}
			r.stop() // it is not forgotten
			r.start()
			for range 12 {
				if err := r.sim.AddFiles("av", 1, 1); err != nil {
					t.Fatal(err)
				}
				r.run(15 * time.Minute)
			}
			r.logged("a log file can't be fetched; going on without it", "what_to_do")
			unparsed := 0
			for _, s := range r.host.stored {
				if strings.Contains(s.record, `"log_type":"unparsed"`) && strings.Contains(s.record, ".json.gz") && strings.Contains(s.record, "404") {
					unparsed++
				}
			}
			a := r.account(r.sim.Expected())
			if unparsed != 1 || a.lost > 0 || a.twice > 0 {
				t.Errorf("%s: %d records name it, %+v", name, unparsed, a)
			}
		})
	}
}

// TestARefusedCursor starts again from the earliest logs: repeats, no gap.
func TestARefusedCursor(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{OldCursorStatus: 400}, []string{"siem_types", "receipt"}, func(r *rig) {
		if err := r.sim.AddFiles("receipt", 3, 10); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.run(20 * time.Minute)
		r.clean()
		r.sim.ExpireFiles(3)
		if err := r.sim.AddFiles("receipt", 3, 10); err != nil {
			t.Fatal(err)
		}
		r.sim.NextAt(simulator.PathEvents, simulator.FaultInvalidToken, simulator.FaultInvalidToken)
		r.run(time.Hour)
		if a := r.account(r.sim.Expected()); a.lost > 0 {
			t.Errorf("%+v", a)
		}
		r.count("starting again from the earliest logs", 1)
	})
}

// TestGoingOnFromAPI1 starts with the day before the position of API 1.0.
func TestGoingOnFromAPI1(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem", "account", "acme"}, func(r *rig) {
		r.sim.AddBatch(50)
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		r.configure("api", "2", "logs", "siem", "account", "acme", "initial_lookback", "0s")
		r.addFiles(1, 10)
		r.start()
		r.run(30 * time.Minute)
		r.stop()
		r.clean()
		r.logged("going on from where API 1.0 ended", "from=1999-12-30") // the day before the last record
		r.count("going on from where API 1.0 ended", len(mimecast.SIEMTypes()))
	})
}

// TestATypeThatFallsSilent is told from one that has little to say.
func TestATypeThatFallsSilent(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	withAPI2(t, simulator.Config{}, nil, func(r *rig) {
		time.Sleep(365 * day)
		s := &stream{client: r.client(), log: slog.New(slog.NewTextHandler(&r.log, nil))}
		p := &links{s: s, at: linkPage{s: s, kind: "av", shared: &linksShared{}}}
		check := func(since, last, others time.Duration, times int) {
			t.Helper()
			now := time.Now()
			p.at.pos.Flow = position.Flow{Since: now.Add(-since), Last: now.Add(-last)}
			p.at.shared.came.Store(now.Add(-others).UnixNano())
			p.checkSilence()
			p.checkSilence()
			r.count("no events of a type for a day", times)
		}
		check(6*day, 25*time.Hour, 0, 0)            // not daily before
		check(9*day, 23*time.Hour, 0, 0)            // not for a day
		check(9*day, 25*time.Hour, 2*time.Hour, 0)  // no other type either
		check(9*day, 25*time.Hour, time.Minute, 1)  // it fell silent
		check(19*day, 49*time.Hour, time.Minute, 2) // once more, another time
	})
}

// TestAFlowOfEvents begins anew after a day without any, and is kept.
func TestAFlowOfEvents(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt"}, func(r *rig) {
		began := time.Now()
		for _, pause := range []time.Duration{0, 23 * time.Hour, 25 * time.Hour, time.Hour} {
			if err := r.sim.AddFiles("receipt", 1, 1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(pause)
			r.start()
			r.run(10 * time.Minute)
			r.stop()
		}
		claim, err := r.files.Claim(r.cfg.DB, Keys(r.cfg))
		if err != nil {
			t.Fatal(err)
		}
		defer claim.Release()
		store, err := claim.Open()
		if err != nil {
			t.Fatal(err)
		}
		var pos position.Links
		if _, err := store.Load(Keys(r.cfg)[0], &pos); err != nil {
			t.Fatal(err)
		}
		since, last := pos.Flow.Since.Sub(began).Truncate(time.Hour), pos.Flow.Last.Sub(began).Truncate(time.Hour)
		if since != 48*time.Hour || last != 49*time.Hour {
			t.Errorf("a flow from %v to %v", since, last)
		}
	})
}

// TestATypeThatIsNotCollected is looked for once a day.
func TestATypeThatIsNotCollected(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt"}, func(r *rig) {
		add := func(lines string) {
			if err := r.sim.AddEventFile(simulator.EventFile{Type: "brand exploit", Lines: []byte(lines)}); err != nil {
				t.Fatal(err)
			}
		}
		add(`{"type":"av","accountId":"C1"}` + "\n")
		add(`{"eventType":"Brand Exploit","accountId":"C1"}` + "\n" + `{"type":"Brand Exploit"}` + "\n" + `{"type":7}`)
		r.start()
		r.run(50 * time.Minute)
		r.notLogged("not collected")
		r.run(20 * time.Minute)
		r.logged(`msg="a type of SIEM logs is not collected" logs=siem type="Brand Exploit"`)
		add(`{"type":"brand exploit"}` + "\n" + `{"type":"dns","accountId":"C1"}`)
		for range 50 {
			time.Sleep(30 * time.Minute)
			r.step(1 << 20)
		}
		r.count("not collected", 2)
		r.logged("type=dns")
	})
}

// TestAPI1sPositionThatIsTooOld is a gap, and it is said.
func TestAPI1sPositionThatIsTooOld(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem", "account", "acme"}, func(r *rig) {
		r.sim.AddBatch(50)
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		time.Sleep(8 * 24 * time.Hour)
		r.configure("api", "2", "logs", "siem", "account", "acme", "siem_types", "receipt")
		if err := r.sim.AddFiles("receipt", 1, 10); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.run(30 * time.Minute)
		r.clean()
		r.logged("logs are lost")
	})
}
