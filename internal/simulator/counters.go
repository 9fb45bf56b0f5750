package simulator

import (
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
	OutcomePage  Outcome = "page"  // a page of events, or of none; a page of links
	OutcomeToken Outcome = "token" // a bearer token
	OutcomeFile  Outcome = "file"  // what is behind a link
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
	// Events counts the authorized calls of [PathEvents] and [PathEventsCI] by the type
	// asked for, as it was given; "" is a call for all types.
	Events map[string]int
	// PeakEvents is the most of them to one of the two in any EventsWindow, to a
	// sixtieth of it.
	PeakEvents int
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
	minute   recent
	events   map[string]*recent // by endpoint
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
	c.requests.PeakPerMinute = max(c.requests.PeakPerMinute, c.minute.add(now.Unix()))
}

// addEvents counts a call of an endpoint of events for a type.
func (c *counters) addEvents(path, kind string, now time.Time, window time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requests.Events == nil {
		c.requests.Events = make(map[string]int)
		c.events = map[string]*recent{PathEvents: {}, PathEventsCI: {}}
	}
	c.requests.Events[kind]++
	slot := now.UnixNano() / max(1, int64(window)/recentSlots)
	c.requests.PeakEvents = max(c.requests.PeakEvents, c.events[path].add(slot))
}

const recentSlots = 60

// recent counts what was in the last 60 slots of time.
type recent [recentSlots]struct {
	slot  int64
	count int
}

// add counts one in the slot and returns the count of the 60 that end with it.
func (r *recent) add(slot int64) int {
	last := &r[uint64(slot)%recentSlots]
	if last.slot != slot {
		last.slot, last.count = slot, 0
	}
	last.count++
	sum := 0
	for _, s := range r {
		if s.slot > slot-recentSlots && s.slot <= slot {
			sum += s.count
		}
	}
	return sum
}
