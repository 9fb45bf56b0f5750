package mimecast

import (
	"sync"
	"time"
)

// So many refusals in a row, over so long a time, are not passing trouble.
const (
	lastingRefusals = 3
	lastingFor      = time.Minute
)

// streak is the refusals of a client's token or credentials in a row. It is safe
// for concurrent use.
type streak struct {
	mu    sync.Mutex
	n     int
	since time.Time // of the first
}

// lasting counts a refusal, and reports whether it is one of a lasting streak.
func (s *streak) lasting(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		s.since = now
	}
	s.n++
	return s.n >= lastingRefusals && now.Sub(s.since) >= lastingFor
}

// end ends the streak, after a request whose token was accepted.
func (s *streak) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n = 0
}
