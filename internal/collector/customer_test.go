package collector

import (
	"testing"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/simulator"
)

// TestCustomers has a block whose account_code changes: each customer's logs come
// once, and the positions of the account itself are others.
func TestCustomers(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"1", "2"} {
		withRig(t, simulator.Config{}, nil, func(r *rig) {
			own := r.sim
			// of has the block collect the logs of a customer, which sim serves.
			of := func(code string, sim *simulator.Server, events int) {
				t.Helper()
				r.sim, r.host.stored = sim, nil
				sim.AddEvents(events, time.Now().Add(-time.Hour), 1)
				r.configure("api", api, "logs", "impersonation", "account", "Acme", "account_code", code)
				r.start()
				r.run(5 * time.Minute)
				r.stop()
			}
			customer := func(code string) *simulator.Server {
				sim, err := simulator.New(simulator.Config{AccountCode: code})
				if err != nil {
					t.Fatal(err)
				}
				return sim
			}
			one, two := customer("C1"), customer("C2")
			defer one.Close()
			defer two.Close()
			of("", own, 10)
			r.clean()
			of("C1", one, 20)
			r.clean()
			of("C2", two, 30)
			r.clean()
			of("C1", one, 0)
			if n := len(r.host.stored); n > 0 {
				t.Errorf("%d events came again", n)
			}
			r.notLogged("level=WARN", "level=ERROR")
		})
	}
}

// TestPositionsOfCustomers has SIEM logs in the same block.
func TestPositionsOfCustomers(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"account", "Acme", "account_code", "C1"}, func(r *rig) {
		want := []checkpoint.Key{{Account: "Acme", Log: "siem"}, {Account: "Acme/C1", Log: "impersonation"}}
		if got := Keys(r.cfg); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("got %v, want %v", got, want)
		}
		r.start() // for the rig to end
	})
}
