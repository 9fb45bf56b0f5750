package collector

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// TestPagedLogOfReturningKeys has another tenant's keys for a while, and then
// those of before: what came meanwhile is not missed.
func TestPagedLogOfReturningKeys(t *testing.T) {
	t.Parallel()
	notShort(t)
	for name, test := range map[string]struct {
		first   http.HandlerFunc // what the SIEM logs of the other tenant bring
		between string           // an application id
	}{
		"told in the first poll": {first: attached(of("C2", 111, 120), "b")},
		"never told":             {first: nothing},
		"by way of a third":      {first: nothing, between: "app-3"},
	} {
		t.Run(name, func(t *testing.T) {
			options := []string{"logs", "siem,impersonation"}
			withBlock(t, options, func(r *rig) {
				ours := map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing}
				pages := &pageService{size: 50}
				bothLogs(r, ours, pages)
				r.start()
				r.run(10 * time.Minute)
				r.stop()

				time.Sleep(time.Hour)
				pages.add(time.Now()) // while it was away
				time.Sleep(4 * time.Hour)
				bothLogs(r, map[string]http.HandlerFunc{"": nothing, "a": test.first, "b": nothing}, &pageService{size: 50})
				r.block("app-2", options...)
				r.start()
				r.run(30 * time.Second)
				r.stop()
				if test.between != "" {
					r.block(test.between, options...)
					r.start()
					r.run(time.Hour)
					r.stop()
				}

				bothLogs(r, ours, pages)
				r.block("app-1", options...)
				for range 2 {
					r.start()
					r.run(time.Hour)
					r.stop()
				}
				if n := r.events(); n != 1 {
					t.Errorf("%d events, want 1", n)
				}
				if trial := r.origin("impersonation").Trial; trial != nil {
					t.Errorf("still on trial: %+v", trial)
				}
			})
		})
	}
}

// TestPagedLogOfReturningKeysAndAKill dies in the first poll after the return.
func TestPagedLogOfReturningKeysAndAKill(t *testing.T) {
	t.Parallel()
	options := []string{"logs", "siem,impersonation"}
	withBlock(t, options, func(r *rig) {
		ours := map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing}
		pages := &pageService{size: 5}
		bothLogs(r, ours, pages)
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		for range 20 {
			time.Sleep(15 * time.Minute)
			pages.add(time.Now())
		}
		bothLogs(r, map[string]http.HandlerFunc{"": nothing, "a": nothing}, &pageService{size: 50})
		r.block("app-2", options...)
		r.start()
		r.run(30 * time.Second)
		r.stop()
		// The second page fails, so the first is delivered without a position.
		pages.answer = func(w http.ResponseWriter, ask pageAsk) bool {
			if ask.token != "" {
				http.Error(w, "", http.StatusServiceUnavailable)
			}
			return ask.token != ""
		}
		bothLogs(r, ours, pages)
		r.block("app-1", options...)
		r.start()
		r.run(time.Minute)
		r.kill()
		if n := r.events(); n == 0 || n == 20 {
			t.Errorf("%d events before the kill", n)
		}
		pages.answer = nil
		r.start()
		r.run(time.Hour)
		r.stop()
		if n := r.events(); n < 20 {
			t.Errorf("%d events, want 20", n)
		}
	})
}

// TestSIEMLogOfReturningKeys has batches of another tenant that do not tell, and
// then the keys of before.
func TestSIEMLogOfReturningKeys(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]http.HandlerFunc{
		"a batch without codes": attached(lines(901, 910), "b"),
		"a step":                says(`{"meta":{"isLastToken":false,"status":200},"data":[],"fail":[]}`, "b"),
	} {
		t.Run(name, func(t *testing.T) {
			withBlock(t, nil, func(r *rig) {
				s := scripted(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing})
				r.start()
				r.run(2 * time.Minute)
				r.stop()
				s.set("a", first)
				s.set("b", nothing)
				r.block("app-2")
				for range 2 {
					r.start()
					r.run(2 * time.Minute)
					r.stop()
					if at := r.position().Token; at != "b" {
						t.Errorf("at %q", at)
					}
				}
				r.block("app-1")
				s.set("a", attached(of("C1", 11, 20), "b"))
				s.set("b", attached(of("C1", 21, 30), "c"))
				s.set("c", nothing)
				r.start()
				r.run(5 * time.Minute)
				r.stop()
				r.logged("going back to the position before an application id's")
				seen := map[int]int{}
				for _, n := range r.numbers() {
					seen[n]++
				}
				for n := 1; n <= 30; n++ {
					if seen[n] != 1 {
						t.Errorf("record %d came %d times", n, seen[n])
					}
				}
			})
		})
	}
}

// TestAPagedVerdictAndAnOutage starts initial_lookback before the verdict, however
// long the service is away after it.
func TestAPagedVerdictAndAnOutage(t *testing.T) {
	t.Parallel()
	options := []string{"logs", "siem,impersonation", "initial_lookback", "1h", "overlap", "5m"}
	withBlock(t, options, func(r *rig) {
		pages := &pageService{size: 50}
		s := bothLogs(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing}, pages)
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		s.set("a", attached(of("C2", 11, 20), "b"))
		s.set("b", nothing)
		s.set("", nothing)
		r.block("app-2", options...)
		r.start()
		r.run(30 * time.Second)
		pages.answer = func(w http.ResponseWriter, _ pageAsk) bool {
			http.Error(w, "", http.StatusServiceUnavailable)
			return true
		}
		r.run(2 * time.Minute)
		r.logged("logs=impersonation accounts_were=C1 accounts_are=C2")
		pages.add(time.Now())
		r.run(time.Minute)
		r.stop()
		time.Sleep(3 * time.Hour)
		pages.answer = nil
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		if n := r.events(); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
	})
}

// TestAPagedVerdictIsWritten before the first of its events: a stop in the poll
// after it leaves nothing out.
func TestAPagedVerdictIsWritten(t *testing.T) {
	t.Parallel()
	options := []string{"logs", "siem,impersonation"}
	withBlock(t, options, func(r *rig) {
		pages := &pageService{size: 5}
		s := bothLogs(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing}, pages)
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		s.set("a", attached(of("C2", 11, 20), "b"))
		s.set("b", nothing)
		s.set("", nothing)
		for i := range 20 {
			pages.add(time.Now().Add(-time.Duration(30+i) * time.Hour))
		}
		pages.answer = func(w http.ResponseWriter, ask pageAsk) bool {
			if ask.token == "2" {
				http.Error(w, "", http.StatusServiceUnavailable)
			}
			return ask.token == "2"
		}
		r.block("app-2", options...)
		r.start()
		r.run(3 * time.Minute)
		r.stop()
		pages.answer = nil
		r.start()
		r.run(5 * time.Minute)
		r.stop()
		if n := r.events(); n != 20 {
			t.Errorf("%d events, want 20", n)
		}
	})
}

// TestAPagedLogOfTheFirstMinute has no codes of its own yet. The SIEM log's tell.
func TestAPagedLogOfTheFirstMinute(t *testing.T) {
	t.Parallel()
	options := []string{"logs", "siem,impersonation"}
	withBlock(t, options, func(r *rig) {
		after := func(w http.ResponseWriter, req *http.Request) {
			time.Sleep(10 * time.Second) // the first poll of the other log is over
			attached(of("C1", 1, 10), "a")(w, req)
		}
		bothLogs(r, map[string]http.HandlerFunc{"": after, "a": nothing}, &pageService{size: 50})
		r.start()
		r.run(30 * time.Second)
		r.stop()
		if o := r.origin("impersonation"); len(o.Accounts) > 0 {
			t.Errorf("it has the codes %v", o.Accounts)
		}
		theirs := &pageService{size: 50}
		theirs.add(time.Now().Add(-10 * time.Hour))
		bothLogs(r, map[string]http.HandlerFunc{"": attached(of("C2", 101, 110), "b"), "b": nothing, "a": attached(of("C2", 111, 120), "b")}, theirs)
		r.block("app-2", options...)
		r.start()
		r.run(2 * time.Hour)
		r.stop()
		r.count(other, 2)
		if n := r.events(); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
	})
}

// TestKeysThatChangeInTheirFiles while it runs, to those of another tenant, are
// asked about at the next start.
func TestKeysThatChangeInTheirFiles(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		file := filepath.Join(r.dir, "id")
		write := func(id string) {
			if err := os.WriteFile(file, []byte(id), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("app-1")
		options := []string{"logs", "siem", "account", "acme", "app_id", "", "app_id_file", file}
		r.configure(options...)
		s := scripted(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing})
		answer := *r.answer.Load()
		r.answerWith(func(w http.ResponseWriter, req *http.Request) {
			if id, _ := os.ReadFile(file); req.Header.Get("X-Mc-App-Id") != string(id) {
				http.Error(w, `{"meta":{"status":401},"fail":[{"errors":[{"code":"err_app_key_invalid","message":"x","retryable":false}]}]}`, http.StatusUnauthorized)
				return
			}
			answer(w, req)
		})
		r.start()
		r.run(2 * time.Minute)
		write("app-2")
		s.set("", attached(of("C2", 101, 110), "a"))
		s.set("a", attached(of("C2", 111, 120), "b"))
		s.set("b", attached(of("C2", 121, 130), "c"))
		s.set("c", nothing)
		r.run(10 * time.Minute)
		r.stop()
		r.came("siem", "app-1", "C1")
		s.set("c", attached(of("C2", 131, 140), "d"))
		s.set("d", nothing)
		r.configure(options...)
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		r.count(other, 1)
		seen := map[int]bool{}
		for _, n := range r.numbers() {
			seen[n] = true
		}
		for n := 101; n <= 140; n++ {
			if !seen[n] {
				t.Errorf("record %d did not come", n)
			}
		}
	})
}
