package faults

import (
	"math/rand/v2"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// recordsPerBatch is how many records the batches of the cases have.
const recordsPerBatch = 2000

// rig is one service and one host.
type rig struct {
	*harness.Trial
	dice    *rand.Rand
	batches int
	files   int // of each type
}

// rig makes one for a case.
func (s *suite) rig(cfg simulator.Config) *rig {
	cfg.Seed = *seed
	cfg.RateLimit = 1 << 20
	host := harness.Host{FluentBit: s.fluentBit.Path, Plugin: s.plugin, Dir: s.dir}
	r := &rig{Trial: harness.NewTrial(s.t, host, cfg), dice: rand.New(rand.NewPCG(*seed, 7))}
	r.Limit = 30 * time.Minute // faults at half of all requests take long
	return r
}

// add adds batches until there are n more than the host has asked for.
func (r *rig) add(n int) {
	asked := r.Service.Requests().Count(simulator.PathSIEM, simulator.OutcomeBatch)
	for r.batches < asked+n {
		r.Service.AddBatch(recordsPerBatch)
		r.batches++
	}
}

// sleep waits a random time of up to limit.
func (r *rig) sleep(limit time.Duration) { time.Sleep(time.Duration(r.dice.Int64N(int64(limit)))) }

// finish lets all records come, stops the host and accounts for them.
func (r *rig) finish() harness.Account {
	r.All()
	r.Stop()
	return r.Account()
}
