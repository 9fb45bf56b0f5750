package mimecast

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// resetIn reads x-ratelimit-reset: milliseconds left, as seen live.
func resetIn(h http.Header) time.Duration {
	ms, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	if err != nil || ms < 0 {
		return 0
	}
	return min(time.Duration(min(ms, int64(24*time.Hour/time.Millisecond)))*time.Millisecond, 24*time.Hour)
}

// told is how long a refusal asks to stay away.
func told(h http.Header) time.Duration {
	if d := resetIn(h); d > 0 {
		return d
	}
	if s, err := strconv.ParseInt(h.Get("Retry-After"), 10, 32); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	return 0
}

// sleep waits or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
