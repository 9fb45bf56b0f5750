package collector

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/simulator"
)

// of makes a log file of records that carry an account's code and tell the
// numbers from one to another.
func of(code string, from, to int) string {
	return strings.ReplaceAll(lines(from, to), "}", fmt.Sprintf(`,"acc":%q}`, code))
}

// origin returns that of a log in the file. The collector must be stopped.
func (r *rig) origin(log string) checkpoint.Origin {
	r.t.Helper()
	store, err := openStore(r)
	if err != nil {
		r.t.Fatal(err)
	}
	defer closeStore(r)
	o, err := store.Origin(checkpoint.Key{Account: r.cfg.Account, Log: log})
	if err != nil || o == nil {
		r.t.Fatalf("%v, %v", o, err)
	}
	return *o
}

// came fails the test unless the origin of a log has an application id and codes.
func (r *rig) came(log, appID string, codes ...string) {
	r.t.Helper()
	want := checkpoint.Origin{Host: "eu-api.mimecast.com", AppID: appID, Accounts: codes}
	got := r.origin(log)
	got.Trial = nil
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("the origin of %s, -want +got:\n%s", log, diff)
	}
}

// withBlock runs fn with a block of an account and an application id.
func withBlock(t *testing.T, options []string, fn func(r *rig)) {
	t.Helper()
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		r.block("app-1", options...)
		fn(r)
	})
}

// block configures a block with another application id.
func (r *rig) block(appID string, options ...string) {
	r.t.Helper()
	r.configure(append([]string{"logs", "siem", "account", "acme", "app_id", appID}, options...)...)
}

const (
	newID = `msg="the position was reached with another application id" was=app-1 now=app-2`
	other = `msg="the records are another Mimecast customer's"`
)

// TestANewApplicationID goes on where it was, in the middle of a batch too.
func TestANewApplicationID(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{AppID: "app-1", AppKey: "k", AccessKey: "a", SecretKey: "c2VjcmV0"}, []string{"account", "acme"}, func(r *rig) {
		again, err := simulator.New(simulator.Config{AppID: "app-2", AppKey: "k", AccessKey: "a", SecretKey: "c2VjcmV0"})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		for _, sim := range []*simulator.Server{r.sim, again} {
			sim.AddEvents(300, time.Now().Add(-time.Hour), 3)
			sim.AddBatch(200)
			sim.AddBatch(sized(20000, 4000))
			sim.AddBatch(200)
		}
		r.start()
		for len(r.host.stored) < 2000 {
			r.step(3)
		}
		r.end()
		if n := len(r.host.stored); n > sized(20000, 4000) {
			t.Fatalf("%d records stored: not inside the batch", n)
		}
		r.came("siem", "app-1", "CSIM1A240")
		r.sim = again
		r.configure("account", "acme")
		r.start()
		r.run(5 * time.Minute)
		r.clean()
		r.restart(false)
		r.run(5 * time.Minute)
		r.clean()
		r.count(newID, 1)
		r.notLogged("delivering it from the start", "level=WARN", "level=ERROR")
		r.stop()
		r.came("siem", "app-2", "CSIM1A240")
		r.came("impersonation", "app-2", "CSIM1A240")
	})
}

// TestAnotherHost goes on where it was, without the option account.
func TestAnotherHost(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		r.sim.AddEvents(30, time.Now().Add(-time.Hour), 3)
		r.sim.AddBatch(200)
		r.start()
		r.run(time.Minute)
		r.stop()
		r.configure("base_url", "https://us-api.mimecast.com:443")
		r.sim.AddBatch(200)
		r.start()
		r.run(5 * time.Minute)
		r.clean()
		r.count(`msg="the position was reached at another host" was=eu-api.mimecast.com now=us-api.mimecast.com`, 1)
		r.notLogged("level=WARN", "level=ERROR")
		r.stop()
		if got := r.origin("siem"); got.Host != "us-api.mimecast.com" || !slices.Equal(got.Accounts, []string{"CSIM1A240"}) {
			t.Errorf("got %+v", got)
		}
	})
}

// TestSeveralCodes are those of one customer.
func TestSeveralCodes(t *testing.T) {
	t.Parallel()
	withBlock(t, nil, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{
			"": attached(of("C1", 1, 5)+of("C2", 6, 10)+of("C1", 11, 15)+lines(16, 16), "a"), "a": nothing,
		})
		r.start()
		r.run(2 * time.Minute)
		r.stop()
		r.came("siem", "app-1", "C1", "C2")
		r.block("app-2")
		s.set("a", attached(of("C3", 17, 20)+of("C2", 21, 25), "b"))
		s.set("b", attached(of("C4", 26, 30), "c"))
		s.set("c", nothing)
		r.start()
		r.run(2 * time.Minute)
		r.holds(1, 30)
		r.count(newID, 1)
		r.notLogged("level=WARN", "level=ERROR")
		r.stop()
		r.came("siem", "app-2", "C1", "C2", "C3", "C4")
	})
}

// TestAnotherTenant has a service that goes on from the position of another
// customer.
func TestAnotherTenant(t *testing.T) {
	t.Parallel()
	withBlock(t, nil, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing})
		r.start()
		r.run(2 * time.Minute)
		r.stop()
		r.block("app-2")
		s.set("", attached(of("C2", 101, 110), "b"))
		s.set("b", attached(of("C3", 111, 120), "a"))
		s.set("a", attached(of("C2", 121, 130), "end"))
		s.set("end", nothing)
		r.start()
		r.run(2 * time.Minute)
		r.holds(1, 10, 121, 130, 101, 130)
		r.count(other, 1)
		r.logged("accounts_were=C1 accounts_are=C2 means=", "give it an account of its own", "next_request_in=0s")
		r.restart(false)
		r.run(20 * time.Minute)
		r.holds(1, 10, 121, 130, 101, 130)
		r.count("level=ERROR", 1)
		r.count(newID, 1)
		r.notLogged("level=WARN", "repeated_total", "logs are lost")
		r.stop()
		r.came("siem", "app-2", "C2", "C3")
	})
}

// TestAnotherTenantAndStops has the collector end at each step, most of all
// inside the first batch. The question is asked again until it is answered.
func TestAnotherTenantAndStops(t *testing.T) {
	t.Parallel()
	notShort(t)
	const records = 12000 // several pieces
	for _, kill := range []bool{false, true} {
		inside := 0
		for steps := 0; steps < 10; steps += sized(1, 3) {
			withBlock(t, []string{"poll_interval", "2s"}, func(r *rig) {
				s := scripted(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing})
				r.start()
				r.run(time.Minute)
				r.stop()
				s.set("", attached(of("C2", 101, 110), "b"))
				s.set("b", attached(of("C2", 111, 120), "a"))
				s.set("a", attached(of("C2", 100001, 100000+records), "end"))
				s.set("end", nothing)
				r.block("app-2", "poll_interval", "2s")
				for range 2 {
					r.start()
					for range steps {
						r.step(2)
					}
					if kill {
						r.kill()
					} else {
						r.end()
					}
					switch pos, from := r.position(), r.origin("siem"); {
					case from.AppID == "app-2":
						r.came("siem", "app-2", "C2")
					case pos.Token != "a":
						t.Errorf("%d steps: at %q with the origin %v", steps, pos.Token, from)
					case pos.Records > 0:
						inside++
					}
				}
				r.start()
				r.run(2 * time.Minute)
				r.stop()
				seen := map[int]int{}
				for _, n := range r.numbers() {
					seen[n]++
				}
				if len(seen) != 10+20+records {
					t.Errorf("%d steps, killed %v: %d different records", steps, kill, len(seen))
				}
				for n, times := range seen {
					if !kill && (n <= 10 && times > 1 || n > 100 && n <= 120 && times > 1 || times > 2) {
						t.Errorf("%d steps: record %d came %d times", steps, n, times)
						break
					}
				}
				r.logged(other)
				r.notLogged("delivering it from the start", "level=WARN")
				r.came("siem", "app-2", "C2")
			})
		}
		if inside < sized(3, 1) {
			t.Errorf("killed %v: %d times inside the batch", kill, inside)
		}
	}
}

// TestAnotherTenantsFirstBatchIsSkipped has all of the batch that tells delivered
// before the restart.
func TestAnotherTenantsFirstBatchIsSkipped(t *testing.T) {
	t.Parallel()
	withBlock(t, nil, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{"": attached(of("C2", 1, 10), "a"), "a": attached(of("C2", 11, 20), "a")})
		r.start()
		r.run(2 * time.Minute)
		r.stop()
		if pos := r.position(); pos.Token != "a" || pos.Records != 10 {
			t.Fatalf("got %+v", pos)
		}
		// As if these had come under the new id, and the end of the batch had not.
		store, err := openStore(r)
		if err != nil {
			t.Fatal(err)
		}
		err = store.Commit([]checkpoint.Change{{Key: Keys(r.cfg)[0], Origin: &checkpoint.Origin{Host: "eu-api.mimecast.com", AppID: "app-1", Accounts: []string{"C1"}}}})
		if err != nil {
			t.Fatal(err)
		}
		closeStore(r)
		s.set("a", attached(of("C2", 11, 20), "b"))
		s.set("b", nothing)
		r.block("app-2")
		r.start()
		r.run(2 * time.Minute)
		r.holds(1, 20, 1, 20)
		r.count(other, 1)
		r.stop()
		r.came("siem", "app-2", "C2")
	})
}

// TestATokenOfAnotherTenantIsRefused, as a service will mostly do.
func TestATokenOfAnotherTenantIsRefused(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]string{"the batch before is the earliest": "a", "the batch before is refused too": "0"} {
		t.Run(name, func(t *testing.T) {
			withBlock(t, nil, func(r *rig) {
				s := scripted(r, map[string]http.HandlerFunc{
					"": attached(of("C1", 1, 10), first), "0": attached(of("C1", 11, 20), "a"), "a": nothing,
				})
				r.start()
				r.run(2 * time.Minute)
				r.stop()
				r.block("app-2")
				s.set("0", refusesToken)
				s.set("a", refusesToken)
				s.set("", attached(of("C2", 101, 110), "b"))
				s.set("b", attached(of("C2", 111, 120), "end"))
				s.set("end", nothing)
				r.start()
				r.run(5 * time.Minute)
				if first == "a" {
					r.holds(1, 10, 101, 120)
					r.notLogged("starting again from the earliest logs")
				} else {
					r.holds(1, 20, 101, 120)
					r.count("starting again from the earliest logs", 1)
				}
				r.count(other, 1)
				r.logged("this log starts with this batch, the earliest that the service has")
				r.restart(false)
				r.run(5 * time.Minute)
				r.count(other, 1)
				r.count(newID, 1)
				r.stop()
				r.came("siem", "app-2", "C2")
			})
		})
	}
}

// TestRecordsThatDoNotTell leave the question open, over restarts too.
func TestRecordsThatDoNotTell(t *testing.T) {
	t.Parallel()
	withBlock(t, nil, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing})
		r.start()
		r.run(2 * time.Minute)
		r.stop()
		r.block("app-2")
		r.start()
		r.run(20 * time.Minute)
		r.stop()
		r.came("siem", "app-1", "C1") // nothing new
		s.set("a", attached(lines(11, 20), "b"))
		s.set("b", attached(`{"n":21,"acc":7}`+"\n"+`{"n":22,"acc":"`+strings.Repeat("C", 32)+`"}`+"\n"+`{"n":23,"acc":"C\n1"}`, "c"))
		s.set("c", attached("{\"broken", "d"))
		s.set("d", attached("", "e"))
		s.set("e", says(`{"meta":{"isLastToken":false,"status":200},"data":[],"fail":[]}`, "f"))
		s.set("f", nothing)
		r.start()
		r.run(5 * time.Minute)
		r.stop()
		if pos := r.position(); pos.Token != "f" {
			t.Errorf("it stopped at %q", pos.Token)
		}
		r.came("siem", "app-1", "C1")
		r.notLogged(other)
		s.set("", attached(of("C2", 101, 110), "f"))
		s.set("f", attached(of("C2", 24, 30), "end"))
		s.set("end", nothing)
		r.start()
		r.run(5 * time.Minute)
		r.count(other, 1)
		r.stop()
		r.came("siem", "app-2", "C2")
		r.host.stored = slices.DeleteFunc(r.host.stored, func(s stored) bool { return strings.Contains(s.record, "unparsed") })
		r.holds(1, 30, 101, 110, 24, 30)
	})
}

// TestAnotherTenantsOwnToken has the batch that tells lead to itself.
func TestAnotherTenantsOwnToken(t *testing.T) {
	t.Parallel()
	withBlock(t, nil, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": attached(lines(11, 11), "a")})
		r.start()
		r.run(2 * time.Minute)
		r.stop()
		r.block("app-2")
		r.start()
		r.run(2 * time.Minute)
		r.holds(1, 11) // the same, which tells nothing
		s.set("", attached(of("C2", 101, 110), "a"))
		s.set("a", attached(of("C2", 111, 120), "a"))
		r.run(10 * time.Minute)
		r.holds(1, 11, 111, 120, 101, 120)
		r.count(other, 1)
		r.restart(false)
		r.run(10 * time.Minute)
		r.holds(1, 11, 111, 120, 101, 120)
		s.set("a", attached(of("C2", 111, 125), "end"))
		s.set("end", nothing)
		r.run(10 * time.Minute)
		r.holds(1, 11, 111, 120, 101, 125)
		r.count("level=ERROR", 1)
	})
}

// TestABatchOfAnotherTenantThatChanges while it is read: what was read first does
// not count.
func TestABatchOfAnotherTenantThatChanges(t *testing.T) {
	t.Parallel()
	withBlock(t, nil, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing})
		r.start()
		r.run(2 * time.Minute)
		r.stop()
		r.block("app-2")
		asked := 0
		s.set("a", func(w http.ResponseWriter, req *http.Request) {
			if asked++; asked == 1 {
				attached(of("C9", 11, 15)+"{\"broken", "end")(w, req)
				return
			}
			attached(of("C1", 11, 20), "end")(w, req)
		})
		s.set("end", nothing)
		r.start()
		r.run(2 * time.Minute)
		r.holds(1, 20)
		r.notLogged(other)
		r.stop()
		r.came("siem", "app-2", "C1")
	})
}

// TestPositionsWithoutCodes are taken for what they are meant to be.
func TestPositionsWithoutCodes(t *testing.T) {
	t.Parallel()
	withBlock(t, nil, func(r *rig) {
		s := scripted(r, map[string]http.HandlerFunc{"": attached(lines(1, 10), "a"), "a": nothing})
		r.start()
		r.run(2 * time.Minute)
		r.stop()
		r.block("app-2")
		s.set("a", attached(of("C2", 11, 20), "b"))
		s.set("b", nothing)
		r.start()
		r.run(2 * time.Minute)
		r.holds(1, 20)
		r.count(newID, 1)
		r.notLogged("level=WARN", "level=ERROR")
		r.stop()
		r.came("siem", "app-2", "C2")

		// One of a version that wrote no origins.
		r.downgrade("eu-api.mimecast.com")
		r.configure("logs", "siem", "account", "app-2", "app_id", "app-3")
		s.set("b", attached(of("C3", 21, 30), "c"))
		s.set("c", nothing)
		r.start()
		r.run(2 * time.Minute)
		r.holds(1, 30)
		r.notLogged("level=WARN", "level=ERROR")
	})
}

func TestManyCodes(t *testing.T) {
	t.Parallel()
	withBlock(t, nil, func(r *rig) {
		content := func(from int) string {
			var b strings.Builder
			for n := range 400 {
				b.WriteString(of(fmt.Sprintf("C%04d", from+n), from+n, from+n))
			}
			return b.String()
		}
		s := scripted(r, map[string]http.HandlerFunc{"": attached(content(1), "a"), "a": nothing})
		r.start()
		r.run(2 * time.Minute)
		r.stop()
		first := r.origin("siem")
		if n := len(first.Accounts); n != maxCodes || !slices.Contains(first.Accounts, "C0001") {
			t.Errorf("%d codes", n)
		}
		// All codes but the last are new.
		r.block("app-2")
		s.set("a", attached(content(1001)+of("C0001", 1401, 1401), "b"))
		s.set("b", nothing)
		r.start()
		r.run(2 * time.Minute)
		r.holds(1, 400, 1001, 1401)
		r.notLogged("level=WARN", "level=ERROR")
		r.stop()
		second := r.origin("siem")
		if n := len(second.Accounts); n != maxCodes || !slices.Contains(second.Accounts, "C0001") || !slices.Contains(second.Accounts, "C1001") {
			t.Errorf("%d codes: %v", n, second.Accounts)
		}
		r.block("app-3")
		s.set("b", attached(content(2001), "c"))
		s.set("", attached(lines(1, 1), "end"))
		s.set("c", nothing)
		s.set("end", nothing)
		r.start()
		r.run(2 * time.Minute)
		r.logged(`accounts_were="C0001, C1001, C1002 and 253 more"`, `accounts_are="C2001, C2002, C2003 and 252 more"`)
	})
}

// bothLogs serves the SIEM logs by a script, and the impersonation logs.
func bothLogs(r *rig, answers map[string]http.HandlerFunc, pages *pageService) *script {
	s := scripted(r, answers)
	siem := *r.answer.Load()
	pages.t, pages.next = r.t, forward
	r.answerWith(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == simulator.PathSIEM {
			siem(w, req)
			return
		}
		pages.ServeHTTP(w, req)
	})
	return s
}

// events returns how often impersonation events came.
func (r *rig) events() (n int) {
	for _, s := range r.host.stored {
		if strings.Contains(s.record, `"log_source":"ttp"`) {
			n++
		}
	}
	return n
}

// TestAPagedLogFollows what the SIEM logs tell of the tenant.
func TestAPagedLogFollows(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{"same": "C1", "other": "C2"} {
		t.Run(name, func(t *testing.T) {
			withBlock(t, []string{"logs", "siem,impersonation"}, func(r *rig) {
				pages := &pageService{size: 50}
				s := bothLogs(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing}, pages)
				pages.addEvery(10, time.Now().Add(-100*time.Hour), time.Minute)
				r.start()
				r.run(10 * time.Minute)
				r.stop()
				r.came("impersonation", "app-1", "C1")

				// Nothing tells yet.
				r.block("app-2", "logs", "siem,impersonation")
				pages.add(time.Now())
				for range 2 {
					r.start()
					r.run(10 * time.Minute)
					r.stop()
					r.came("impersonation", "app-1", "C1")
					r.came("siem", "app-1", "C1")
				}
				if n := r.events(); n != 11 {
					t.Errorf("%d events", n)
				}
				pages.mu.Lock()
				pages.asks = nil
				pages.mu.Unlock()

				// Now something does. The events of the other tenant are those of
				// before and two more.
				pages.add(time.Now().Add(-90*time.Hour), time.Now().Add(-5*time.Minute))
				s.set("", attached(of(code, 101, 110), "b"))
				s.set("b", nothing)
				s.set("a", attached(of(code, 11, 20), "b"))
				r.start()
				r.run(10 * time.Minute)
				r.stop()
				r.came("siem", "app-2", slices.Compact([]string{"C1", code})[slices.Index([]string{"C1", code}, code):]...)
				far := slices.ContainsFunc(pages.asked(), func(ask pageAsk) bool {
					return ask.from.Before(time.Now().Add(-167 * time.Hour))
				})
				switch code {
				case "C1":
					r.notLogged("level=WARN", "level=ERROR")
					r.came("impersonation", "app-2", "C1")
					if n := r.events(); n != 12 || far {
						t.Errorf("%d events, started anew: %v", n, far)
					}
				default:
					r.count(other, 2)
					r.count("logs=impersonation accounts_were=C1 accounts_are=C2", 1)
					r.came("impersonation", "app-2", "C2")
					// Ids of the first ten are forgotten by then.
					if n := r.events(); n != 11+2+10 || !far {
						t.Errorf("%d events, started anew: %v", n, far)
					}
				}
				// It is over.
				r.start()
				r.run(time.Hour)
				r.stop()
				if n := strings.Count(r.log.String(), other); code == "C2" && n != 2 {
					t.Errorf("%d errors", n)
				}
			})
		})
	}
}

// TestAPagedLogStaysFurtherBack than where it would start anew.
func TestAPagedLogStaysFurtherBack(t *testing.T) {
	t.Parallel()
	withBlock(t, []string{"logs", "siem,impersonation", "initial_lookback", "1h"}, func(r *rig) {
		pages := &pageService{size: 50}
		s := bothLogs(r, map[string]http.HandlerFunc{"": attached(of("C1", 1, 10), "a"), "a": nothing}, pages)
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		r.came("impersonation", "app-1", "C1")
		time.Sleep(24 * time.Hour)
		pages.add(time.Now().Add(-20 * time.Hour)) // while it was away
		s.set("a", attached(of("C2", 11, 20), "b"))
		s.set("b", nothing)
		r.block("app-2", "logs", "siem,impersonation", "initial_lookback", "1h")
		s.set("", nothing)
		// The SIEM logs tell before the first poll of the others.
		pages.answer = func(w http.ResponseWriter, _ pageAsk) bool {
			http.Error(w, "", http.StatusServiceUnavailable)
			return true
		}
		r.start()
		r.run(time.Minute)
		r.stop()
		pages.answer = nil
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		r.count("logs=impersonation accounts_were=C1 accounts_are=C2", 1)
		if n := r.events(); n != 1 {
			t.Errorf("%d events", n)
		}
	})
}

// TestAPagedLogAlone has nothing to compare.
func TestAPagedLogAlone(t *testing.T) {
	t.Parallel()
	withBlock(t, []string{"logs", "impersonation"}, func(r *rig) {
		pages := &pageService{size: 50}
		bothLogs(r, nil, pages)
		pages.addEvery(10, time.Now().Add(-100*time.Hour), time.Minute)
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		r.came("impersonation", "app-1")
		r.block("app-2", "logs", "impersonation")
		pages.add(time.Now())
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		if n := r.events(); n != 11 {
			t.Errorf("%d events", n)
		}
		r.came("impersonation", "app-2")
		r.count(newID, 1)
		r.notLogged("level=WARN", "level=ERROR")
	})
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		known, now string
		want       verdict
	}{
		{"", "", sameTenant},
		{"", "a", sameTenant},
		{"a", "", undecided},
		{"a", "a", sameTenant},
		{"a b", "b c", sameTenant},
		{"a b", "c d", otherTenant},
	} {
		if got := compare(codesOf(strings.Fields(test.known)), codesOf(strings.Fields(test.now))); got != test.want {
			t.Errorf("%q and %q: got %v, want %v", test.known, test.now, got, test.want)
		}
	}
}

// TestOtherAccounts names the positions that a log could go on from.
func TestOtherAccounts(t *testing.T) {
	t.Parallel()
	const text = `msg="no position for this account, but for others"`
	withRig(t, simulator.Config{}, nil, func(r *rig) {
		r.sim.AddBatch(10)
		r.start()
		r.run(time.Minute)
		was := r.cfg.AppID
		r.stop()
		r.notLogged(text)

		// Another block of the process has them.
		r.configure("account", "acme")
		r.start()
		others := Keys(r.cfg)
		for i := range others {
			others[i].Account = was
		}
		claim, err := r.files.Claim(r.cfg.DB, others)
		if err != nil {
			t.Fatal(err)
		}
		r.run(time.Minute)
		r.notLogged(text)
		r.stop()
		if err := claim.Release(); err != nil {
			t.Fatal(err)
		}

		// One log has a position.
		store, err := openStore(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range Keys(r.cfg) {
			if _, err := store.Forget(key); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Commit([]checkpoint.Change{{Key: Keys(r.cfg)[0], Position: position.SIEM{}}}); err != nil {
			t.Fatal(err)
		}
		closeStore(r)
		r.start()
		r.run(time.Minute)
		r.count(text+" logs=impersonation account=acme others="+was, 1)
		r.restart(false)
		r.run(time.Minute)
		r.count(text, 1)
		r.stop()

		// There are many, and it ends before the time comes to look.
		store, err = openStore(r)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			other := checkpoint.Key{Account: fmt.Sprint("a", i), Log: "siem"}
			if err := store.Commit([]checkpoint.Change{{Key: other, Position: position.SIEM{}}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Commit([]checkpoint.Change{{Key: checkpoint.Key{Account: "0", Log: "siem"}}, {Key: checkpoint.Key{Account: "1", Log: "x"}, Position: 1}}); err != nil {
			t.Fatal(err)
		}
		closeStore(r)
		r.configure("account", "beta", "logs", "siem")
		r.start()
		r.step(1)
		r.stop()
		r.count(text+` logs=siem account=beta others="`+some(slices.Sorted(slices.Values([]string{was, "a0", "a1", "a2", "a3", "a4", "a5", "acme"})))+`"`, 1)
		r.logged("rename that with mimecastctl")

		// A file of its own.
		r.log.b.Reset()
		r.cfg.DB = filepath.Join(r.dir, "y.db")
		r.start()
		r.run(time.Minute)
		r.notLogged(text)
	})
}
