package collector

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/mimecast"
)

// TestEqualEventsAreAsManyRecords is about logs whose events have no id.
func TestEqualEventsAreAsManyRecords(t *testing.T) {
	t.Parallel()
	for _, l := range mimecast.Logs() {
		if l.ID != "" {
			continue
		}
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			s := &listService{size: 7}
			withLists(t, s, l.Name, nil, func(r *rig) {
				second := time.Now().Add(-20 * time.Minute)
				for i := range 30 { // twins within a page, over two and over many
					for range []int{1, 2, 30, 1, 7}[i%5] {
						s.event(l, second.Add(time.Duration(i)*time.Second), fmt.Sprintf(`"n":%d`, i))
					}
				}
				r.start()
				r.run(3 * time.Minute)
				s.once(r)
				r.stop()
				r.start()
				r.run(3 * time.Minute)
				s.once(r)
				for range 3 { // late twins
					s.event(l, second.Add(time.Second), `"n":1`)
					r.run(2 * time.Minute)
				}
				s.once(r)
				r.stop()
				r.start()
				r.run(2 * time.Minute)
				s.once(r)
			})
		})
	}
}

// TestTwinsOfAPageThatIsCut has each poll end in mid-page with its first pages.
func TestTwinsOfAPageThatIsCut(t *testing.T) {
	t.Parallel()
	for _, l := range []mimecast.Log{mimecast.URL(), mimecast.ArchiveView()} {
		broken := true
		s := &listService{size: 5, answer: func(w http.ResponseWriter, _ string, ask pageAsk) bool {
			if broken && ask.token == "3" {
				w.WriteHeader(http.StatusBadRequest)
				return true
			}
			return false
		}}
		withLists(t, s, l.Name, nil, func(r *rig) {
			at := time.Now().Add(-20 * time.Minute)
			for i := range 40 {
				s.event(l, at.Add(time.Duration(i/4)*time.Second), fmt.Sprintf(`"n":%d`, i/4))
			}
			r.start()
			r.run(10 * time.Minute)
			if len(r.host.stored) < 15 {
				r.t.Errorf("%d records of three pages", len(r.host.stored))
			}
			r.stop()
			r.start()
			r.run(10 * time.Minute)
			broken = false
			r.run(20 * time.Minute)
			s.once(r)
		})
	}
}

// TestEqualPagesOfOneSecond has pages that are equal because their events are.
func TestEqualPagesOfOneSecond(t *testing.T) {
	t.Parallel()
	for _, l := range []mimecast.Log{mimecast.URL(), mimecast.ArchiveView()} {
		s := &listService{size: 2}
		withLists(t, s, l.Name, nil, func(r *rig) {
			at := time.Now().Add(-20 * time.Minute)
			for i := range 6 {
				s.event(l, at, fmt.Sprintf(`"n":%d`, i%2))
			}
			r.start()
			r.run(5 * time.Minute)
			s.once(r)
			r.notLogged("circle")
		})
	}
}

// TestOnePageUnderNewTokens leads nowhere: the events of the page that come again
// are bounded.
func TestOnePageUnderNewTokens(t *testing.T) {
	t.Parallel()
	s := &listService{}
	asked := 0
	withLists(t, s, "url", nil, func(r *rig) {
		at := time.Now().Add(-20 * time.Minute).UTC().Format("2006-01-02T15:04:05-0700")
		page := strings.Repeat(fmt.Sprintf(`,{"date":%q,"n":1}`, at), 2500)[1:]
		s.answer = func(w http.ResponseWriter, _ string, _ pageAsk) bool {
			asked++
			_, _ = fmt.Fprintf(w, `{"meta":{"status":200,"pagination":{"next":"n%d"}},"fail":[],"data":[{"clickLogs":[%s]}]}`,
				asked, page)
			return true
		}
		r.start()
		r.run(time.Duration(sized(10, 3)) * time.Minute)
		if n := len(r.host.stored); n > maxWindow+2*2500 {
			t.Errorf("%d records", n)
		}
		r.logged("the pages lead in a circle")
	})
}
