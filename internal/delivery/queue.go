package delivery

import (
	"context"
	"sync/atomic"
)

// queueLength bounds the pieces between the logs and the host.
const queueLength = 32

// Queue is the bounded way from the writers to the hand-over. It is safe for
// concurrent use.
type Queue struct {
	pieces chan *piece
	coming atomic.Int32
}

// NewQueue returns an empty queue.
func NewQueue() *Queue { return &Queue{pieces: make(chan *piece, queueLength)} }

// Coming notes that n more logs have records on their way, or fewer if n is
// negative. The hand-over waits a little for them.
func (q *Queue) Coming(n int32) { q.coming.Add(n) }

// put waits until there is room. The piece belongs to the queue when it returns
// nil.
func (q *Queue) put(ctx context.Context, p *piece) error {
	select {
	case q.pieces <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
