package simulator

import (
	"fmt"
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

// SetFaults replaces the plan of transient faults; the zero Plan ends it. Only
// answers that would have been right are hit: a refusal stays what it is.
// It returns an error for a rate outside [0, 1] or a fault there is not.
func (s *Server) SetFaults(p Plan) error {
	if !(p.Rate >= 0 && p.Rate <= 1) {
		return fmt.Errorf("simulator: %v is no share of answers", p.Rate)
	}
	for _, f := range p.Faults {
		if !slices.Contains(Faults(), f) {
			return fmt.Errorf("simulator: unknown fault %q", f)
		}
	}
	p.Faults = slices.Clone(p.Faults)
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.plan, s.faults.dice = p, newDice(p.Seed, streamNoise)
	return nil
}

// Next spoils the next right answers, one fault each, before any plan does. A
// fault that does not fit an answer (one of archives, when there is nothing new)
// lets the faults behind it go first and waits; [Server.PendingFaults] tells.
func (s *Server) Next(faults ...Fault) { s.NextAt("", faults...) }

// NextAt is [Server.Next] for answers of one endpoint, such as [PathSIEM].
func (s *Server) NextAt(path string, faults ...Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	for _, f := range faults {
		s.faults.queued = append(s.faults.queued, queuedFault{path, f})
	}
}

// PendingFaults returns how many faults given to Next have hit nothing yet.
func (s *Server) PendingFaults() int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return len(s.faults.queued)
}
