package delivery

import "sync"

// Totals are what was handed over of one log since the start.
type Totals struct {
	Records  uint64
	Repeated uint64 // of them, those up to Writer.RepeatedUpTo
	Unparsed uint64 // records of bytes that could not be read
	Known    uint64 // not handed over, because they had been before
	Newest   uint32 // time of the newest record, in seconds; 0 before the first
}

// Stats counts what is handed over of one log. The zero value is ready. It is
// safe for concurrent use.
type Stats struct {
	mu     sync.Mutex
	totals Totals
}

// Totals returns the numbers as of now.
func (s *Stats) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals
}

// Known counts records that came again and are not handed over.
func (s *Stats) Known(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.totals.Known += uint64(n)
}

// add counts what has been handed over.
func (s *Stats) add(t Totals) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.totals.Records += t.Records
	s.totals.Repeated += t.Repeated
	s.totals.Unparsed += t.Unparsed
	s.totals.Newest = max(s.totals.Newest, t.Newest)
}
