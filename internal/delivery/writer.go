package delivery

import (
	"context"
	"encoding/binary"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/record"
)

// secondsAt is where a record's time, in seconds, stands in its encoding.
const secondsAt = 4

// Place is how far the records of a file, or of several, have been read. The zero
// value is their start.
type Place struct {
	File    string // that the last record came from
	Records int
	Digest  uint64 // of those records
}

// Writer puts the records of one log into the queue, with the changes of the
// log's position. It is the one place that makes these. It is used by one
// goroutine at a time.
type Writer struct {
	Key    checkpoint.Key
	Queue  *Queue
	Stats  *Stats
	ByType bool // tags go by type
	// Position turns a place into a position; nil if places are none.
	Position func(Place) any
	// Origin returns what the position was reached with; nil if nothing is known.
	Origin func() *checkpoint.Origin
	// RepeatedUpTo is the time, in seconds, up to which records count as repeated;
	// 0 if none are.
	RepeatedUpTo uint32

	collected uint32
	newest    uint32
	sent      Place // after what is in the queue

	open     *piece          // being filled; nil before its first record
	at, last Place           // after its last record, and before that
	ids      []checkpoint.ID // of the events in open
	lastID   int             // where in ids those of the last record begin
	source   string          // of open, with its type
	logType  string

	held []held // full
	size int    // bytes in held
}

// held is a full piece, and the place after it.
type held struct {
	piece *piece
	at    Place
}

// Begin starts a batch, or a poll, at a place. collected is the time that records
// without one of their own get.
func (w *Writer) Begin(at Place, collected time.Time) {
	w.sent, w.at, w.last = at, at, at
	w.collected, w.newest = uint32(collected.Unix()), 0
}

// Sent returns the place after what is in the queue.
func (w *Writer) Sent() Place { return w.sent }

// Newest returns the time of the newest record since Begin, in seconds; 0 if none
// has a time of its own.
func (w *Writer) Newest() uint32 { return w.newest }

// Buf returns the buffer to append the next record to, which has a log source and
// a type. What is appended counts only after Add.
func (w *Writer) Buf(source, logType string) []byte {
	if w.open == nil {
		w.open = newPiece(w.Key, w.Stats, w.Queue.memory)
	}
	if w.ByType && (w.logType != logType || w.source != source || w.open.tag == "") {
		if w.open.records > 0 && w.open.tag != "" {
			w.hold()
			w.open = newPiece(w.Key, w.Stats, w.Queue.memory)
		}
		w.open.tag = source + "." + logType
	}
	w.source, w.logType = source, logType
	return w.open.buf
}

// Add takes the record that was appended to the last Buf, with the place after it
// and the ids by which its event is known again.
func (w *Writer) Add(buf []byte, at Place, ids ...checkpoint.ID) {
	p := w.open
	start := len(p.buf)
	p.buf, p.last = buf, start
	p.records++
	p.totals.Records++
	sec := binary.BigEndian.Uint32(buf[start+secondsAt:])
	if sec != w.collected {
		p.totals.Newest = max(p.totals.Newest, sec)
		w.newest = max(w.newest, sec)
	}
	if sec <= w.RepeatedUpTo {
		p.totals.Repeated++
	}
	if w.logType == record.Unparsed {
		p.totals.Unparsed++
	}
	w.last, w.at = w.at, at
	w.lastID = len(w.ids)
	w.ids = append(w.ids, ids...)
	if len(p.buf) >= pieceSize {
		w.hold()
	}
}

// Keep adds an id that goes with no record: that of an event which was delivered.
func (w *Writer) Keep(id checkpoint.ID) { w.ids = append(w.ids, id) }

// hold closes the open piece.
func (w *Writer) hold() {
	w.close(checkpoint.Change{Position: w.position(w.at)})
	w.held = append(w.held, held{w.open, w.at})
	w.size += len(w.open.buf)
	w.open = nil
}

// close gives the open piece its changes of position: after is that of all its
// records.
func (w *Writer) close(after checkpoint.Change) {
	w.open.reserve()
	if w.open.records < 2 {
		w.lastID = 0 // nothing is written before
	}
	after.AddIDs = w.ids[w.lastID:]
	w.open.before = w.change(checkpoint.Change{Position: w.position(w.last), AddIDs: w.ids[:w.lastID:w.lastID]})
	w.open.after = w.change(after)
	w.ids, w.lastID = nil, 0
}

func (w *Writer) position(at Place) any {
	if w.Position == nil {
		return nil
	}
	return w.Position(at)
}

func (w *Writer) change(c checkpoint.Change) *checkpoint.Change {
	c.Key = w.Key
	if c.Origin == nil && w.Origin != nil {
		c.Origin = w.Origin()
	}
	return &c
}

// Held returns how many bytes are in full pieces that have not been sent.
func (w *Writer) Held() int { return w.size }

// Send puts the full pieces into the queue. It waits until there is room. After
// an error the rest is still there.
func (w *Writer) Send(ctx context.Context) error {
	for i, h := range w.held {
		size := len(h.piece.buf) // it is the queue's after put
		if err := w.Queue.put(ctx, h.piece); err != nil {
			w.held = w.held[i:]
			return err
		}
		w.sent = h.at
		w.size -= size
	}
	w.held = w.held[:0]
	return nil
}

// Flush puts all records into the queue.
func (w *Writer) Flush(ctx context.Context) error {
	if w.open != nil && w.open.records > 0 {
		w.hold()
	}
	return w.Send(ctx)
}

// Move puts all records into the queue, and the change of position after them.
// Of the change, Position, ForgetBefore and Origin are the caller's. A nil Origin
// stands for that of the records.
func (w *Writer) Move(ctx context.Context, after checkpoint.Change) error {
	if err := w.Send(ctx); err != nil {
		return err
	}
	if w.open == nil {
		w.open = &piece{key: w.Key, stats: w.Stats, memory: w.Queue.memory}
	}
	w.close(after)
	p := w.open
	w.open = nil
	return w.Queue.put(ctx, p)
}

// Discard drops what has not been sent.
func (w *Writer) Discard() {
	for _, h := range w.held {
		h.piece.free()
	}
	if w.open != nil {
		w.open.free()
	}
	w.held, w.size, w.open = w.held[:0], 0, nil
	w.ids, w.lastID = nil, 0
}
