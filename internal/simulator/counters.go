package simulator

import (
	"maps"
	"sync"
	"time"
)

// Outcome is how a request ended: one of the constants, the code of the error
// it was refused with (such as "err_xdk_invalid_signature"), or [Hit].
type Outcome string

// The outcomes of requests that went well.
const (
	OutcomeBatch Outcome = "batch" // log files
	OutcomeIdle  Outcome = "idle"  // nothing new
	OutcomePage  Outcome = "page"  // a page of events, or of none
)

// Hit is the outcome of a request whose answer had the fault f, transient or
// persistent.
func Hit(f Fault) Outcome { return "fault:" + Outcome(f) }

// pathOther stands for every path that is no endpoint.
const pathOther = "other"

// Requests is what was asked of a server so far.
type Requests struct {
	// Total counts every request, refused ones too.
	Total int
	// PeakPerMinute is the most requests in any 60 seconds, to one second. A
	// client that asks in a busy loop shows here.
	PeakPerMinute int
	// Outcomes counts by endpoint, such as [PathSIEM] or "other", and outcome.
	Outcomes map[string]map[Outcome]int
}

// Count returns how many requests to path had the outcome.
func (r Requests) Count(path string, o Outcome) int { return r.Outcomes[path][o] }

// At returns how many requests there were to path.
func (r Requests) At(path string) int {
	sum := 0
	for _, n := range r.Outcomes[path] {
		sum += n
	}
	return sum
}

// counters collects Requests. Safe for concurrent use.
type counters struct {
	mu       sync.Mutex
	requests Requests
	recent   [60]struct {
		second int64
		count  int
	}
}

func (c *counters) add(path string, o Outcome, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests.Total++
	if c.requests.Outcomes == nil {
		c.requests.Outcomes = make(map[string]map[Outcome]int)
	}
	if c.requests.Outcomes[path] == nil {
		c.requests.Outcomes[path] = make(map[Outcome]int)
	}
	c.requests.Outcomes[path][o]++
	c.requests.PeakPerMinute = max(c.requests.PeakPerMinute, c.lastMinute(now.Unix()))
}

// lastMinute counts one request in second and returns the count of the 60
// seconds that end with it.
func (c *counters) lastMinute(second int64) int {
	slot := &c.recent[uint64(second)%60]
	if slot.second != second {
		slot.second, slot.count = second, 0
	}
	slot.count++
	sum := 0
	for _, r := range c.recent {
		if r.second > second-60 && r.second <= second {
			sum += r.count
		}
	}
	return sum
}

// Requests returns the counts so far; the caller owns them.
func (s *Server) Requests() Requests {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	r := s.counts.requests
	r.Outcomes = make(map[string]map[Outcome]int, len(s.counts.requests.Outcomes))
	for path, outcomes := range s.counts.requests.Outcomes {
		r.Outcomes[path] = maps.Clone(outcomes)
	}
	return r
}
