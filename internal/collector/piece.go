package collector

import (
	"context"
	"encoding/binary"
	"sync"

	"fluent-bit-mimecast/internal/checkpoint"
)

const (
	// pieceSize is how large a piece grows before it is sent. Fluent Bit
	// drains appends of this size sooner than larger ones.
	pieceSize = 192 << 10
	// queueLength bounds the pieces between a stream and the host.
	queueLength = 32
)

// piece is a run of encoded records of one stream, and what becomes of the
// stream's position when they are safe. One without records changes the
// position only.
type piece struct {
	stream   *stream
	tag      string // {log_source}.{log_type} of all its records, when tags go by type; see tags
	buf      []byte
	records  int
	unparsed int    // of them, those that hold what could not be read
	repeated int    // of them, those not newer than stream.again
	last     int    // where in buf the last record begins
	newest   uint32 // time of the newest record
	begun    bool   // all but the last record are handed over

	// before holds once all records but the last are safe, after once all are.
	before, after *checkpoint.Change
}

// pieces keeps the buffers of pieces for the next ones.
var pieces = sync.Pool{New: func() any { return &piece{buf: make([]byte, 0, pieceSize+pieceSize/4)} }}

func newPiece(s *stream) *piece {
	p := pieces.Get().(*piece)
	*p = piece{stream: s, buf: p.buf[:0]}
	return p
}

// free gives the piece's buffer back; the piece must not be used any more.
func (p *piece) free() {
	if cap(p.buf) <= 4*pieceSize {
		pieces.Put(p)
	}
}

// grown notes that a record was appended at start.
func (p *piece) grown(start int) {
	p.last = start
	p.records++
	sec := binary.BigEndian.Uint32(p.buf[start+4:])
	if sec != p.stream.collected {
		p.newest = max(p.newest, sec)
	}
	if sec <= p.stream.again {
		p.repeated++
	}
}

// queue is the bounded way from the streams to the hand-over.
type queue chan *piece

// put waits until there is room.
func (q queue) put(ctx context.Context, p *piece) error {
	select {
	case q <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
