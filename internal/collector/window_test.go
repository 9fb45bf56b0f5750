package collector

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
	"fluent-bit-mimecast/mimecast"
)

// TestTheWholeWindowBeforeThePosition has a log that comes newest first fail in its
// second page, in every poll, until the collector was started anew.
func TestTheWholeWindowBeforeThePosition(t *testing.T) {
	t.Parallel()
	broken := true
	s := &listService{answer: func(w http.ResponseWriter, _ string, ask pageAsk) bool {
		if broken && ask.token == "1" {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return false
	}}
	withLists(t, s, "audit", nil, func(r *rig) {
		began := time.Now()
		for i := range 300 {
			s.event(mimecast.Audit(), began.Add(-time.Duration(i)*time.Second), fmt.Sprintf(`"id":"%d"`, i))
		}
		r.start()
		r.run(2 * time.Hour)
		r.kill()
		broken = false
		s.event(mimecast.Audit(), time.Now(), `"id":"new"`)
		r.start()
		r.run(5 * time.Minute)
		if n := len(r.host.stored); n < 301 || n > 301+50 {
			r.t.Errorf("%d records of 301 events", n)
		}
		asks := s.asked("audit")
		if first := asks[len(asks)-1]; first.to.Before(began) {
			r.t.Errorf("the last window ends %v", first.to)
		}
	})
}

// TestABacklogInWindows reads as far back as the service allows.
func TestABacklogInWindows(t *testing.T) {
	t.Parallel()
	s := &listService{}
	withLists(t, s, "audit", []string{"initial_lookback", "90d"}, func(r *rig) {
		began := time.Now()
		for i := range 60 * 8 {
			s.event(mimecast.Audit(), began.Add(-time.Duration(i)*3*time.Hour), fmt.Sprintf(`"id":"%d"`, i))
		}
		r.start()
		r.run(10 * time.Minute)
		s.once(r)
		asks := s.asked("audit")
		if oldest := began.Sub(asks[0].from); oldest > 60*24*time.Hour || oldest < 59*24*time.Hour {
			r.t.Errorf("the first window begins %v back", oldest)
		}
		for _, ask := range asks {
			if ask.to.Sub(ask.from) > 25*time.Hour {
				r.t.Fatalf("a window of %v", ask.to.Sub(ask.from))
			}
		}
		if n := len(asks); n < 60 || n > 100 {
			r.t.Errorf("%d requests", n)
		}
	})
}

// TestAGapOfALogThatIsKept is about a position older than the service keeps the log.
func TestAGapOfALogThatIsKept(t *testing.T) {
	t.Parallel()
	s := &listService{}
	withLists(t, s, "audit,rejections", nil, func(r *rig) {
		r.start()
		r.run(5 * time.Minute)
		r.stop()
		time.Sleep(70 * 24 * time.Hour)
		s.event(mimecast.Audit(), time.Now().Add(-30*24*time.Hour), `"id":"a"`)
		s.event(mimecast.Rejections(), time.Now().Add(-69*24*time.Hour), `"id":"b"`)
		r.start()
		r.run(10 * time.Minute)
		s.once(r)
		r.logged(`msg="logs are lost: the service no longer keeps them" logs=audit kept_for=60d`)
		r.notLogged(`keeps them" logs=rejections`)
	})
}

// TestAWindowOfTooManyEvents halves it.
func TestAWindowOfTooManyEvents(t *testing.T) {
	t.Parallel()
	notShort(t)
	s := &listService{size: 5000}
	withLists(t, s, "rejections", []string{"initial_lookback", "1d"}, func(r *rig) {
		began := time.Now()
		for i := range 130_000 {
			at := began.Add(-20*time.Hour + time.Duration(i/20)*time.Second)
			s.events = map[string][]listed{"rejections": append(s.events["rejections"], listed{at, time.Time{}, fmt.Sprintf(
				`{"created":%q,"id":"%d"}`, at.UTC().Format("2006-01-02T15:04:05-0700"), i)})}
		}
		r.start()
		r.run(5 * time.Minute)
		s.once(r)
		shortest := 24 * time.Hour
		for _, ask := range s.asked("rejections") {
			shortest = min(shortest, ask.to.Sub(ask.from)-time.Hour)
		}
		if shortest > time.Hour || shortest < -time.Hour {
			r.t.Errorf("the shortest window was of %v", shortest)
		}
	})
}

// TestManyEventsOldestFirst moves the position on before the end of a poll, so that
// what is kept of the events is bounded.
func TestManyEventsOldestFirst(t *testing.T) {
	t.Parallel()
	notShort(t)
	s := &listService{size: 5000}
	withLists(t, s, "url", []string{"initial_lookback", "1d", "overlap", "10m"}, func(r *rig) {
		began := time.Now()
		for i := range 130_000 {
			at := began.Add(-20*time.Hour + time.Duration(i/3)*time.Second)
			s.events = map[string][]listed{"url": append(s.events["url"], listed{at, time.Time{}, fmt.Sprintf(
				`{"date":%q,"n":"%d"}`, at.UTC().Format("2006-01-02T15:04:05-0700"), i%3/2)})}
		}
		r.start()
		r.run(5 * time.Minute)
		s.once(r)
		froms := map[time.Time]bool{}
		for _, ask := range s.asked("url") {
			froms[ask.from] = true
		}
		if len(froms) < 3 {
			r.t.Errorf("%d polls", len(froms))
		}
	})
}

// TestAReleaseWithoutATime is known by its id for as long as it is served.
func TestAReleaseWithoutATime(t *testing.T) {
	t.Parallel()
	s := &listService{lax: func(string) bool { return true }}
	withLists(t, s, "message_release", nil, func(r *rig) {
		began := time.Now()
		for i := range 5 {
			s.add("message_release", began, fmt.Sprintf(`{"id":"%d"}`, i), time.Time{})
		}
		for range sized(4, 2) {
			r.start()
			r.run(5 * time.Hour)
			r.stop()
		}
		s.once(r)
	})
}

// TestTheOlderEndpoint is about a tenant whose service has no get-search-logs.
func TestTheOlderEndpoint(t *testing.T) {
	t.Parallel()
	l := mimecast.ArchiveSearch()
	served := map[string]bool{l.Older.Path: true}
	s := &listService{lax: func(path string) bool { return path == l.Older.Path }}
	withLists(t, s, l.Name, []string{"initial_lookback", "2d"}, func(r *rig) {
		r.answerWith(func(w http.ResponseWriter, req *http.Request) {
			if !served[req.URL.Path] {
				http.NotFound(w, req)
				return
			}
			s.ServeHTTP(w, req)
		})
		began := time.Now()
		for i := range 120 {
			s.event(l, began.Add(-time.Duration(i)*20*time.Minute), fmt.Sprintf(`"n":%d`, i))
		}
		s.add("", began, `{}`, time.Time{}) // not served
		delete(s.events, "")
		r.start()
		r.run(8 * time.Hour)
		s.once(r)
		if s.askedAt(l.Older.Path) == 0 || s.askedAt(l.Endpoint.Path) > 0 {
			r.t.Error("not the older endpoint was read")
		}
		served = map[string]bool{l.Endpoint.Path: true}
		s.event(l, time.Now(), `"n":"new"`)
		r.run(5 * time.Minute)
		s.once(r)
		r.notLogged("fetching fails")
	})
}

// TestAllLogsAreRefused says so once.
func TestAllLogsAreRefused(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "all", "api", "2"}, func(r *rig) {
		r.answerWith(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/oauth/token" {
				r.sim.ServeHTTP(w, req)
				return
			}
			w.WriteHeader(http.StatusForbidden)
		})
		r.start()
		r.run(30 * time.Hour)
		r.count(`level=WARN msg="no log of this block is to be had"`, 1)
	})
}

// TestWhatTheAccountLacks is about logs that the service refuses.
func TestWhatTheAccountLacks(t *testing.T) {
	t.Parallel()
	for _, logs := range []string{"all", "audit,url"} {
		s := &listService{answer: func(w http.ResponseWriter, log string, _ pageAsk) bool {
			if log == "audit" {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		}}
		withLists(t, s, logs, []string{"api", "2"}, func(r *rig) {
			r.answerWith(func(w http.ResponseWriter, req *http.Request) {
				switch {
				case req.URL.Path == "/oauth/token":
					r.sim.ServeHTTP(w, req)
				case strings.HasPrefix(req.URL.Path, "/siem/"), strings.Contains(req.URL.Path, "threat-intel"):
					w.WriteHeader(http.StatusForbidden)
				default:
					s.ServeHTTP(w, req)
				}
			})
			s.event(mimecast.URL(), time.Now(), `"n":1`)
			r.start()
			days := sized(3, 2)
			if logs != "all" {
				days = sized(3, 1)
			}
			r.run(time.Duration(days) * 24 * time.Hour)
			s.once(r)
			line := `level=WARN msg="fetching fails" logs=audit`
			asked := len(s.asked("audit"))
			switch logs {
			case "all":
				line = `level=INFO msg="this log is not to be had; going on without it" logs=audit`
				if asked < days || asked > days+2 {
					r.t.Errorf("asked %d times in %d days", asked, days)
				}
				if n := strings.Count(r.log.String(), "this log is not to be had"); n != 4 { // siem, siem_ci, audit, threat_intel
					r.t.Errorf("%d logs are not to be had", n)
				}
				r.notLogged("level=WARN", "level=ERROR")
			default:
				if asked < 160*days {
					r.t.Errorf("asked %d times in %d days", asked, days)
				}
			}
			r.logged(line, "needs the product Audit Events, and its role Account | Logs | Read")
			if n := strings.Count(r.log.String(), line); n > 4 {
				r.t.Errorf("said %d times", n)
			}
		})
	}
}

// TestAnEventOfTheFuture is not known for ever.
func TestAnEventOfTheFuture(t *testing.T) {
	t.Parallel()
	s := &listService{lax: func(string) bool { return true }}
	withLists(t, s, "audit", nil, func(r *rig) {
		for i := range 5 {
			s.event(mimecast.Audit(), time.Now().Add(1000*24*time.Hour), fmt.Sprintf(`"id":"%d"`, i))
		}
		r.start()
		r.run(8 * time.Hour)
		s.once(r)
		s.mu.Lock()
		s.events = nil
		s.mu.Unlock()
		r.run(8 * time.Hour)
		r.stop()
		r.start()
		r.run(time.Minute)
		if n := len(r.collector.pollers[0].(*paged).delivered); n > 0 {
			t.Errorf("%d events are still known", n)
		}
	})
}

// TestAPageOfWhatIsNoEvent says so once a poll.
func TestAPageOfWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	s, others := &listService{}, sized(20_000, 5_000)
	withLists(t, s, "audit", nil, func(r *rig) {
		s.answer = func(w http.ResponseWriter, _ string, _ pageAsk) bool {
			_, _ = fmt.Fprintf(w, `{"meta":{"status":200},"fail":[],"data":[%s null]}`, strings.Repeat("1,", others))
			return true
		}
		r.start()
		r.run(3 * time.Minute)
		if n := len(r.host.stored); n != others+1 {
			t.Errorf("%d records", n)
		}
		if n := strings.Count(r.log.String(), "can't be read"); n > 10 {
			t.Errorf("said %d times", n)
		}
	})
}

// TestTroubleAtTheStart has no position until it is over: the log starts where it
// would have started.
func TestTroubleAtTheStart(t *testing.T) {
	t.Parallel()
	for status, lasts := range map[int]time.Duration{500: 3 * time.Hour, 403: time.Hour} {
		for _, l := range []mimecast.Log{mimecast.Audit(), mimecast.Impersonation()} {
			s := &listService{}
			withLists(t, s, "all", []string{"initial_lookback", "1h", "overlap", "10m"}, func(r *rig) {
				trouble := true
				r.answerWith(func(w http.ResponseWriter, req *http.Request) {
					if req.URL.Path != l.Endpoint.Path || trouble {
						w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
						w.WriteHeader(status)
						return
					}
					s.ServeHTTP(w, req)
				})
				s.event(l, time.Now().Add(-30*time.Minute), `"id":"a"`)
				r.start()
				r.run(lasts / 2)
				s.event(l, time.Now(), `"id":"b"`)
				r.run(lasts / 2)
				trouble = false
				after := 30 * time.Hour
				if status == 500 {
					after = time.Duration(sized(30, 2)) * time.Hour
				}
				r.run(after)
				s.once(r)
			})
		}
	}
}

// TestAClockThatWasAhead has the service's clock be days ahead for hours.
func TestAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	for _, l := range []mimecast.Log{mimecast.Audit(), mimecast.URL(), mimecast.ArchiveView()} {
		for _, stop := range []bool{false, true} {
			if testing.Short() && stop != (l.Name == "url") {
				continue // one of the two
			}
			s := &listService{}
			withLists(t, s, l.Name, nil, func(r *rig) {
				ahead := time.Duration(0)
				s.answer = func(w http.ResponseWriter, _ string, _ pageAsk) bool {
					w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
					return false
				}
				n := 0
				come := func(d time.Duration) {
					for range d / (10 * time.Minute) {
						n++
						s.event(l, time.Now(), fmt.Sprintf(`"id":"%d","n":%d`, n, n))
						r.run(10 * time.Minute)
					}
				}
				r.start()
				come(3 * time.Hour)
				ahead = 48 * time.Hour
				come(4 * time.Hour)
				if stop {
					r.stop()
				}
				ahead = 0
				if stop {
					r.start()
				}
				come(3 * time.Hour)
				s.once(r)
			})
		}
	}
}
