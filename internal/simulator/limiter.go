package simulator

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// quota is what an answer tells of the rate limit.
type quota struct {
	limit, remaining int
	reset            time.Duration // until the window ends
}

// tell sets the headers of the rate limit.
func (q quota) tell(h http.Header) {
	h.Set("X-Ratelimit-Limit", strconv.Itoa(q.limit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(q.remaining))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(max(1, q.reset.Milliseconds()), 10))
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
