package collector

import (
	"strings"
	"testing"

	"fluent-bit-mimecast/internal/simulator"
)

// TestPositionsDoNotDependOnOptions has a host that dies in the middle of a file, and
// a block that goes on with other options.
func TestPositionsDoNotDependOnOptions(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, nil, func(r *rig) {
		records := sized(20_000, 8_000)
		if err := r.sim.AddFiles("receipt", 1, records); err != nil {
			t.Fatal(err)
		}
		options := [][]string{{}, {"typed", "on"}, {"account_key", "customer"}, {"typed", "on", "account_key", "customer"}}
		before := 0
		for _, more := range options {
			r.configure(append([]string{"api", "2", "logs", "siem", "siem_types", "receipt"}, more...)...)
			r.start()
			for range sized(5, 3) {
				r.step(sized(5, 3))
			}
			r.kill()
			if n := len(r.host.stored); n <= before || n >= records {
				t.Errorf("%v: %d records after %d: not in the middle of the file", more, n, before)
			}
			before = len(r.host.stored)
		}
		r.start()
		for range 60 {
			r.step(1 << 10)
		}
		seen, numbers, named := map[string]bool{}, 0, 0
		for _, s := range r.host.stored {
			_, id, _ := strings.Cut(s.record, `"processingId":"`)
			id, _, _ = strings.Cut(id, `"`)
			seen[id] = true
			if !strings.Contains(s.record, `"numberAttachments":"`) {
				numbers++
			}
			if strings.Contains(s.record, `"customer":"`) {
				named++
			}
		}
		if len(seen) != records || numbers == 0 || numbers == len(r.host.stored) || named == 0 || named == len(r.host.stored) {
			t.Errorf("%d records, %d with types, %d with the account; %d different", len(r.host.stored), numbers, named, len(seen))
		}
		if again := len(r.host.stored) - records; again > records/2 {
			t.Errorf("%d records came again", again)
		}
		r.notLogged("has changed since it was begun")
	})
}
