package simulator

import (
	"sync"
	"time"
)

// dateTolerance is how far x-mc-date may be from the service's clock.
const dateTolerance = 15 * time.Minute

// maxRequestIDs bounds a generation of remembered ids.
const maxRequestIDs = 1 << 20

// replays remembers the ids of requests for as long as their signature could be
// used again: a date is good for dateTolerance on either side. Ids are kept in
// two generations, each that long at least, or until it is full. Safe for
// concurrent use.
type replays struct {
	mu             sync.Mutex
	young, old     map[string]struct{}
	youngerThanOld time.Time
}

// first reports whether id is new, and remembers it.
func (r *replays) first(id string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.young == nil || len(r.young) >= maxRequestIDs || now.Sub(r.youngerThanOld) >= 2*dateTolerance {
		r.old, r.young, r.youngerThanOld = r.young, make(map[string]struct{}), now
	}
	if _, used := r.young[id]; used {
		return false
	}
	if _, used := r.old[id]; used {
		return false
	}
	r.young[id] = struct{}{}
	return true
}
