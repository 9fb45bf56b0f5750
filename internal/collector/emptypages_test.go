package collector

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/mimecast"
)

// TestManyEmptyPages are read through, or a line says that they are not.
func TestManyEmptyPages(t *testing.T) {
	t.Parallel()
	for _, empty := range []int{5, 150} {
		for _, l := range []mimecast.Log{mimecast.Audit(), mimecast.Impersonation()} {
			t.Run(fmt.Sprint(l.Name, empty), func(t *testing.T) {
				t.Parallel()
				s := &listService{size: 2}
				withLists(t, s, l.Name, nil, func(r *rig) {
					s.answer = func(w http.ResponseWriter, _ string, ask pageAsk) bool {
						n := 0
						_, _ = fmt.Sscanf(ask.token, "e%d", &n)
						list := ""
						next := fmt.Sprintf("e%d", n+1)
						if n == empty {
							next = ""
							at := time.Now().Add(-time.Hour).UTC().Format("2006-01-02T15:04:05-0700")
							list = fmt.Sprintf(`{%q:%q,"id":"a"}`, l.Time, at)
						}
						if l.List != "" {
							list = fmt.Sprintf(`{%q:[%s]}`, l.List, list)
						}
						_, _ = fmt.Fprintf(w, `{"meta":{"status":200,"pagination":{"next":%q}},"fail":[],"data":[%s]}`, next, list)
						return true
					}
					r.start()
					r.run(10 * time.Minute)
					said := strings.Count(r.log.String(), "empty pages lead on")
					if (len(r.host.stored) == 1) != (empty < maxEmptyPages) || (said == 1) != (empty > maxEmptyPages) {
						t.Errorf("%d records, said %d times", len(r.host.stored), said)
					}
				})
			})
		}
	}
}
