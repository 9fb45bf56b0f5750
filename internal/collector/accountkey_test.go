package collector

import (
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// TestAccountKey has all logs of both APIs, and in API 1.0 something that can't be
// read.
func TestAccountKey(t *testing.T) {
	t.Parallel()
	check := func(add func(r *rig), unparsed int, options ...string) {
		t.Helper()
		withRig(t, simulator.Config{}, append(options, "account", "Acme", "account_key", "customer"), func(r *rig) {
			add(r)
			r.sim.AddEvents(20, time.Now().Add(-time.Hour), 3)
			r.start()
			r.run(20 * time.Minute)
			const field = `"customer":"Acme",`
			for i, s := range r.host.stored {
				if strings.Count(s.record, field) != 1 {
					t.Fatalf("without the account: %s", s.record)
				}
				r.host.stored[i].record = strings.Replace(s.record, field, "", 1)
			}
			if a := r.account(r.sim.Expected()); a.lost+a.twice+a.foreign > 0 || a.received == 0 || a.unparsed != unparsed {
				t.Errorf("%v: %+v", options, a)
			}
		})
	}
	check(func(r *rig) {
		r.sim.AddBatch(50)
		if _, err := r.sim.AddBatchFiles([]simulator.File{{Name: "receipt_1.log", Records: []string{`{"n":1}`}, JSON: []byte(`{"data":[{"n":1},5]}`)}}); err != nil {
			t.Fatal(err)
		}
	}, 1)
	check(func(r *rig) { r.addFiles(1, 20) }, 0, "api", "2")
}
