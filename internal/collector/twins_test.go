package collector

import (
	"fmt"
	"net/http"
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
