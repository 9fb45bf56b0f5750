package memory

import "sync/atomic"

// Share is what one block takes of a [Budget]. It is active while anything of it is
// reserved. It is safe for concurrent use.
type Share struct {
	budget   *Budget
	before   int
	reserved atomic.Int64
	closed   atomic.Bool
}

// Before returns how many blocks of the process were there before this one.
func (s *Share) Before() int { return s.before }

// Reserved returns how many bytes are reserved.
func (s *Share) Reserved() int { return int(s.reserved.Load()) }

// Reserve notes that n bytes are used. It never waits: the caller asks [Share.Bound], or
// waits at a [Gate], before.
func (s *Share) Reserve(n int) {
	if n == 0 || s.closed.Load() {
		return
	}
	if s.reserved.Add(int64(n)) == int64(n) {
		s.budget.active.Add(1)
	}
	s.budget.reserved.Add(int64(n))
}

// Release notes that n reserved bytes are free again.
func (s *Share) Release(n int) {
	if n == 0 || s.closed.Load() {
		return
	}
	s.budget.reserved.Add(-int64(n))
	if s.reserved.Add(-int64(n)) == 0 {
		s.budget.active.Add(-1)
	}
}

// Bound returns a bound that follows the size of the share: high where it is as large
// as one can be, low where it is as small.
func (s *Share) Bound(low, high int) int {
	b := s.budget
	size := portion(b.Limit(), b.reserved.Load(), b.active.Load())
	return low + int(int64(high-low)*(size-least)/(most-least))
}

// Close releases everything. What is reserved and released later does not count.
func (s *Share) Close() {
	if s.closed.Swap(true) {
		return
	}
	s.budget.shares.Add(-1)
	if n := s.reserved.Swap(0); n != 0 {
		s.budget.active.Add(-1)
		s.budget.reserved.Add(-n)
	}
}
