package memory

import "sync/atomic"

// Share is what one block takes of a [Budget]. It is active while anything of it is
// taken. It is safe for concurrent use.
type Share struct {
	budget *Budget
	before int
	taken  atomic.Int64
	closed atomic.Bool
}

// Before returns how many blocks of the process were there before this one.
func (s *Share) Before() int { return s.before }

// Taken returns how many bytes are taken.
func (s *Share) Taken() int { return int(s.taken.Load()) }

// Take notes that n bytes are taken. It never waits: who takes asks [Share.Bound], or
// waits at a [Gate], before.
func (s *Share) Take(n int) {
	if n == 0 || s.closed.Load() {
		return
	}
	if s.taken.Add(int64(n)) == int64(n) {
		s.budget.active.Add(1)
	}
	s.budget.taken.Add(int64(n))
}

// Return notes that n bytes which were taken are free again.
func (s *Share) Return(n int) {
	if n == 0 || s.closed.Load() {
		return
	}
	s.budget.taken.Add(-int64(n))
	if s.taken.Add(-int64(n)) == 0 {
		s.budget.active.Add(-1)
	}
}

// Bound returns a bound that follows the size of the share: high where it is as large
// as one can be, low where it is as small.
func (s *Share) Bound(low, high int) int {
	b := s.budget
	size := portion(b.Limit(), b.taken.Load(), b.active.Load())
	return low + int(int64(high-low)*(size-least)/(most-least))
}

// Close gives everything back. What is taken and returned later does not count.
func (s *Share) Close() {
	if s.closed.Swap(true) {
		return
	}
	s.budget.shares.Add(-1)
	if n := s.taken.Swap(0); n != 0 {
		s.budget.active.Add(-1)
		s.budget.taken.Add(-n)
	}
}
