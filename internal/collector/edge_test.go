package collector

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// TestNewestFirstBehindAFailingPage has a service that ignores the order asked
// for, and a page with one event: nothing shows yet in which order they come.
func TestNewestFirstBehindAFailingPage(t *testing.T) {
	t.Parallel()
	var began time.Time
	s := &pageService{size: 1, order: func(events []time.Time) { slices.Reverse(events) }}
	s.answer = func(w http.ResponseWriter, ask pageAsk) bool {
		fails := ask.token != "" && time.Since(began) < 30*time.Minute
		if fails {
			http.Error(w, `{"fail":[{"errors":[{"code":"err_x","message":"m","retryable":false}]}]}`, http.StatusBadRequest)
		}
		return fails
	}
	withPages(t, s, []string{"overlap", "1m"}, func(r *rig) {
		began = time.Now()
		s.addEvery(10, began.Add(-5*time.Hour), 30*time.Minute)
		r.start()
		r.run(2 * time.Hour)
		r.stop()
		s.once(r)
	})
}

func TestManyRecordsInAJSONAnswer(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		const records = 20001 // more than a page may have
		list := strings.Repeat(`,{"n":1}`, records)[1:]
		scripted(r, map[string]http.HandlerFunc{"": says(fmt.Sprintf(open, list), "a"), "a": nothing})
		r.start()
		r.run(time.Minute)
		if len(r.host.stored) != records {
			t.Errorf("%d of %d records", len(r.host.stored), records)
		}
	})
}

// TestADamagedBatchThatIsItsOwnNext is packed anew for each request. What was
// delivered of it needs no second look.
func TestADamagedBatchThatIsItsOwnNext(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		packed := 0
		batch := func(w http.ResponseWriter, _ *http.Request) {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			for _, file := range [][2]string{{"receipt_1.log", lines(1, 10)}, {"process_1.log", `{ "type" : "MTA", "data" : `}} {
				f, err := z.Create(file[0])
				if err == nil {
					_, err = f.Write([]byte(file[1]))
				}
				if err != nil {
					t.Error(err)
				}
			}
			packed++
			_ = z.SetComment(fmt.Sprint(packed))
			_ = z.Close()
			attached(b.String(), "own")(w, nil)
		}
		s := scripted(r, map[string]http.HandlerFunc{"": attached(lines(11, 20), "own"), "own": batch})
		r.start()
		r.run(time.Hour)
		if n := strings.Count(r.log.String(), "level=WARN"); n > 20 || s.requests() > 100 {
			t.Errorf("%d warnings and %d requests in an hour", n, s.requests())
		}
	})
}
