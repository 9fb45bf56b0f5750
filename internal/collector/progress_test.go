package collector

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// TestProgressOfAPosition moves a position, every ten seconds, by some of its log
// time.
func TestProgressOfAPosition(t *testing.T) {
	t.Parallel()
	check := func(name string, age, step time.Duration, steps int, want ...string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var log logBuffer
			r := newReport(slog.New(slog.NewTextHandler(&log, nil)), time.Now)
			at := time.Now().Add(-age)
			for range steps {
				r.fetched(at)
				at = at.Add(step)
				time.Sleep(10 * time.Second)
			}
			var got []string
			for line := range strings.Lines(log.String()) {
				_, text, _ := strings.Cut(strings.TrimSpace(line), "level=INFO ")
				got = append(got, text)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		})
	}
	check("a minute has not passed", 10*time.Hour, time.Minute, 6)
	check("two minutes", 10*time.Hour, time.Minute, 13,
		`msg="catching up" position_age=9h55m0s catching_up_by="5.0 minutes a minute" done_in=119m`,
		`msg="catching up" position_age=9h50m0s catching_up_by="5.0 minutes a minute" done_in=118m`)
	check("until it is young", 100*time.Minute, 6*time.Minute, 100,
		`msg="catching up" position_age=1h5m0s catching_up_by="35 minutes a minute" done_in=2m`,
		`msg="catching up" position_age=30m0s catching_up_by="35 minutes a minute" done_in="less than 1m"`)
	check("slowly", 96*time.Hour, 12*time.Second, 7,
		`msg="catching up" position_age=4.0d catching_up_by="0.2 minutes a minute" done_in=20d`)
	check("too slow", time.Hour, 9*time.Second, 7, `msg="not catching up" position_age=1h0m6s`)
	check("it stands still", time.Hour, 0, 100)
	check("it is young", 10*time.Minute, 10*time.Second, 100)
	check("it goes back", 10*time.Hour, -time.Second, 100)
	check("it is ancient", 1e6*time.Hour, 12*time.Second, 7,
		`msg="catching up" position_age=41666.7d catching_up_by="0.2 minutes a minute" done_in=208333d`)

	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		r := newReport(slog.New(slog.NewTextHandler(&log, nil)), time.Now)
		for range 100 {
			r.fetched(time.Time{})
			time.Sleep(time.Minute)
		}
		r.fetched(time.Now())
		time.Sleep(2 * time.Hour) // a pause, which is not to count
		r.fetched(time.Now().Add(-time.Hour))
		if log.String() != "" {
			t.Errorf("a position that is unknown, or the first that is late: %s", log.String())
		}
	})
}

// saysProgress fails the test unless a stream has said a few times that it catches
// up, at most once a minute, by so much, and has come to an end.
func (r *rig) saysProgress(least, most int, by string) {
	r.t.Helper()
	n, last := 0, time.Time{}
	for line := range strings.Lines(r.log.String()) {
		if !strings.Contains(line, `msg="catching up"`) {
			continue
		}
		n++
		text, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || at.Sub(last) < time.Minute {
			r.t.Errorf("it was said at %v and %v, %v", last, at, err)
		}
		last = at
		if ok, err := regexp.MatchString(`position_age=\S+ catching_up_by="`+by+` minutes a minute" done_in=(\d+[mhd]|"less than 1m")`, line); !ok || err != nil {
			r.t.Errorf("%q, %v", line, err)
		}
	}
	if n < least || n > most {
		log := r.log.String()
		r.t.Errorf("it was said %d times; the end of the log:\n%s", n, log[max(0, len(log)-3000):])
	}
	r.notLogged("not catching up")
	for _, s := range r.collector.streams {
		s.report.mu.Lock()
		age := time.Since(s.report.position)
		s.report.mu.Unlock()
		if age > lateAfter {
			r.t.Errorf("the position is %v old", age)
		}
	}
}

// TestProgressOfBatches has each batch take 20 seconds and hold half an hour.
func TestProgressOfBatches(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		first := time.Now().Add(-30 * time.Hour)
		answers := map[string]http.HandlerFunc{}
		for n := range 60 {
			token := ""
			if n > 0 {
				token = fmt.Sprint("t", n)
			}
			batch := attached(fmt.Sprintf("{\"n\":%d,\"datetime\":%q}\n", n, first.Add(time.Duration(n)*30*time.Minute).Format("2006-01-02T15:04:05-0700")), fmt.Sprint("t", n+1))
			answers[token] = func(w http.ResponseWriter, req *http.Request) {
				time.Sleep(20 * time.Second)
				batch(w, req)
			}
		}
		answers["t60"] = nothing
		scripted(r, answers)
		r.start()
		r.run(30 * time.Minute)
		r.saysProgress(17, 20, `8\d`)
	})
}

// TestProgressOfFiles has pages of four files, each of which takes 5 seconds and
// holds a quarter of an hour; the position stands still within a page. A type that
// is idle says nothing.
func TestProgressOfFiles(t *testing.T) {
	t.Parallel()
	f := &fileService{}
	f.page = func(_ int, cursor string) filePage {
		var n int
		_, _ = fmt.Sscanf(cursor, "c%d", &n)
		if n == 40 {
			return filePage{nil, cursor, true}
		}
		var names []string
		for i := range 4 {
			names = append(names, fmt.Sprint("F", n*4+i))
		}
		return filePage{names, fmt.Sprint("c", n+1), false}
	}
	var first time.Time
	f.file = func(w http.ResponseWriter, _ *http.Request, name string, _ int) {
		var n int
		_, _ = fmt.Sscanf(name, "F%d", &n)
		time.Sleep(5 * time.Second)
		_, _ = w.Write(gzipped(events(name, 1, first.Add(time.Duration(n)*15*time.Minute))))
	}
	withFiles(t, f, nil, func(r *rig) {
		first = time.Now().Add(-41 * time.Hour)
		r.start()
		r.run(30 * time.Minute)
		r.saysProgress(10, 13, `1[78]\d`)
		r.run(2 * time.Hour)
		r.saysProgress(10, 13, `1[78]\d`)
	})
}

// TestProgressOfPages has each page of a poll but the first take 10 seconds and hold half an
// hour.
func TestProgressOfPages(t *testing.T) {
	t.Parallel()
	s := &pageService{t: t, size: 30, next: forward}
	s.answer = func(_ http.ResponseWriter, ask pageAsk) bool {
		if ask.token != "" {
			time.Sleep(10 * time.Second)
		}
		return false
	}
	withPages(t, s, []string{"initial_lookback", "1d"}, func(r *rig) {
		s.addEvery(24*60, time.Now().Add(-24*time.Hour), time.Minute)
		r.start()
		r.run(30 * time.Minute)
		s.once(r)
		r.saysProgress(6, 8, `17\d`)
	})
}
