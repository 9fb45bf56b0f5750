package collector

import (
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// TestAllLogs has all logs that come in pages, with equal events, late ones, faults at
// half of all requests, stops and kills.
func TestAllLogs(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"1", "2"} {
		for _, emptyLast := range []bool{false, true} {
			if testing.Short() && (api == "1") != emptyLast {
				continue // two of the four
			}
			t.Run("API "+api, func(t *testing.T) {
				t.Parallel()
				sim := simulator.Config{
					RateLimit: 1 << 20, EventsLimit: 1 << 20, EmptyLastPage: emptyLast, MaxPageSize: 90,
					MaxPageSizes: map[string]int{"url": 40, "audit": 35},
				}
				options := []string{"logs", "all", "poll_interval", "10s", "http_timeout", "5s"}
				if api == "2" {
					options = append(options, "api", "2")
				}
				if emptyLast {
					options = append(options, "tag_by_type", "on")
				}
				withRig(t, sim, options, func(r *rig) {
					for i, log := range simulator.Logs() {
						with := simulator.LogEvents{
							Start: time.Now().Add(-time.Duration(i+1) * 10 * time.Minute), PerSecond: 3,
							TwinEvery: 10, LateEvery: 10, LateBy: 10 * time.Minute,
						}
						switch log {
						case "message_release":
							with.UndatedEvery = 7
						case "threat_intel":
							with.RevisedEvery = 9
						}
						if err := r.sim.AddLogEvents(log, sized(2000, 100), with); err != nil {
							t.Fatal(err)
						}
					}
					var faults []simulator.Fault
					for _, f := range simulator.Faults() {
						if f != simulator.FaultInvalidToken {
							faults = append(faults, f)
						}
					}
					if err := r.sim.SetFaults(simulator.Plan{Rate: 0.5, Faults: faults, Seed: 7}); err != nil {
						t.Fatal(err)
					}
					for range 5 {
						r.start()
						r.run(time.Duration(sized(3, 2)) * time.Minute)
						r.stop()
					}
					r.start()
					whole := func() { // for hours, if it takes as long
						look := time.Duration(sized(60, 4)) * time.Minute
						for range 12 * time.Hour / look {
							if r.run(look); r.account(r.sim.Expected()).lost == 0 {
								return
							}
						}
					}
					whole()
					r.clean()
					for range sized(5, 2) { // more, and in mid-page
						for _, log := range simulator.Logs() {
							if err := r.sim.AddLogEvents(log, sized(120, 50), simulator.LogEvents{Start: time.Now(), PerSecond: 3, TwinEvery: 3}); err != nil {
								t.Fatal(err)
							}
						}
						for range 20 {
							r.step(2)
						}
						r.kill()
						r.start()
					}
					whole()
					if a := r.account(r.sim.Expected()); a.lost+a.foreign+a.unparsed > 0 {
						t.Errorf("%+v", a)
					}
					for _, s := range r.host.stored {
						if emptyLast {
							checkTag(t, s)
						}
					}
				})
			})
		}
	}
}

// checkTag fails the test unless the tag of a record goes by its type.
func checkTag(t *testing.T, s stored) {
	t.Helper()
	source, logType, ok := strings.Cut(s.tag, ".")
	if !ok || !strings.Contains(s.record, `"log_source":"`+source+`"`) || !strings.Contains(s.record, `"log_type":"`+logType+`"`) {
		t.Fatalf("the tag %q of %s", s.tag, s.record)
	}
}

// TestABacklogBesideSIEMLogs has a host that takes little at a time, while a month of
// audit events waits.
func TestABacklogBesideSIEMLogs(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{RateLimit: 1 << 20, MaxPageSize: 500}, []string{"logs", "audit,siem", "initial_lookback", "30d"}, func(r *rig) {
		events, records := sized(30_000, 8000), sized(2000, 500)
		if err := r.sim.AddLogEvents("audit", events, simulator.LogEvents{Start: time.Now().Add(-30 * 24 * time.Hour), PerSecond: 3}); err != nil {
			t.Fatal(err)
		}
		r.sim.AddBatch(records)
		r.start()
		for siem := 0; siem < records; {
			r.step(4)
			audit := 0
			siem = 0
			for _, s := range r.host.stored {
				if strings.Contains(s.record, `"log_source":"siem"`) {
					siem++
				} else {
					audit++
				}
			}
			if audit == events {
				t.Fatalf("all audit events came before the SIEM logs: %d of %d", siem, records)
			}
		}
	})
}
