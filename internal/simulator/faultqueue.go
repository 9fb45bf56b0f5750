package simulator

import (
	"slices"
	"sync"
)

// Plan is a share of answers to spoil at random.
type Plan struct {
	Rate   float64 // of the answers one of Faults fits: 0 none, 1 all
	Faults []Fault // equally likely among those that fit
	Seed   uint64  // the same answers in the same order are hit the same way
}

// queuedFault waits for the first answer at path ("" means any) that it fits.
type queuedFault struct {
	path  string
	fault Fault
}

// faultQueue decides which answers are spoilt. Safe for concurrent use.
type faultQueue struct {
	mu     sync.Mutex
	queued []queuedFault
	plan   Plan
	dice   dice
	drawn  uint32
}

// draw returns the transient fault that hits an answer, "" for none, and a
// number that differs from fault to fault, from 1.
func (q *faultQueue) draw(at scene) (Fault, uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	fault := q.unqueue(at)
	if fault == "" {
		fault = q.roll(at)
	}
	if fault == "" {
		return "", 0
	}
	q.drawn++
	return fault, q.drawn
}

func (q *faultQueue) unqueue(at scene) Fault {
	for i, next := range q.queued {
		if (next.path == "" || next.path == at.path) && next.fault.fits(at) {
			q.queued = slices.Delete(q.queued, i, i+1)
			return next.fault
		}
	}
	return ""
}

func (q *faultQueue) roll(at scene) Fault {
	var fitting []Fault
	for _, f := range q.plan.Faults {
		if f.fits(at) {
			fitting = append(fitting, f)
		}
	}
	if len(fitting) == 0 || q.dice.share() >= q.plan.Rate {
		return ""
	}
	return fitting[q.dice.below(len(fitting))]
}
