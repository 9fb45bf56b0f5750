package collector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// pageAsk is a request for a page.
type pageAsk struct {
	from, to time.Time
	token    string
	at       time.Time
}

func readAsk(t *testing.T, r *http.Request) pageAsk {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var request struct {
		Meta struct{ Pagination struct{ PageToken string } }
		Data []struct{ From, To string }
	}
	if err := json.Unmarshal(body, &request); err != nil {
		t.Error(err)
	}
	ask := pageAsk{token: request.Meta.Pagination.PageToken, at: time.Now()}
	for text, at := range map[string]*time.Time{request.Data[0].From: &ask.from, request.Data[0].To: &ask.to} {
		if *at, err = time.Parse("2006-01-02T15:04:05-0700", text); err != nil {
			t.Error(err)
		}
	}
	return ask
}

// pageService serves events of its own by the page. Safe for concurrent use.
type pageService struct {
	t    *testing.T
	size int
	long int // bytes of a text in each event
	// next returns the token that leads on from a page, counted from 0, of so
	// many; a token is the number of the page it leads to, and may have more
	// behind a dot.
	next func(page, pages int) string
	// order may change the events of a window, which are sorted by time.
	order func([]time.Time)
	// answer may answer in place of the page.
	answer func(w http.ResponseWriter, ask pageAsk) bool

	mu    sync.Mutex
	times []time.Time // of the events; each is its event's id too
	asks  []pageAsk
}

// forward leads to the next page as long as there is one.
func forward(page, pages int) string {
	if page+1 < pages {
		return strconv.Itoa(page + 1)
	}
	return ""
}

func (s *pageService) add(times ...time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range times {
		s.times = append(s.times, at.UTC().Truncate(time.Second))
	}
	slices.SortFunc(s.times, time.Time.Compare)
}

// addEvery adds n events.
func (s *pageService) addEvery(n int, first time.Time, apart time.Duration) {
	for i := range n {
		s.add(first.Add(time.Duration(i) * apart))
	}
}

func (s *pageService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ask := readAsk(s.t, r)
	s.mu.Lock()
	s.asks = append(s.asks, ask)
	var within []time.Time
	for _, at := range s.times {
		if !at.Before(ask.from) && !at.After(ask.to) {
			within = append(within, at)
		}
	}
	s.mu.Unlock()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if s.answer != nil && s.answer(w, ask) {
		return
	}
	if s.order != nil {
		s.order(within)
	}
	number, _, _ := strings.Cut(ask.token, ".")
	page, _ := strconv.Atoi(number) // 0 without a token
	pages := (len(within) + s.size - 1) / s.size
	var events []string
	for _, at := range within[min(page*s.size, len(within)):min((page+1)*s.size, len(within))] {
		events = append(events, s.event(at))
	}
	writePage(w, s.next(page, pages), events...)
}

// event is one as JSON.
func (s *pageService) event(at time.Time) string {
	return fmt.Sprintf(`{"id":"MTOKEN:%s","subject":"%*d","eventTime":"%s"}`, at.UTC().Format(time.RFC3339), s.long, 1, at.UTC().Format("2006-01-02T15:04:05-0700"))
}

func writePage(w io.Writer, next string, events ...string) {
	_, _ = fmt.Fprintf(w, `{"meta":{"status":200,"pagination":{"next":%q}},"fail":[],"data":[{"impersonationLogs":[%s]}]}`, next, strings.Join(events, ","))
}

// asked returns the requests so far.
func (s *pageService) asked() []pageAsk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asks)
}

// once fails the test unless each event came once.
func (s *pageService) once(r *rig) {
	r.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	came := map[string]int{}
	for _, stored := range r.host.stored {
		came[stored.record]++
	}
	lost, twice := 0, 0
	for _, at := range s.times {
		record, err := simulator.Canonical([]byte(strings.TrimSuffix(s.event(at), "}") + `,"log_source":"ttp","log_type":"impersonation"}`))
		if err != nil {
			r.t.Fatal(err)
		}
		switch n := came[record]; {
		case n == 0:
			lost++
		case n > 1:
			twice++
		}
	}
	if lost+twice > 0 || len(r.host.stored) != len(s.times) {
		log := r.log.String()
		r.t.Errorf("%d events lost, %d came twice, %d records of %d events\nthe end of the log:\n%s", lost, twice, len(r.host.stored), len(s.times), log[max(0, len(log)-3000):])
	}
}

// lines counts the lines of a log that a user sees.
func logLines(log string) int {
	return strings.Count(log, "level=INFO") + strings.Count(log, "level=WARN") + strings.Count(log, "level=ERROR")
}

func withPages(t *testing.T, s *pageService, options []string, fn func(r *rig)) {
	t.Helper()
	withRig(t, simulator.Config{}, append([]string{"logs", "impersonation"}, options...), func(r *rig) {
		s.t = r.t
		if s.next == nil {
			s.next = forward
		}
		r.answerWith(s.ServeHTTP)
		fn(r)
	})
}

// TestAPageThatFailsForAnHour is about a page after the first.
func TestAPageThatFailsForAnHour(t *testing.T) {
	t.Parallel()
	refuse := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, test := range map[string]struct {
		answer   func(w http.ResponseWriter)
		requests int // at most, in an hour
	}{
		// Thirty seconds to five minutes apart, three requests a poll.
		"400":              {refuse(400, `{"meta":{"status":400},"fail":[{"errors":[{"code":"err_validation","retryable":false}]}]}`), 60},
		"400 without JSON": {refuse(400, `no`), 60},
		"fail":             {refuse(200, `{"meta":{"status":200},"data":[],"fail":[{"errors":[{"code":"err_validation","retryable":false}]}]}`), 60},
		"401":              {refuse(401, ``), 60},
		"403":              {refuse(403, ``), 60},
		// Up to a minute apart.
		"fail, retryable": {refuse(200, `{"meta":{"status":200},"data":[],"fail":[{"errors":[{"code":"err_busy","retryable":true}]}]}`), 120},
		"500":             {refuse(500, ``), 120},
		"HTML":            {refuse(200, `<html><body>Sign in</body></html>`), 120},
		"cut": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"meta":`)
		}, 120},
		// As told.
		"429": {func(w http.ResponseWriter) {
			w.Header().Set("X-Ratelimit-Remaining", "0")
			w.Header().Set("X-Ratelimit-Reset", "60000")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 65},
	} {
		t.Run(name, func(t *testing.T) {
			var over atomic.Bool
			s := &pageService{size: 40, answer: func(w http.ResponseWriter, ask pageAsk) bool {
				if !over.Load() && ask.token != "" {
					test.answer(w)
					return true
				}
				return false
			}}
			withPages(t, s, nil, func(r *rig) {
				s.addEvery(100, time.Now().Add(-30*time.Minute), time.Second)
				r.start()
				r.run(5 * time.Second)
				if n := len(r.host.stored); n != 40 {
					r.t.Errorf("%d of the 40 events of page 1 came within seconds", n)
				}
				r.run(30 * time.Minute)
				r.stop()
				r.start() // which repeats nothing
				s.add(time.Now())
				asks, logged := len(s.asked()), logLines(r.log.String())
				r.run(time.Hour)
				if n := len(s.asked()) - asks; n > test.requests || n < 10 {
					r.t.Errorf("%d requests in an hour", n)
				}
				// The start, the trouble, a reminder, six summaries.
				if n := logLines(r.log.String()) - logged; n > 12 {
					r.t.Errorf("%d log lines in an hour:\n%s", n, r.log.String())
				}
				r.notLogged("fetching works again")
				over.Store(true)
				r.run(15 * time.Minute)
				s.once(r)
				r.logged("fetching works again")
			})
		})
	}
}

func TestAnEmptyPageThatLeadsToItself(t *testing.T) {
	t.Parallel()
	s := &pageService{size: 40, next: func(page, pages int) string {
		return strconv.Itoa(min(page+1, pages)) // the last one is empty
	}}
	withPages(t, s, nil, func(r *rig) {
		began := time.Now()
		s.addEvery(50, began.Add(-2*time.Hour), time.Second)
		r.start()
		r.run(10 * time.Minute)
		s.once(r)
		r.stop()
		r.start()
		r.run(10 * time.Second)
		if from := s.asked()[len(s.asked())-1].from; from.Before(began.Add(-3*time.Hour - time.Minute)) {
			r.t.Errorf("a restart asks from %s, before the position", from)
		}
		r.logged("going on from the position in the db")
		s.add(time.Now())
		r.run(10 * time.Minute)
		s.once(r)
		r.notLogged("level=WARN", "level=ERROR")
		if n := len(s.asked()); n > 4*21 {
			r.t.Errorf("%d requests in 20 minutes", n)
		}
	})
}

// TestPagesThatLeadInACircle has events that the circle hides.
func TestPagesThatLeadInACircle(t *testing.T) {
	t.Parallel()
	salt := 0
	for name, next := range map[string]func(page, pages int) string{
		"of one":       func(page, _ int) string { return strconv.Itoa(min(page+1, 2)) },
		"of two":       func(page, _ int) string { return []string{"1", "2", "1"}[min(page, 2)] },
		"of nine":      func(page, _ int) string { return strconv.Itoa(page%9 + 1) },
		"of one page":  func(int, int) string { salt++; return fmt.Sprint("0.", salt) },
		"of new names": func(page, _ int) string { salt++; return fmt.Sprint((page+1)%9, ".", salt) },
	} {
		t.Run(name, func(t *testing.T) {
			var over atomic.Bool
			s := &pageService{size: 10}
			s.next = func(page, pages int) string {
				if !over.Load() && page+1 < pages {
					return next(page, pages)
				}
				return forward(page, pages)
			}
			withPages(t, s, []string{"overlap", "1m"}, func(r *rig) {
				began := time.Now()
				s.addEvery(100, began.Add(-3*24*time.Hour), time.Hour/2)
				s.addEvery(100, began.Add(-10*time.Minute), time.Second) // more than two pages in a minute
				r.start()
				r.run(59 * time.Minute)
				if n := len(s.asked()); n > 11*60 {
					r.t.Errorf("%d requests in an hour", n)
				}
				at, soonest := time.Time{}, time.Minute
				for _, ask := range s.asked() {
					if ask.token == "" {
						soonest = min(soonest, ask.at.Sub(at))
					}
					at = ask.at
				}
				if soonest < time.Minute {
					r.t.Errorf("a poll begins %s after another", soonest)
				}
				if from := s.asked()[len(s.asked())-1].from; from.Before(began.Add(-time.Hour)) {
					r.t.Errorf("after an hour it asks from %s", from)
				}
				if n := len(r.host.stored); n < 110 {
					r.t.Errorf("%d events came", n)
				}
				if n := strings.Count(r.log.String(), "level=WARN"); n != 1 || strings.Contains(r.log.String(), "level=ERROR") {
					r.t.Errorf("%d warnings:\n%s", n, r.log.String())
				}
				r.logged("the pages lead in a circle")
				r.stop()
				r.start()
				over.Store(true)
				r.run(3 * time.Minute)
				s.once(r)
			})
		})
	}
}

func TestEmptyPagesThatLeadInACircle(t *testing.T) {
	t.Parallel()
	s := &pageService{size: 10, next: func(page, pages int) string { return strconv.Itoa(max(pages, 1) + (page+1)%2) }}
	withPages(t, s, nil, func(r *rig) {
		s.addEvery(5, time.Now().Add(-2*time.Hour), time.Second)
		r.start()
		r.run(30 * time.Minute)
		s.add(time.Now())
		r.run(30 * time.Minute)
		s.once(r)
		if n := len(s.asked()); n > 5*61 {
			r.t.Errorf("%d requests in an hour", n)
		}
		if n := strings.Count(r.log.String(), "level=WARN"); n > 1 {
			r.t.Errorf("%d warnings", n)
		}
		if from := s.asked()[len(s.asked())-1].from; from.Before(time.Now().Add(-2 * time.Hour)) {
			r.t.Errorf("it asks from %s", from)
		}
	})
}

// TestALongPollWhosePagesFail once each, every tenth.
func TestALongPollWhosePagesFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		pages  int
		within time.Duration
	}{
		"500": {500, sized(3000, 600), 20 * time.Minute},
		"429": {429, sized(3000, 600), 20 * time.Minute},
		"400": {400, 300, 30 * time.Minute},
		"401": {401, 300, 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			failed := map[string]bool{}
			s := &pageService{size: 1, answer: func(w http.ResponseWriter, ask pageAsk) bool {
				if !strings.HasSuffix(ask.token, "0") || failed[ask.token] {
					return false
				}
				failed[ask.token] = true
				w.WriteHeader(test.status)
				return true
			}}
			withPages(t, s, []string{"overlap", "1m"}, func(r *rig) {
				s.addEvery(test.pages, time.Now().Add(-6*24*time.Hour), time.Minute)
				r.start()
				r.run(test.within)
				s.once(r)
				if n := len(s.asked()); n > test.pages*3/2 {
					r.t.Errorf("%d requests for %d pages", n, test.pages)
				}
			})
		})
	}
}

// TestTokensThatLastForSomePages has more pages than a token lasts for.
func TestTokensThatLastForSomePages(t *testing.T) {
	t.Parallel()
	for _, newestFirst := range []bool{false, true} {
		t.Run(fmt.Sprint("newest first ", newestFirst), func(t *testing.T) {
			since := 0
			var over atomic.Bool
			s := &pageService{size: 10, answer: func(w http.ResponseWriter, ask pageAsk) bool {
				if since++; ask.token == "" {
					since = 0
				}
				if since < 20 || over.Load() {
					return false
				}
				w.WriteHeader(http.StatusBadRequest)
				return true
			}}
			if newestFirst {
				s.order = func(times []time.Time) { slices.Reverse(times) }
			}
			withPages(t, s, nil, func(r *rig) {
				s.addEvery(1000, time.Now().Add(-6*24*time.Hour), 5*time.Minute)
				r.start()
				r.run(30 * time.Minute)
				if newestFirst { // then the position must stay, whatever comes
					if n := len(r.host.stored); n != 200 {
						r.t.Errorf("%d events", n)
					}
					over.Store(true)
					r.run(10 * time.Minute)
				}
				s.once(r)
			})
		})
	}
}

// TestATokenThatIsDead and is not refused as the API refuses.
func TestATokenThatIsDead(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 401, 429, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			alive := time.Time{}
			s := &pageService{size: 10}
			s.next = func(page, pages int) string {
				if next := forward(page, pages); next != "" {
					return fmt.Sprint(next, ".", time.Now().Unix())
				}
				return ""
			}
			s.answer = func(w http.ResponseWriter, ask pageAsk) bool {
				_, made, _ := strings.Cut(ask.token, ".")
				if unix, _ := strconv.ParseInt(made, 10, 64); ask.token == "" || unix > alive.Unix() {
					return false
				}
				w.WriteHeader(status)
				return true
			}
			withPages(t, s, nil, func(r *rig) {
				s.addEvery(50, time.Now().Add(-time.Hour), time.Second)
				alive = time.Now().Add(time.Minute)
				r.start()
				r.run(time.Hour)
				s.once(r)
				r.logged("fetching works again")
				if n := len(s.asked()); n > 300 {
					r.t.Errorf("%d requests", n)
				}
			})
		})
	}
}

// TestEventsOutsideTheWindow must not decide where the next poll starts.
func TestEventsOutsideTheWindow(t *testing.T) {
	t.Parallel()
	for _, stray := range []string{"1980-12-30T10:00:00+0000", "2099-12-30T10:00:00+0000"} {
		t.Run(stray, func(t *testing.T) {
			var over atomic.Bool
			s := &pageService{size: 10}
			s.answer = func(w http.ResponseWriter, ask pageAsk) bool {
				switch {
				case over.Load():
					return false
				case ask.token == "":
					writePage(w, "empty", fmt.Sprintf(`{"id":"stray","eventTime":%q}`, stray))
				default:
					writePage(w, ask.token+"y")
				}
				return true
			}
			withPages(t, s, nil, func(r *rig) {
				s.addEvery(50, time.Now().Add(-2*time.Hour), time.Second)
				r.start()
				r.run(5 * time.Minute)
				over.Store(true)
				r.run(5 * time.Minute)
				s.add(time.Now())
				r.run(5 * time.Minute)
				r.host.stored = slices.DeleteFunc(r.host.stored, func(s stored) bool { return strings.Contains(s.record, `"stray"`) })
				s.once(r)
				now := time.Now()
				if ask := s.asked()[len(s.asked())-1]; ask.from.Before(now.Add(-4*time.Hour)) || ask.from.After(now) {
					r.t.Errorf("it asks from %s to %s", ask.from, ask.to)
				}
			})
		})
	}
}

// TestAnEventThatWasNotAskedFor is served in each poll all the same.
func TestAnEventThatWasNotAskedFor(t *testing.T) {
	t.Parallel()
	s := &pageService{size: 10, answer: func(w http.ResponseWriter, _ pageAsk) bool {
		writePage(w, "", `{"id":"stray","eventTime":"1980-12-30T10:00:00+0000"}`)
		return true
	}}
	withPages(t, s, nil, func(r *rig) {
		r.start()
		r.run(8 * time.Hour)
		if n := len(r.host.stored); n != 1 {
			r.t.Errorf("it came %d times", n)
		}
		if ask := s.asked()[len(s.asked())-1]; ask.to.Sub(ask.from) > 2*time.Hour {
			r.t.Errorf("it asks from %s to %s", ask.from, ask.to)
		}
	})
}

// TestServersWhoseClocksDifferForAnHour never let a poll begin.
func TestServersWhoseClocksDifferForAnHour(t *testing.T) {
	t.Parallel()
	n := 0
	var over atomic.Bool
	s := &pageService{size: 10, answer: func(w http.ResponseWriter, _ pageAsk) bool {
		if n++; !over.Load() && n%2 == 0 {
			w.Header().Set("Date", time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat))
		}
		return false
	}}
	withPages(t, s, nil, func(r *rig) {
		s.addEvery(5, time.Now().Add(-time.Hour), time.Second)
		r.start()
		r.run(time.Hour)
		if n := len(s.asked()); n > 150 {
			r.t.Errorf("%d requests in an hour", n)
		}
		if n := logLines(r.log.String()); n > 20 {
			r.t.Errorf("%d log lines in an hour", n)
		}
		over.Store(true)
		r.run(5 * time.Minute)
		s.once(r)
	})
}

// TestAPausedHostWhilePagesFail has more events than the queue holds.
func TestAPausedHostWhilePagesFail(t *testing.T) {
	t.Parallel()
	notShort(t)
	s := &pageService{size: 50, long: 10000, answer: func(w http.ResponseWriter, ask pageAsk) bool {
		stale := ask.token != "" && ask.at.Sub(ask.to) > 5*time.Minute
		if stale {
			w.WriteHeader(http.StatusBadRequest)
		}
		return stale
	}}
	withPages(t, s, nil, func(r *rig) {
		s.addEvery(2000, time.Now().Add(-24*time.Hour), time.Minute/2)
		r.start()
		r.step(1)
		r.handover.Pause()
		for range 3600 {
			r.step(0)
		}
		asks := len(s.asked())
		for range 3600 {
			r.step(0)
		}
		if n := len(s.asked()) - asks; n > 0 {
			r.t.Errorf("%d requests while paused", n)
		}
		r.handover.Resume()
		r.run(10 * time.Minute)
		s.once(r)
	})
}

// TestAStopWhileAPageFails interrupts each kind of wait.
func TestAStopWhileAPageFails(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 429, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var over atomic.Bool
			s := &pageService{size: 10, answer: func(w http.ResponseWriter, ask pageAsk) bool {
				if over.Load() || ask.token == "" {
					return false
				}
				w.WriteHeader(status)
				return true
			}}
			withPages(t, s, nil, func(r *rig) {
				s.addEvery(30, time.Now().Add(-time.Hour), time.Second)
				for range 10 {
					r.start()
					r.run(40 * time.Second)
					synctest.Wait()
					r.stop()
				}
				if n := len(r.host.stored); n != 10 {
					r.t.Errorf("%d events came", n)
				}
				over.Store(true)
				r.start()
				r.run(time.Minute)
				s.once(r)
			})
		})
	}
}
