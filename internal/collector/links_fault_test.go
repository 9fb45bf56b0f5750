package collector

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/simulator"
)

// TestAPageThatLeavesOutAFile waits for a file that the page named before.
func TestAPageThatLeavesOutAFile(t *testing.T) {
	t.Parallel()
	f := &fileService{page: func(n int, cursor string) filePage {
		switch {
		case cursor == "" && n > 1 && n < 5:
			return filePage{[]string{"A"}, "c1", false}
		case cursor == "":
			return filePage{[]string{"A", "B"}, "c1", false}
		}
		return filePage{nil, cursor, true}
	}}
	f.file = func(w http.ResponseWriter, _ *http.Request, name string, n int) {
		if name == "B" && n == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		serves(w, name, 10)
	}
	withFiles(t, f, nil, func(r *rig) {
		r.start()
		r.run(30 * time.Minute)
		r.hasFile("A", 10)
		r.hasFile("B", 10)
	})
}

// TestADamagedFileBesideARefusedOne sends nothing of the first before it is
// confirmed.
func TestADamagedFileBesideARefusedOne(t *testing.T) {
	t.Parallel()
	f := &fileService{page: onePage("A", "B")}
	f.file = func(w http.ResponseWriter, _ *http.Request, name string, n int) {
		whole := gzipped(events(name, 3000, time.Now().Add(-time.Hour)))
		switch {
		case name == "A" && n == 1:
			_, _ = w.Write(whole[:len(whole)*9/10])
		case name == "B" && n == 1:
			w.WriteHeader(http.StatusForbidden)
		default:
			_, _ = w.Write(whole)
		}
	}
	withFiles(t, f, nil, func(r *rig) {
		r.start()
		r.run(10 * time.Minute)
		r.hasFile("A", 3000)
		r.hasFile("B", 3000)
	})
}

// TestAStoreThatGivesNoFileForHours gives up none of them.
func TestAStoreThatGivesNoFileForHours(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"it refuses":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"a proxy's page": func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>blocked</html>") },
	} {
		var began time.Time
		f := &fileService{page: onePage("A", "B", "C", "D")}
		f.file = func(w http.ResponseWriter, req *http.Request, name string, n int) {
			if (name != "A" || n > 1) && time.Since(began) < 7*time.Hour {
				answer(w, req)
				return
			}
			serves(w, name, 10)
		}
		withFiles(t, f, nil, func(r *rig) {
			began = time.Now()
			r.start()
			r.run(8 * time.Hour)
			for _, file := range []string{"A", "B", "C", "D"} {
				r.hasFile(file, 10)
			}
			r.notLogged("a log file can't be fetched")
			if n := len(r.host.stored); n != 40 {
				t.Errorf("%s: %d records", name, n)
			}
		})
	}
}

// TestARefusalBeforeAndAfterALongStop is no refusal for hours.
func TestARefusalBeforeAndAfterALongStop(t *testing.T) {
	t.Parallel()
	var works atomic.Bool
	f := &fileService{page: onePage("A", "B")}
	f.file = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
		if name == "B" && !works.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		serves(w, name, 10)
	}
	withFiles(t, f, nil, func(r *rig) {
		r.start()
		r.run(time.Minute)
		r.stop()
		time.Sleep(7 * time.Hour)
		r.start()
		r.run(time.Minute)
		works.Store(true)
		r.run(10 * time.Minute)
		r.hasFile("A", 10)
		r.hasFile("B", 10)
		r.notLogged("a log file can't be fetched")
	})
}

// TestLinksThatEndWhileTheHostIsPaused are asked for again, also in the middle of
// their page.
func TestLinksThatEndWhileTheHostIsPaused(t *testing.T) {
	t.Parallel()
	notShort(t)
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprint("A", i))
	}
	f := &fileService{page: onePage(names...)}
	f.file = func(w http.ResponseWriter, req *http.Request, name string, _ int) {
		var at int64
		_, _ = fmt.Sscan(req.URL.Query().Get("at"), &at)
		if time.Now().Unix()-at > 3600 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		serves(w, name, 30000)
	}
	withFiles(t, f, nil, func(r *rig) {
		r.start()
		for range 6 { // it takes something every four hours
			r.step(30)
			time.Sleep(4 * time.Hour)
		}
		r.run(2 * time.Hour)
		for _, name := range names {
			r.hasFile(name, 30000)
		}
		r.notLogged("a log file can't be fetched")
	})
}

// TestCallsThatAreMadeTwice counts those, too, that follow a refused bearer token.
func TestCallsThatAreMadeTwice(t *testing.T) {
	t.Parallel()
	f := &fileService{}
	f.page = func(n int, _ string) filePage { return filePage{nil, fmt.Sprint("c", n), false} }
	f.refuses = func(n int) bool { return n%2 == 1 }
	withFiles(t, f, nil, func(r *rig) {
		r.start()
		r.run(20 * time.Minute)
		if n := f.peak(); n != quotaCalls {
			t.Errorf("%d calls in a quarter of an hour", n)
		}
	})
}

// TestCredentialsThatAreWrong are passing trouble at first, and then an error that
// says what to do.
func TestCredentialsThatAreWrong(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt", "client_secret", "wrong"}, func(r *rig) {
		r.start()
		r.run(10 * time.Minute)
		r.count("level=ERROR msg=\"fetching fails\"", 1)
		r.logged("check client_id and client_secret")
	})
}

// TestCallsForPagesWhoseFilesFail stay within the quota, of all types together.
func TestCallsForPagesWhoseFilesFail(t *testing.T) {
	t.Parallel()
	f := &fileService{page: func(int, string) filePage { return filePage{[]string{"X"}, "c1", true} }}
	f.file = func(w http.ResponseWriter, _ *http.Request, _ string, _ int) {
		w.WriteHeader(http.StatusInternalServerError)
	}
	withAPI2(t, simulator.Config{}, nil, func(r *rig) {
		r.answerWith(f.ServeHTTP)
		r.start()
		r.run(2 * time.Hour)
		if n := f.peak(); n > quotaCalls {
			t.Errorf("%d calls in a quarter of an hour", n)
		}
	})
}

// TestFilesThatFailCostFewCalls leave the quota to pages that have something new.
func TestFilesThatFailCostFewCalls(t *testing.T) {
	t.Parallel()
	f := &fileService{page: func(int, string) filePage { return filePage{[]string{"A", "B"}, "c1", true} }}
	f.file = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
		if name == "B" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		serves(w, name, 10)
	}
	withFiles(t, f, nil, func(r *rig) {
		r.start()
		r.run(2 * time.Hour)
		r.hasFile("A", 10)
		if n := f.peak(); n > 4 || f.downloads["B"] < 60 {
			t.Errorf("%d calls in a quarter of an hour, %d downloads", n, f.downloads["B"])
		}
	})
}

// TestEmptyFiles hold up nothing.
func TestEmptyFiles(t *testing.T) {
	t.Parallel()
	for _, body := range [][]byte{nil, gzipped(""), gzipped("\n")} {
		f := &fileService{page: onePage("A", "B")}
		f.file = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
			if name == "A" {
				_, _ = w.Write(body)
				return
			}
			serves(w, name, 10)
		}
		withFiles(t, f, nil, func(r *rig) {
			r.start()
			r.run(4 * time.Minute)
			r.hasFile("B", 10)
			r.notLogged("level=ERROR")
			if n := len(r.host.stored); n != 10 || (len(body) > 0 && f.downloads["A"] != 1) {
				t.Errorf("%d bytes: %d records, %d downloads", len(body), n, f.downloads["A"])
			}
		})
	}
}

// TestABegunFileThatFailsAfterARestart goes on where it was, though another file
// is delivered before it.
func TestABegunFileThatFailsAfterARestart(t *testing.T) {
	t.Parallel()
	f := &fileService{page: onePage("A", "B")}
	var big []byte
	f.file = func(w http.ResponseWriter, _ *http.Request, name string, n int) {
		switch {
		case name == "A" && n == 2:
			w.WriteHeader(http.StatusInternalServerError)
		case name == "A":
			_, _ = w.Write(big)
		default:
			serves(w, name, 10)
		}
	}
	withFiles(t, f, nil, func(r *rig) {
		big = gzipped(events("A", 100_000, time.Now()))
		r.start()
		r.step(20)
		r.stop()
		if n := len(r.host.stored); n == 0 || n == 100_000 {
			t.Fatalf("%d records before the restart", n)
		}
		r.start()
		r.run(10 * time.Minute)
		r.hasFile("A", 100_000)
		r.hasFile("B", 10)
	})
}

// TestAPanicInAFile ends none of the log, and leaves no slot taken.
func TestAPanicInAFile(t *testing.T) {
	t.Parallel()
	f := &fileService{page: onePage("A")}
	big := []byte(events("A", 60_000, time.Now().Add(-time.Hour))) // too much for memory
	f.file = func(w http.ResponseWriter, _ *http.Request, _ string, _ int) { _, _ = w.Write(big) }
	withFiles(t, f, nil, func(r *rig) {
		panics := 0
		r.readAt = func(s scratch, p []byte, off int64) (int, error) {
			if panics < 2*linkSlots && off > 0 {
				panics++
				panic("a bug")
			}
			return s.ReadAt(p, off)
		}
		r.start()
		r.run(time.Hour)
		r.logged("a bug in this plugin")
		r.hasFile("A", 60_000)
		if n := r.collector.shared[0].slots.Inside(); n > 0 {
			t.Errorf("%d slots are taken", n)
		}
		if n := r.collector.memory.Reserved(); n > 0 {
			t.Errorf("%d bytes are taken", n)
		}
	})
}

// TestACursorWithEverNewFiles has each come once.
func TestACursorWithEverNewFiles(t *testing.T) {
	t.Parallel()
	f := &fileService{page: func(n int, _ string) filePage { return filePage{[]string{fmt.Sprint("F", n)}, "c1", true} }}
	f.file = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { serves(w, name, 1) }
	withFiles(t, f, nil, func(r *rig) {
		r.start()
		r.run(6*time.Hour + time.Minute)
		r.stop()
		if n := len(r.host.stored); n < 60 || n != f.requests()-1 { // one looks for other types
			t.Errorf("%d records after %d requests", n, f.requests())
		}
	})
}

// TestAFileThatIsGoneWhileNoOtherComes holds up the log until the service
// has it no more.
func TestAFileThatIsGoneWhileNoOtherComes(t *testing.T) {
	t.Parallel()
	f := &fileService{page: func(_ int, cursor string) filePage {
		switch cursor {
		case "":
			return filePage{[]string{"A"}, "c1", false}
		case "c1":
			return filePage{[]string{"B"}, "c2", false}
		}
		return filePage{nil, cursor, true}
	}}
	f.file = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
		if name == "A" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		serves(w, name, 10)
	}
	withFiles(t, f, nil, func(r *rig) {
		since := time.Now().Add(time.Hour - retention)
		r.setPosition(position.Links{From: since.Format(time.DateOnly), Failed: []position.File{{Path: "/f/A.json.gz", Since: since}}})
		r.start()
		r.run(50 * time.Minute)
		r.notLogged("a log file can't be fetched")
		r.run(20 * time.Minute)
		r.count("a log file can't be fetched", 1)
		r.hasFile("B", 10)
	})
}

// TestCallsOfAClockThatWasAhead do not hold up others.
func TestCallsOfAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt"}, func(r *rig) {
		if err := r.sim.AddFiles("receipt", 1, 10); err != nil {
			t.Fatal(err)
		}
		store, err := openStore(r)
		if err != nil {
			t.Fatal(err)
		}
		var calls position.Calls
		for range quotaCalls {
			calls.Calls = append(calls.Calls, time.Now().Add(10*time.Hour).Unix())
		}
		key := checkpoint.Key{Account: r.cfg.Account, Log: "calls"}
		if err := store.Commit([]checkpoint.Change{{Key: key, Position: calls}}); err != nil {
			t.Fatal(err)
		}
		closeStore(r)
		r.start()
		r.run(quotaWindow + time.Minute) // they count as made now
		r.clean()
	})
}

// TestLogsOfLinksHoldNoSecrets has stores repeat the link, which holds one.
func TestLogsOfLinksHoldNoSecrets(t *testing.T) {
	t.Parallel()
	f := &fileService{page: onePage("A", "B", "C", "D")}
	f.file = func(w http.ResponseWriter, req *http.Request, name string, n int) {
		switch {
		case n > 3:
			serves(w, name, 3)
		case name == "A":
			w.Header().Set("Location", req.URL.String())
			w.WriteHeader(http.StatusFound)
		case name == "B":
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><x>%s</x></Error>", req.URL.Query().Get("sig"), req.URL.RawQuery)
		case name == "C":
			panic(http.ErrAbortHandler)
		default:
			_, _ = fmt.Fprint(w, req.URL.String())
		}
	}
	withFiles(t, f, nil, func(r *rig) {
		r.start()
		r.run(time.Hour)
		for _, name := range []string{"A", "B", "C", "D"} {
			r.hasFile(name, 3)
		}
		r.notLogged("link-secret", "bearer-secret")
	})
}

// TestAFileThatIsCutAtAnotherPlaceEachTime is asked for again, and taken as it is
// after a while.
func TestAFileThatIsCutAtAnotherPlaceEachTime(t *testing.T) {
	t.Parallel()
	check := func(cuts int, whole bool, downloads int) {
		f := &fileService{page: onePage("A")}
		f.file = func(w http.ResponseWriter, _ *http.Request, name string, n int) {
			z := gzipped(events(name, 1000, time.Now().Add(-time.Hour)))
			if n <= cuts {
				z = z[:len(z)/2+20*n]
			}
			_, _ = w.Write(z)
		}
		withFiles(t, f, nil, func(r *rig) {
			r.start()
			r.run(30 * time.Minute)
			r.stop()
			unparsed := 0
			for _, s := range r.host.stored {
				if strings.Contains(s.record, `"log_type":"unparsed"`) {
					unparsed++
				}
			}
			if whole {
				r.hasFile("A", 1000)
			}
			if (unparsed == 0) != whole || len(r.host.stored) < 300 || f.downloads["A"] != downloads {
				t.Errorf("%d records, %d unparsed, after %d downloads", len(r.host.stored), unparsed, f.downloads["A"])
			}
		})
	}
	check(5, true, 6)
	check(1000, false, maxSuspect+1)
}

// TestLinkPagesThatLeadInACircle say so and repeat nothing, and what comes on the
// last page later is not missed.
func TestLinkPagesThatLeadInACircle(t *testing.T) {
	t.Parallel()
	f, last := &fileService{}, 0
	f.page = func(_ int, cursor string) filePage {
		switch cursor {
		case "":
			return filePage{[]string{"A"}, "c1", false}
		case "c1":
			return filePage{[]string{"B"}, "c2", false}
		}
		switch last++; {
		case last < 5:
			return filePage{[]string{"C"}, "c1", false}
		case last < 10:
			return filePage{[]string{"C", "D"}, "c1", false}
		}
		return filePage{[]string{"C", "D"}, "c2", true}
	}
	f.file = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { serves(w, name, 10) }
	withFiles(t, f, nil, func(r *rig) {
		r.start()
		r.run(2 * time.Hour)
		for _, name := range []string{"A", "B", "C", "D"} {
			r.hasFile(name, 10)
		}
		r.count("the cursor leads back to a page", 1)
		r.logged("fetching works again")
	})
}

// TestLinksOfAnotherCustomer start from the earliest logs.
func TestLinksOfAnotherCustomer(t *testing.T) {
	t.Parallel()
	code := "C1"
	f := &fileService{page: func(_ int, cursor string) filePage {
		switch {
		case cursor == "":
			return filePage{[]string{code + "a"}, code + "1", false}
		case cursor == "C11" && code == "C2": // the position of the first is good
			return filePage{[]string{"C2z"}, "C21", false}
		}
		return filePage{nil, cursor, true}
	}}
	f.file = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
		_, _ = w.Write(gzipped(strings.ReplaceAll(events(name, 10, time.Now().Add(-time.Hour)), `"C1"`, `"`+code+`"`)))
	}
	withFiles(t, f, []string{"account", "acme", "initial_lookback", "1d"}, func(r *rig) {
		r.start()
		r.run(time.Minute)
		r.stop()
		code, r.cfg.AppID = "C2", "other-client"
		r.start()
		r.run(20 * time.Minute)
		r.hasFile("C1a", 10)
		r.hasFile("C2a", 10)
		r.hasFile("C2z", 10)
		r.logged("the records are another Mimecast customer's")
	})
}

// TestAFirstDayThatIsRefused is followed by none.
func TestAFirstDayThatIsRefused(t *testing.T) {
	t.Parallel()
	var from []string
	withAPI2(t, simulator.Config{}, []string{"siem_types", "receipt"}, func(r *rig) {
		time.Sleep(12 * time.Hour)
		r.answerWith(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
			if req.URL.Path == "/oauth/token" {
				_, _ = fmt.Fprint(w, `{"access_token":"bearer-secret","token_type":"Bearer","expires_in":1799}`)
				return
			}
			asked := req.URL.Query().Get("dateRangeStartsAt")
			from = append(from, asked)
			if day, err := time.Parse(time.DateOnly, asked); err == nil && time.Since(day) > retention {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = fmt.Fprint(w, `{"error":{"code":"Request Validation Failed","message":"Invalid date range: 'from' must be within the 7-day retention period"}}`)
				return
			}
			_, _ = fmt.Fprint(w, `{"value":[],"@nextPage":"c1","isCaughtUp":true}`)
		})
		r.start()
		r.run(time.Minute)
		r.stop()
		if got := strings.Join(from, " "); got != "1999-12-25 " {
			t.Errorf("asked for %s", got)
		}
	})
}
