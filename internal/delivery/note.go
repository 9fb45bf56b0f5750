package delivery

import (
	"context"

	"fluent-bit-mimecast/internal/checkpoint"
)

// Note puts a record into the queue that changes no position. It waits until there
// is room. What is put after it counts as safe only when it is. It is safe for
// concurrent use, and with a Writer's.
func Note(ctx context.Context, q *Queue, key checkpoint.Key, stats *Stats, tag string, record []byte) error {
	p := newPiece(key, stats, q.memory)
	p.tag = tag
	p.buf = append(p.buf, record...)
	p.reserve()
	p.records, p.totals = 1, Totals{Records: 1}
	return q.put(ctx, p)
}
