package mimecast

import (
	"errors"
	"math/rand/v2"
	"time"
)

// Bounds of the waits after a failed request.
const (
	firstWait   = time.Second
	longestWait = time.Minute
	// Refused credentials, and requests that the service calls final, rarely
	// succeed within seconds.
	firstSlowWait   = 30 * time.Second
	longestSlowWait = 5 * time.Minute
	// longestToldWait caps what the service may ask for.
	longestToldWait = 15 * time.Minute
)

// Backoff tells how long to wait after failed requests in a row. The zero value
// is ready. Not safe for concurrent use: each poll loop has its own.
type Backoff struct {
	failures int
}

// Reset is called after a request that succeeded.
func (b *Backoff) Reset() { b.failures = 0 }

// Next returns the wait after err, the latest of the failures in a row. It
// doubles with each, up to a minute, or to five where the service refuses for
// good. It is spread at random so that collectors don't move in step, and it is
// never shorter than what the service asked for, up to 15 minutes.
func (b *Backoff) Next(err error) time.Duration {
	first, longest := firstWait, longestWait
	var refusal *APIError
	if errors.As(err, &refusal) && !refusal.Retryable && !refusal.passing() {
		first, longest = firstSlowWait, longestSlowWait
	}
	wait := min(first<<min(b.failures, 20), longest)
	b.failures++
	wait = wait/2 + rand.N(wait/2+1)
	if refusal != nil && refusal.Wait > 0 {
		if told := min(refusal.Wait, longestToldWait); IsRateLimited(err) || told > wait {
			wait = told + rand.N(told/20+10*time.Millisecond)
		}
	}
	return wait
}
