package collector

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/sleep"
)

// The service allows so many calls of an application to each batch endpoint of
// API 2.0 in any time of such a length, for all types together. For that of Cloud
// Integrated it is not documented.
const (
	quotaCalls  = 50
	quotaWindow = 15 * time.Minute
	// patience is how long a call that is not urgent waits for those that are.
	patience = quotaWindow
)

// raisedQuota stands for quotaCalls if it is set. The linker sets it for the fault
// suite, whose cases make more calls than the service allows.
var raisedQuota string

func allowedCalls() int {
	if n, err := strconv.Atoi(raisedQuota); err == nil {
		return n
	}
	return quotaCalls
}

// Quotas are those of the applications of a process, for each log: blocks with the
// same one share it. The zero value is ready. It is safe for concurrent use.
type Quotas struct {
	mu  sync.Mutex
	all map[string]*quota
}

// of returns the quota of an application at a host for a log, to be released.
func (q *Quotas) of(host, appID, log string) *quota {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := host + "|" + appID + "|" + log
	if q.all == nil {
		q.all = map[string]*quota{}
	}
	if q.all[key] == nil {
		q.all[key] = &quota{limit: allowedCalls(), release: func() {}}
		one := q.all[key]
		one.release = func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			if one.users--; one.users == 0 {
				delete(q.all, key)
			}
		}
	}
	q.all[key].users++
	return q.all[key]
}

// quota spends the calls of an application for a log. It is safe for concurrent use.
type quota struct {
	limit   int
	release func()
	users   int // by Quotas

	mu     sync.Mutex
	spent  []time.Time // in the last quotaWindow, oldest first
	urgent int         // callers that wait and are urgent
}

// load adds the calls that a checkpoint file has of before the start.
func (q *quota) load(s *checkpoint.Store, k checkpoint.Key) error {
	var calls position.Calls
	if s == nil {
		return nil
	}
	if _, err := s.Load(k, &calls); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	clock, known := time.Now(), map[int64]int{}
	now := clock.Unix()
	for _, t := range q.spent {
		known[t.Unix()]++
	}
	for _, at := range calls.Calls {
		at = min(at, now) // the clock was set back since
		// Another block may have loaded them.
		if known[at]--; known[at] < 0 {
			q.spent = append(q.spent, clock.Add(-time.Duration(now-at)*time.Second))
		}
	}
	slices.SortFunc(q.spent, time.Time.Compare)
	return nil
}

// acquire waits until a call may be made, and counts it. An urgent one goes first.
func (q *quota) acquire(ctx context.Context, urgent bool) error {
	if urgent {
		q.wait(1)
		defer q.wait(-1)
	}
	began := time.Now()
	for {
		wait := q.try(urgent || time.Since(began) > patience)
		if wait == 0 {
			return nil
		}
		if err := sleep.For(ctx, wait); err != nil {
			return err
		}
	}
}

func (q *quota) wait(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.urgent += n
}

// try counts a call if one may be made now. Otherwise it returns how long to wait.
func (q *quota) try(urgent bool) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for len(q.spent) > 0 && now.Sub(q.spent[0]) > quotaWindow {
		q.spent = q.spent[1:]
	}
	switch {
	case len(q.spent) >= q.limit:
		return max(quotaWindow-now.Sub(q.spent[0]), 0) + time.Second
	case !urgent && q.urgent > 0:
		return time.Second
	}
	q.spent = append(q.spent, now)
	return 0
}

// left returns how many calls may be made now.
func (q *quota) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, left := time.Now(), q.limit
	for _, t := range q.spent {
		if now.Sub(t) <= quotaWindow {
			left--
		}
	}
	return max(left, 0)
}

// calls returns the calls of late, to be kept over a restart.
func (q *quota) calls() (c position.Calls) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.spent {
		c.Calls = append(c.Calls, t.Unix())
	}
	return c
}
