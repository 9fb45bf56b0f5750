package simulator

import (
	"sync"
	"time"
)

// quota is what an answer tells of the rate limit.
type quota struct {
	limit, remaining int
	reset            time.Duration // until the window ends
}

// limiter counts requests in fixed windows. Safe for concurrent use.
type limiter struct {
	limit  int
	window time.Duration

	mu    sync.Mutex
	start time.Time
	used  int
}

// take counts one request and reports whether it is within the limit.
func (l *limiter) take(now time.Time) (quota, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if since := now.Sub(l.start); since >= l.window || since < 0 {
		l.start, l.used = now, 0
	}
	within := l.used < l.limit
	if within {
		l.used++
	}
	return quota{
		limit:     l.limit,
		remaining: l.limit - l.used,
		reset:     l.start.Add(l.window).Sub(now),
	}, within
}
