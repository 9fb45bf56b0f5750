package delivery

import (
	"sync"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/memory"
)

// pieceSize is how many bytes a piece grows to before it is sent. Fluent Bit
// drains appends of this size sooner than larger ones.
const pieceSize = 192 << 10

// piece is a run of encoded records of one log, and how the log's position
// changes when they are safe. One without records changes the position only.
type piece struct {
	key      checkpoint.Key
	stats    *Stats
	tag      string // {log_source}.{log_type} of all its records, when tags go by type
	buf      []byte
	records  int
	totals   Totals // of its records
	last     int    // where in buf the last record begins
	begun    bool   // all but the last record are handed over
	memory   *memory.Share
	reserved int // of memory, for buf

	// before is written when all records but the last are safe, after when all are.
	before, after *checkpoint.Change
}

// pieces keeps the buffers of pieces for the next ones.
var pieces = sync.Pool{New: func() any { return &piece{buf: make([]byte, 0, pieceSize+pieceSize/4)} }}

func newPiece(key checkpoint.Key, stats *Stats, from *memory.Share) *piece {
	p := pieces.Get().(*piece)
	*p = piece{key: key, stats: stats, buf: p.buf[:0], memory: from}
	p.reserve()
	return p
}

// reserve takes what the buffer has grown to from memory.
func (p *piece) reserve() {
	p.memory.Reserve(cap(p.buf) - p.reserved)
	p.reserved = cap(p.buf)
}

// free gives the piece's buffer back. The piece must not be used any more.
func (p *piece) free() {
	p.memory.Release(p.reserved)
	if n := cap(p.buf); n >= pieceSize && n <= 4*pieceSize {
		pieces.Put(p)
	}
}
