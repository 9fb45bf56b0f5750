package collector

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"fluent-bit-mimecast/internal/metric"
	"fluent-bit-mimecast/internal/simulator"
)

// metric returns the sum of the series of a metric that have a value of a label; empty:
// of all.
func (r *rig) metric(id metric.ID, value string) float64 {
	r.t.Helper()
	sum, found := 0.0, false
	for _, s := range r.collector.Series() {
		if s.ID == id && (value == "" || s.Values[0] == value) {
			sum, found = sum+s.Read(), true
		}
	}
	if !found {
		r.t.Errorf("there is no series of %s with %q", id.Metric().Name, value)
	}
	return sum
}

// inState fails the test unless a log has a state.
func (r *rig) inState(log string, want metric.State) {
	r.t.Helper()
	if got := metric.State(r.metric(metric.LogState, log)); got != want {
		r.t.Errorf("%s is %q, want %q", log, got, want)
	}
}

// TestSeries has a block with all logs, which has every metric and no more series than
// the host is to bear.
func TestSeries(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"logs", "all", "account", "M\xfcller"}, func(r *rig) {
		r.start()
		seen := map[metric.ID]int{metric.Pauses: 1} // the plugin's own
		n := 1
		for _, s := range r.collector.Series() {
			if n++; len(s.Values)+1 != len(s.ID.Metric().Labels) {
				t.Errorf("%s has the values %q for the labels %q", s.ID.Metric().Name, s.Values, s.ID.Metric().Labels)
			}
			if !utf8.ValidString(strings.Join(s.Values, "")) {
				t.Errorf("%s has the values %q, which Prometheus does not take", s.ID.Metric().Name, s.Values)
			}
			seen[s.ID]++
		}
		for _, id := range metric.All() {
			if seen[id] == 0 {
				t.Errorf("there is no series of %s", id.Metric().Name)
			}
		}
		if n > metric.MaxSeries {
			t.Errorf("%d series", n)
		}
	})
}

// TestMetricsAgreeWithTheAccount has faults, stops, files that can't be read, and events
// that come again.
func TestMetricsAgreeWithTheAccount(t *testing.T) {
	t.Parallel()
	options := []string{"logs", "siem,impersonation", "siem_types", "receipt,process", "poll_interval", "30s"}
	withAPI2(t, simulator.Config{EventsLimit: 1 << 20, RateLimit: 1 << 20}, options, func(r *rig) {
		var records, unparsed, confirmed, bytes, requests float64
		for life := range sized(4, 2) {
			for _, kind := range []string{"receipt", "process"} {
				if err := r.sim.AddFiles(kind, 3, 200); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.sim.AddFaultyFiles("receipt", simulator.FaultLineBroken, 1, 50); err != nil {
				t.Fatal(err)
			}
			r.sim.AddEvents(100, time.Now(), 10)
			r.start()
			if life == 0 {
				r.inState("siem", metric.Starting)
			}
			if err := r.sim.SetFaults(simulator.Plan{Rate: 0.3, Faults: []simulator.Fault{
				simulator.FaultServerError, simulator.FaultBodyCut, simulator.FaultRateLimited, simulator.FaultReset,
			}, Seed: 3}); err != nil {
				t.Fatal(err)
			}
			r.run(time.Hour)
			if err := r.sim.SetFaults(simulator.Plan{}); err != nil {
				t.Fatal(err)
			}
			r.run(30 * time.Minute) // a rate limit may last for 15
			r.inState("siem", metric.UpToDate)
			r.inState("impersonation", metric.UpToDate)
			now := r.metric(metric.Records, "")
			if c := r.metric(metric.Confirmed, ""); c != now-1 && c != now {
				t.Errorf("%v of %v records are confirmed in a quiet block", c, now)
			}
			for _, empty := range []metric.ID{metric.Queued, metric.InFlight, metric.CommitFailures, metric.Repeated} {
				if n := r.metric(empty, ""); n != 0 {
					t.Errorf("%s is %v in a quiet block", empty.Metric().Name, n)
				}
			}
			for _, some := range []metric.ID{metric.Known, metric.Retries, metric.Tokens, metric.Commits, metric.Kept, metric.Received, metric.DiskSpace} {
				if r.metric(some, "") == 0 {
					t.Errorf("%s is 0", some.Metric().Name)
				}
			}
			for _, recent := range []metric.ID{metric.LastAnswer, metric.Position} {
				for _, log := range []string{"siem", "impersonation"} {
					if recent == metric.LastAnswer {
						log = ""
					}
					if age := float64(time.Now().Unix()) - r.metric(recent, log); age < -2 || age > 400 {
						t.Errorf("%s %s is %v seconds old", recent.Metric().Name, log, age)
					}
				}
			}
			records, unparsed, confirmed = records+now, unparsed+r.metric(metric.Unparsed, ""), confirmed+r.metric(metric.Confirmed, "")
			bytes, requests = bytes+r.metric(metric.Received, ""), requests+r.metric(metric.Requests, "")
			r.stop()
		}
		a := r.account(r.sim.Expected())
		if a.lost+a.twice+a.foreign > 0 || a.unparsed == 0 {
			t.Errorf("%+v", a)
		}
		if records != float64(a.received) || unparsed != float64(a.unparsed) {
			t.Errorf("%v records and %v unparsed ones were counted, of %+v", records, unparsed, a)
		}
		if served := r.sim.Requests().Total; requests != float64(served) {
			t.Errorf("%v requests were counted, and %d served", requests, served)
		}
	})
}

// TestLogStates goes through what a log can be in.
func TestLogStates(t *testing.T) {
	t.Parallel()
	t.Run("refused credentials", func(t *testing.T) {
		t.Parallel()
		withAPI2(t, simulator.Config{}, []string{"logs", "audit", "client_secret", "wrong"}, func(r *rig) {
			r.start()
			r.inState("audit", metric.Starting)
			r.run(10 * time.Minute)
			r.inState("audit", metric.Refused)
		})
	})
	t.Run("a log that the account may lack", func(t *testing.T) {
		t.Parallel()
		withAPI2(t, simulator.Config{}, []string{"logs", "all"}, func(r *rig) {
			r.sim.Forbid("audit", "process")
			r.start()
			r.run(30 * time.Minute)
			r.inState("audit", metric.Unlicensed)
			r.inState("siem", metric.UpToDate) // the other types
			if p := r.metric(metric.Position, "audit"); p != 0 {
				t.Errorf("the position is %v", p)
			}
			if testing.Short() {
				return // the rest takes days of fake time
			}
			r.sim.Forbid()
			r.run(25 * time.Hour)
			r.inState("audit", metric.UpToDate)
			r.sim.Forbid("audit")
			r.run(30 * time.Minute)
			r.inState("audit", metric.Refused)
		})
	})
	t.Run("a log that is asked for by name", func(t *testing.T) {
		t.Parallel()
		withAPI2(t, simulator.Config{}, []string{"logs", "audit,url"}, func(r *rig) {
			r.sim.Forbid("audit")
			r.start()
			r.run(30 * time.Minute)
			r.inState("audit", metric.Refused)
			r.inState("url", metric.UpToDate)
		})
	})
	t.Run("a log of two feeds that the account lacks, and a failure when it is asked for again", func(t *testing.T) {
		t.Parallel()
		withAPI2(t, simulator.Config{}, []string{"logs", "all", "poll_interval", "1h"}, func(r *rig) {
			r.sim.Forbid("threat_intel")
			r.start()
			r.run(30 * time.Minute)
			r.inState("threat_intel", metric.Unlicensed)
			r.run(23 * time.Hour)
			r.fails()
			r.run(2 * time.Hour)
			r.inState("threat_intel", metric.Failing)
			if err := r.sim.SetFaults(simulator.Plan{}); err != nil {
				t.Fatal(err)
			}
			r.run(time.Hour)
			r.inState("threat_intel", metric.Unlicensed)
		})
	})
	t.Run("a service that fails, and a backlog", func(t *testing.T) {
		t.Parallel()
		withAPI2(t, simulator.Config{}, []string{"logs", "url"}, func(r *rig) {
			r.start()
			r.run(10 * time.Minute)
			r.inState("url", metric.UpToDate)
			if err := r.sim.SetFaults(simulator.Plan{Rate: 1, Faults: []simulator.Fault{simulator.FaultServerError}}); err != nil {
				t.Fatal(err)
			}
			was := r.metric(metric.Requests, "failed")
			r.run(2 * time.Hour)
			r.inState("url", metric.Failing)
			if r.metric(metric.Requests, "failed") == was {
				t.Error("no request was counted as failed")
			}
			if err := r.sim.SetFaults(simulator.Plan{}); err != nil {
				t.Fatal(err)
			}
			r.run(30 * time.Minute)
			r.inState("url", metric.UpToDate)
		})
	})
	t.Run("a db in use", func(t *testing.T) {
		t.Parallel()
		withAPI2(t, simulator.Config{}, []string{"logs", "url"}, func(r *rig) {
			if err := os.MkdirAll(filepath.Dir(r.cfg.DB), 0o700); err != nil {
				t.Fatal(err)
			}
			other, err := bbolt.Open(r.cfg.DB, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.start()
			r.run(time.Minute)
			r.inState("url", metric.Blocked)
			if err := other.Close(); err != nil {
				t.Fatal(err)
			}
			r.run(10 * time.Minute)
			r.inState("url", metric.UpToDate)
		})
	})
}
