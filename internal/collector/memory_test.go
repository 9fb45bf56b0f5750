package collector

import (
	"testing"
	"time"

	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/simulator"
)

// TestWithTheLeastMemory has other blocks take all of the budget: everything comes,
// with little of it in the block and in the host at a time.
func TestWithTheLeastMemory(t *testing.T) {
	t.Parallel()
	const least = 1 << 20 // in flight
	check := func(t *testing.T, r *rig) {
		r.memory = &memory.Budget{}
		others := r.memory.Share()
		others.Reserve(memory.DefaultLimit)
		r.start()
		for range sized(600, 200) {
			r.handover.Drain(r.host, time.Now().Add(700*time.Millisecond))
			size := 0
			for _, a := range r.host.ring {
				size += len(a.buf)
			}
			if size > least+2*pieceSize {
				t.Errorf("%d bytes are in flight", size)
			}
			if n := r.collector.memory.Reserved(); n > 5<<20 {
				t.Errorf("%d bytes are taken", n)
			}
			r.host.tick(t, 1<<20)
			time.Sleep(time.Second)
		}
		r.run(time.Minute)
		r.clean()
		if n := r.collector.memory.Reserved(); n != 0 {
			t.Errorf("%d bytes are taken at the end", n)
		}
		r.stop()
		if n := r.memory.Reserved(); n != memory.DefaultLimit {
			t.Errorf("%d bytes are taken after the block's end", n)
		}
	}
	t.Run("batches", func(t *testing.T) {
		t.Parallel()
		withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
			for range 4 {
				r.sim.AddBatch(sized(20_000, 4_000))
			}
			check(t, r)
		})
	})
	t.Run("files", func(t *testing.T) {
		t.Parallel()
		withAPI2(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
			for _, kind := range simulator.EventTypes() {
				if err := r.sim.AddFiles(kind, 4, sized(2000, 200)); err != nil {
					t.Fatal(err)
				}
			}
			check(t, r)
		})
	})
}
