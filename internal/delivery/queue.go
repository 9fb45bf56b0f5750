package delivery

import (
	"context"
	"sync/atomic"
	"time"

	"fluent-bit-mimecast/internal/memory"
)

// Bounds of the pieces between the logs and the host, by the share of memory.
const (
	minQueue = 2
	maxQueue = 32
)

// Queue is the bounded way from the writers to the hand-over. It is safe for
// concurrent use.
type Queue struct {
	memory *memory.Share
	gate   *memory.Gate // for a place in pieces
	pieces chan *piece
	coming atomic.Int32
	bytes  atomic.Int64 // of the records in pieces
}

// NewQueue returns an empty queue for pieces that take their memory from a share.
func NewQueue(from *memory.Share) *Queue {
	return &Queue{memory: from, gate: memory.NewGate(from, minQueue, maxQueue), pieces: make(chan *piece, maxQueue)}
}

// Coming notes that n more logs have records on their way, or fewer if n is
// negative. The hand-over waits a little for them.
func (q *Queue) Coming(n int32) { q.coming.Add(n) }

// put waits until there is room. The piece belongs to the queue when it returns
// nil.
func (q *Queue) put(ctx context.Context, p *piece) error {
	if err := q.gate.Enter(ctx); err != nil {
		return err
	}
	q.bytes.Add(int64(len(p.buf)))
	q.pieces <- p // there is room for all that the gate lets in
	return nil
}

// get returns the next piece, nil if none comes within wait.
func (q *Queue) get(wait time.Duration) *piece {
	select {
	case p := <-q.pieces:
		return q.got(p)
	default:
	}
	if wait <= 0 || q.coming.Load() == 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case p := <-q.pieces:
		return q.got(p)
	case <-t.C:
		return nil
	}
}

func (q *Queue) got(p *piece) *piece {
	q.gate.Leave()
	q.bytes.Add(-int64(len(p.buf)))
	return p
}

// Bytes returns the size of the records that wait.
func (q *Queue) Bytes() int64 { return q.bytes.Load() }
