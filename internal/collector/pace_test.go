package collector

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/simulator"
)

func TestPace(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(1, 1))
	const blocks = 400
	starts := map[int]int{} // by second
	stretches := map[time.Duration]bool{}
	for n := range blocks {
		p := newPace(n, dice.Float64)
		if n < promptBlocks && p != (pace{}) {
			t.Errorf("block %d has %v", n, p)
		}
		if d := p.of(time.Hour); d < time.Hour || d > 66*time.Minute {
			t.Errorf("an hour becomes %v", d)
		}
		starts[int(p.late/time.Second)]++
		stretches[p.of(time.Hour)] = true
		if p.late > startLatest {
			t.Errorf("block %d starts after %v", n, p.late)
		}
	}
	if most := slices.Max(slices.Collect(maps.Values(starts))); most > 15 {
		t.Errorf("%d blocks start in one second", most)
	}
	if len(stretches) < blocks/2 {
		t.Errorf("%d different intervals", len(stretches))
	}
}

// TestALateBlockAsksLater has many blocks of the process before it.
func TestALateBlockAsksLater(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
		r.memory = &memory.Budget{}
		for range 50 {
			r.memory.Share()
		}
		began := time.Now()
		var asked []time.Duration
		r.answerWith(func(w http.ResponseWriter, req *http.Request) {
			asked = append(asked, time.Since(began))
			r.sim.ServeHTTP(w, req)
		})
		r.start()
		r.run(time.Hour)
		if len(asked) < 40 || asked[0] < 9*time.Second || asked[0] > 10*time.Second {
			t.Fatalf("asked %d times, first after %v", len(asked), asked[0])
		}
		for i := range asked[1:] {
			if d := asked[i+1] - asked[i]; d < r.cfg.PollInterval || d > r.cfg.PollInterval*11/10 {
				t.Errorf("asked again after %v", d)
			}
		}
	})
}
