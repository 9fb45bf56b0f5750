package collector

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/simulator"
	"fluent-bit-mimecast/mimecast"
)

// commit writes a position before a start.
func (r *rig) commit(c checkpoint.Change) {
	r.t.Helper()
	claim, err := (&checkpoint.Files{}).Claim(r.cfg.DB, []checkpoint.Key{c.Key})
	if err != nil {
		r.t.Fatal(err)
	}
	defer claim.Release()
	store, err := claim.Open()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := store.Commit([]checkpoint.Change{c}); err != nil {
		r.t.Fatal(err)
	}
}

// TestADeliveredFileThatThePageNoLongerNames is not missed.
func TestADeliveredFileThatThePageNoLongerNames(t *testing.T) {
	t.Parallel()
	s := &fileService{
		page: byCursor(func(cursor string, asked int) ([]string, string, bool) {
			switch {
			case cursor == "1":
				return []string{"c"}, "2", true
			case cursor == "2":
				return nil, "2", true
			case asked == 1:
				return []string{"a", "b"}, "1", false
			}
			return []string{"b"}, "1", false
		}),
		file: func(w http.ResponseWriter, _ *http.Request, name string, asked int) {
			if name == "b" && asked < 25 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			serves(w, name, 10)
		},
	}
	withFiles(t, s, nil, func(r *rig) {
		r.start()
		r.run(2 * time.Hour)
		for _, name := range []string{"a", "b", "c"} {
			r.hasFile(name, 10)
		}
		r.notLogged("the page no longer names it")
	})
}

// TestAFileThatIsRefusedForGoodInAnotherWay does not hold up its type for ever.
func TestAFileThatIsRefusedForGoodInAnotherWay(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 400, 405, 416, 451, 500}[:sized(6, 1)] {
		s := &fileService{
			page: byCursor(func(cursor string, _ int) ([]string, string, bool) {
				if cursor == "" {
					return []string{"a", "b"}, "1", false
				}
				return []string{"c"}, "1", true
			}),
			file: func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
				if name == "b" {
					w.WriteHeader(status)
					return
				}
				serves(w, name, 10)
			},
		}
		withFiles(t, s, nil, func(r *rig) {
			r.start()
			r.run(24 * time.Hour)
			r.hasFile("c", 10)
		})
	}
}

// TestTheFirstDayGoesByTheServicesClock also when the machine's is ahead.
func TestTheFirstDayGoesByTheServicesClock(t *testing.T) {
	t.Parallel()
	from := ""
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt", "initial_lookback", "1d"}, func(r *rig) {
		service := func() time.Time { return time.Now().AddDate(0, 0, -3).UTC() }
		r.answerWith(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Date", service().Format(http.TimeFormat))
			if q.URL.Path == "/oauth/token" {
				fmt.Fprint(w, `{"access_token":"t","expires_in":1799}`)
				return
			}
			from = q.URL.Query().Get("dateRangeStartsAt")
			fmt.Fprint(w, `{"value":[],"@nextPage":"1","isCaughtUp":true}`)
		})
		r.start()
		r.run(time.Minute)
		if want := service().AddDate(0, 0, -1).Format(time.DateOnly); from != want {
			t.Errorf("it starts with %v, not with %s", from, want)
		}
	})
}

func api2From(r *rig, code string) (from *[]string) {
	from = new([]string)
	s := &fileService{
		page: byCursor(func(cursor string, _ int) ([]string, string, bool) {
			if cursor == "" {
				return []string{"a"}, "1", false
			}
			return nil, "1", true
		}),
		file: func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			fmt.Fprintf(w, `{"id":"a-0","accountId":%q,"type":"receipt","timestamp":%d}`+"\n", code, time.Now().UnixMilli())
		},
	}
	r.answerWith(func(w http.ResponseWriter, q *http.Request) {
		if day := q.URL.Query().Get("dateRangeStartsAt"); day != "" {
			*from = append(*from, day)
		}
		s.ServeHTTP(w, q)
	})
	return from
}

// TestGoingOnFromAPI1WithoutATime leaves no gap.
func TestGoingOnFromAPI1WithoutATime(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"account", "acme", "siem_types", "receipt", "initial_lookback", "0s"}, func(r *rig) {
		r.commit(checkpoint.Change{
			Key:      checkpoint.Key{Account: "acme", Log: config.SIEM},
			Position: position.SIEM{Batch: position.Batch{Token: "token"}},
		})
		from := api2From(r, "C1A1")
		r.start()
		r.run(time.Minute)
		if want := time.Now().Add(-retention).UTC().Format(time.DateOnly); len(*from) == 0 || (*from)[0] != want {
			t.Errorf("it starts with %v, not with %s", *from, want)
		}
	})
}

// TestAFileThatIsNoLongerNamedAfterARestart is said.
func TestAFileThatIsNoLongerNamedAfterARestart(t *testing.T) {
	t.Parallel()
	restarted := false
	s := &fileService{
		page: byCursor(func(cursor string, _ int) ([]string, string, bool) {
			switch {
			case cursor == "1":
				return []string{"c"}, "1", true
			case restarted:
				return []string{"a"}, "1", false
			}
			return []string{"a", "b"}, "1", false
		}),
		file: func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			if name == "b" {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			serves(w, name, 10)
		},
	}
	withFiles(t, s, nil, func(r *rig) {
		r.start()
		r.run(time.Hour)
		r.stop()
		restarted = true
		before := len(r.log.String())
		r.start()
		r.run(24 * time.Hour)
		if since := r.log.String()[before:]; !strings.Contains(since, "b.json.gz") {
			t.Errorf("nothing is said of the file:\n%s", since[:min(len(since), 2000)])
		}
	})
}

// TestRefusedLinksCostFewCalls of the quota, which other types need.
func TestRefusedLinksCostFewCalls(t *testing.T) {
	t.Parallel()
	broken := &fileService{
		page: byCursor(func(string, int) ([]string, string, bool) { return []string{"gone"}, "1", false }),
		file: func(w http.ResponseWriter, _ *http.Request, _ string, _ int) { w.WriteHeader(http.StatusForbidden) },
	}
	var waits []time.Duration
	last := time.Time{}
	good := &fileService{
		page: byCursor(func(cursor string, asked int) ([]string, string, bool) {
			if !last.IsZero() {
				waits = append(waits, time.Since(last).Round(time.Second))
			}
			last = time.Now()
			name := fmt.Sprintf("n%d", time.Now().Unix())
			return []string{name}, "p" + name, true
		}),
		file: func(w http.ResponseWriter, _ *http.Request, name string, _ int) { serves(w, name, 1) },
	}
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt,process,delivery,journal,av"}, func(r *rig) {
		r.answerWith(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Query().Get("type") == "av" || strings.HasPrefix(q.URL.Path, "/f/n") {
				good.ServeHTTP(w, q)
				return
			}
			broken.ServeHTTP(w, q)
		})
		r.start()
		r.run(4 * time.Hour)
		longest := time.Duration(0)
		for _, w := range waits {
			longest = max(longest, w)
		}
		if peak := broken.peak(); peak > 20 || longest > 7*time.Minute {
			t.Errorf("%d calls in a quarter of an hour for files that are refused; another type waits for up to %v", peak, longest)
		}
	})
}

// TestAnAnswerInJSONThatIsNoLogFile is asked for again.
func TestAnAnswerInJSONThatIsNoLogFile(t *testing.T) {
	t.Parallel()
	s := &fileService{
		page: byCursor(func(cursor string, _ int) ([]string, string, bool) {
			if cursor == "" {
				return []string{"a"}, "1", false
			}
			return nil, "1", true
		}),
		file: func(w http.ResponseWriter, _ *http.Request, name string, asked int) {
			if asked == 1 {
				fmt.Fprint(w, `{"message":"the gateway is busy"}`)
				return
			}
			serves(w, name, 10)
		},
	}
	withFiles(t, s, nil, func(r *rig) {
		r.start()
		r.run(24 * time.Hour)
		r.hasFile("a", 10)
		r.logged("level=WARN")
	})
}

// TestAFileOfNoBytes does not hold up its type for ever.
func TestAFileOfNoBytes(t *testing.T) {
	t.Parallel()
	s := &fileService{
		page: byCursor(func(cursor string, _ int) ([]string, string, bool) {
			if cursor == "" {
				return []string{"empty", "a"}, "1", false
			}
			return []string{"c"}, "1", true
		}),
		file: func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			if name != "empty" {
				serves(w, name, 10)
			}
		},
	}
	withFiles(t, s, nil, func(r *rig) {
		r.start()
		r.run(24 * time.Hour)
		r.hasFile("c", 10)
	})
}

// TestFilesThatWereNotTried are no success when the context ends.
func TestFilesThatWereNotTried(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, nil, func(r *rig) {
		share := new(memory.Budget).Share()
		slots := memory.NewGate(share, 1, 1)
		if err := slots.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := &stream{client: r.client(), memory: share, queue: delivery.NewQueue(share)}
		p := &linkPage{s: s, shared: &linksShared{slots: slots}}
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		m, err := p.files(ctx, []mimecast.SIEMLink{{URL: "https://a.example.com/b", Path: "/b"}})
		if err == nil && m.files == 0 {
			t.Error("a file that was not tried counts as delivered")
		}
	})
}

// TestALastPageThatComesEmptyNowAndThen repeats nothing.
func TestALastPageThatComesEmptyNowAndThen(t *testing.T) {
	t.Parallel()
	s := &fileService{page: byCursor(func(cursor string, asked int) ([]string, string, bool) {
		switch {
		case cursor == "":
			return []string{"a"}, "1", false
		case asked%2 == 1:
			return []string{"b"}, "1", true
		}
		return nil, "1", true
	}), file: tenEach}
	withFiles(t, s, nil, func(r *rig) {
		r.start()
		r.run(2 * time.Hour)
		r.hasFile("b", 10)
	})
}

// TestACursorThatNeitherLeadsOnNorIsCaughtUp is not taken for up to date.
func TestACursorThatNeitherLeadsOnNorIsCaughtUp(t *testing.T) {
	t.Parallel()
	s := &fileService{page: byCursor(func(cursor string, _ int) ([]string, string, bool) {
		if cursor == "" {
			return []string{"a"}, "1", false
		}
		return nil, "1", false
	}), file: tenEach}
	withFiles(t, s, nil, func(r *rig) {
		r.start()
		r.run(24 * time.Hour)
		if !strings.Contains(r.log.String(), "level=WARN") && !strings.Contains(r.log.String(), "position_age=2") {
			log := r.log.String()
			t.Errorf("nothing is said, and the position counts as new:\n%s", log[max(0, len(log)-400):])
		}
	})
}

// dated is an answer with a Date of its own.
type dated struct {
	http.ResponseWriter
	date time.Time
}

func (d dated) Write(b []byte) (int, error) {
	d.Header().Set("Date", d.date.UTC().Format(http.TimeFormat))
	return d.ResponseWriter.Write(b)
}

// TestAWrongDateDropsNoFile when it stands in one answer.
func TestAWrongDateDropsNoFile(t *testing.T) {
	t.Parallel()
	s := &fileService{
		page: byCursor(func(cursor string, _ int) ([]string, string, bool) {
			if cursor == "" {
				return []string{"a", "b"}, "1", false
			}
			return nil, "1", true
		}),
		file: func(w http.ResponseWriter, _ *http.Request, name string, asked int) {
			if name == "b" && asked <= 3 {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			serves(w, name, 10)
		},
	}
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt"}, func(r *rig) {
		r.answerWith(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path == simulator.PathEvents && s.requests() == 0 {
				w = dated{w, time.Now().AddDate(0, 0, -8)}
			}
			s.ServeHTTP(w, q)
		})
		r.start()
		r.run(time.Hour)
		r.hasFile("b", 10)
		r.notLogged("a log file can't be fetched")
	})
}

// TestCallsAfterAClockThatWasSetBack stay within the quota.
func TestCallsAfterAClockThatWasSetBack(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt"}, func(r *rig) {
		var calls position.Calls
		for range quotaCalls {
			calls.Calls = append(calls.Calls, time.Now().Add(time.Minute).Unix())
		}
		r.commit(checkpoint.Change{Key: checkpoint.Key{Account: r.cfg.Account, Log: "calls"}, Position: calls})
		s := &fileService{page: byCursor(func(string, int) ([]string, string, bool) { return nil, "1", true })}
		r.answerWith(s.ServeHTTP)
		r.start()
		r.run(10 * time.Second)
		if s.requests() > 0 {
			t.Errorf("call %d is made a few seconds after the last, with the clock a minute back", quotaCalls+1)
		}
	})
}

// TestTheFirstPageOverMidnight misses none of the files that were delivered.
func TestTheFirstPageOverMidnight(t *testing.T) {
	t.Parallel()
	file := func(w http.ResponseWriter, _ *http.Request, name string, asked int) {
		if name == "new1" && asked < 15 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		serves(w, name, 10)
	}
	first := ""
	day := ""
	s := &fileService{file: file, page: byCursor(func(cursor string, _ int) ([]string, string, bool) {
		switch {
		case cursor == "1":
			return []string{"next"}, "2", true
		case cursor == "2":
			return nil, "2", true
		case day == first:
			return []string{"old1", "old2", "new1"}, "1", false // two of the first day, one of the second
		}
		return []string{"new1"}, "1", false
	})}
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt"}, func(r *rig) {
		r.answerWith(func(w http.ResponseWriter, q *http.Request) {
			if d := q.URL.Query().Get("dateRangeStartsAt"); d != "" {
				day = d
				if first == "" {
					first = d
				}
			}
			s.ServeHTTP(w, q)
		})
		time.Sleep(24*time.Hour - 4*time.Minute)
		r.start()
		r.run(2 * time.Hour)
		r.hasFile("next", 10)
		r.notLogged("the page no longer names it")
	})
}

// TestAnEmptyAnswerForAFileWithASize is asked for again.
func TestAnEmptyAnswerForAFileWithASize(t *testing.T) {
	t.Parallel()
	asked := 0
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt"}, func(r *rig) {
		r.answerWith(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
			switch {
			case q.URL.Path == "/oauth/token":
				fmt.Fprint(w, `{"access_token":"t","expires_in":1799}`)
			case q.URL.Path != simulator.PathEvents:
				if asked++; asked > 2 {
					serves(w, "a", 10)
				}
			case q.URL.Query().Get("nextPage") == "":
				fmt.Fprint(w, `{"value":[{"url":"https://files.example.com/a.json.gz?s=1","size":489}],"@nextPage":"1","isCaughtUp":false}`)
			default:
				fmt.Fprint(w, `{"value":[],"@nextPage":"1","isCaughtUp":true}`)
			}
		})
		r.start()
		r.run(24 * time.Hour)
		r.hasFile("a", 10)
	})
}

// TestFilesThatHang do not hold up another type.
func TestFilesThatHang(t *testing.T) {
	t.Parallel()
	page := byCursor(func(string, int) ([]string, string, bool) { return []string{"h"}, "1", false })
	hung := &fileService{page: page, file: func(http.ResponseWriter, *http.Request, string, int) {}}
	good := &fileService{
		page: byCursor(func(cursor string, _ int) (names []string, _ string, _ bool) {
			if cursor != "" {
				return nil, "1", true
			}
			for i := range 100 {
				names = append(names, fmt.Sprintf("n%d", i))
			}
			return names, "1", false
		}),
		file: func(w http.ResponseWriter, _ *http.Request, name string, _ int) { serves(w, name, 1) },
	}
	withAPI2(t, simulator.Config{}, nil, func(r *rig) {
		r.answerWith(func(w http.ResponseWriter, q *http.Request) {
			switch {
			case q.URL.Path == "/f/h.json.gz":
				<-q.Context().Done() // until the client gives up
			case q.URL.Query().Get("type") == "av" || strings.HasPrefix(q.URL.Path, "/f/n"):
				good.ServeHTTP(w, q)
			default:
				hung.ServeHTTP(w, q)
			}
		})
		r.start()
		r.run(2 * time.Hour)
		if n := len(r.host.stored); n < 100 {
			t.Errorf("%d of the other type's 100 files after two hours", n)
		}
	})
}
