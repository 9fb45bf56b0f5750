package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/record"
)

// collected is the time of records without one of their own.
const collected = 1e9

// writing is a writer whose positions are the numbers of records, and the context
// in which it writes.
type writing struct {
	*Writer
	t   *testing.T
	ctx context.Context
	n   int
}

func newWriting(t *testing.T) *writing {
	w := &writing{t: t, ctx: t.Context(), Writer: &Writer{
		Key: checkpoint.Key{Account: "acme", Log: "x"}, Queue: NewQueue(new(memory.Budget).Share()), Stats: &Stats{},
		Position: func(at Place) any { return at.Records },
		Origin:   func() *checkpoint.Origin { return &checkpoint.Origin{AppID: "app"} },
	}}
	w.Begin(Place{}, time.Unix(collected, 0))
	return w
}

// add adds a record of a size and a time.
func (w *writing) add(logType string, size int, sec uint32, ids ...checkpoint.ID) {
	w.n++
	buf := record.AppendUnparsed(w.Buf("s", logType), record.Origin{Source: "s", Type: logType, Collected: time.Unix(int64(sec), 0)},
		record.Piece{Raw: make([]byte, size)})
	w.Add(buf, Place{Records: w.n}, ids...)
}

// sent takes what is in the queue, each piece as {tag} {records} {before} {after}.
func (w *writing) sent() string {
	w.t.Helper()
	var out []string
	for len(w.Queue.pieces) > 0 {
		p := w.Queue.get(0)
		spell := func(c *checkpoint.Change) string {
			if c.Key != w.Key || c.Origin == nil {
				w.t.Errorf("a change of %v with the origin %v", c.Key, c.Origin)
			}
			text := fmt.Sprint(c.Position)
			for _, id := range c.AddIDs {
				text += fmt.Sprintf("+%d", id.Unix)
			}
			if c.ForgetBefore > 0 {
				text += fmt.Sprintf("-%d", c.ForgetBefore)
			}
			return text
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", p.tag, p.records, spell(p.before), spell(p.after))))
		w.Stats.add(p.totals)
	}
	return strings.Join(out, ", ")
}

func (w *writing) check(want string) {
	w.t.Helper()
	if got := w.sent(); got != want {
		w.t.Errorf("got %s\nwant %s", got, want)
	}
}

func (w *writing) do(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestWriterSendsFullPieces(t *testing.T) {
	w := newWriting(t)
	w.add("a", 100, collected)
	w.do(w.Send(w.ctx))
	w.check("")
	w.add("a", pieceSize, collected)
	if w.Held() < pieceSize || w.Sent().Records != 0 {
		t.Errorf("%d bytes are held, sent up to %v", w.Held(), w.Sent())
	}
	w.add("a", 100, collected)
	w.do(w.Send(w.ctx))
	w.check("2 1 2")
	if w.Held() != 0 || w.Sent().Records != 2 {
		t.Errorf("%d bytes are held, sent up to %v", w.Held(), w.Sent())
	}
	w.do(w.Flush(w.ctx))
	w.do(w.Flush(w.ctx))
	w.check("1 2 3")
}

func TestWriterMoves(t *testing.T) {
	w := newWriting(t)
	w.add("a", pieceSize, collected)
	w.add("a", 1, collected)
	w.add("a", 1, collected)
	w.do(w.Move(w.ctx, checkpoint.Change{Position: "next", ForgetBefore: 7}))
	w.do(w.Move(w.ctx, checkpoint.Change{Position: "again"}))
	w.check("1 0 1, 2 2 next-7, 0 2 again")
}

// TestWriterMovesToAnotherOrigin has the records before the move keep theirs.
func TestWriterMovesToAnotherOrigin(t *testing.T) {
	w := newWriting(t)
	w.add("a", 1, collected)
	w.add("a", 1, collected)
	w.do(w.Move(w.ctx, checkpoint.Change{Position: "next", Origin: &checkpoint.Origin{AppID: "other"}}))
	p := w.Queue.get(0)
	if p.before.Origin.AppID != "app" || p.after.Origin.AppID != "other" {
		t.Errorf("before %v, after %v", p.before.Origin, p.after.Origin)
	}
}

// TestWriterAddsIDs has the ids of all records but the last before it.
func TestWriterAddsIDs(t *testing.T) {
	w := newWriting(t)
	w.Position = nil
	w.add("a", 1, collected, checkpoint.ID{Unix: 1})
	w.add("a", 1, collected)
	w.add("a", 1, collected, checkpoint.ID{Unix: 2})
	w.add("a", 1, collected, checkpoint.ID{Unix: 3}, checkpoint.ID{Unix: 4})
	w.do(w.Flush(w.ctx))
	w.add("a", 1, collected)
	w.do(w.Move(w.ctx, checkpoint.Change{Position: "next"}))
	w.check("4 <nil>+1+2 <nil>+3+4, 1 <nil> next")
}

func TestWriterTagsByType(t *testing.T) {
	w := newWriting(t)
	w.ByType = true
	w.add("a", 1, collected)
	w.add("a", 1, collected)
	w.Buf("s", "unused")
	w.add("b", 1, collected)
	w.do(w.Send(w.ctx))
	w.check("s.a 2 1 2")
	w.do(w.Flush(w.ctx))
	w.add("b", 1, collected)
	w.do(w.Move(w.ctx, checkpoint.Change{Position: "next"}))
	w.check("s.b 1 2 3, s.b 1 3 next")
}

func TestWriterDiscards(t *testing.T) {
	w := newWriting(t)
	w.add("a", pieceSize, collected, checkpoint.ID{Unix: 1})
	w.add("a", 1, collected, checkpoint.ID{Unix: 2})
	w.Discard()
	w.n = 0
	w.Begin(Place{}, time.Unix(collected, 0))
	if w.Held() != 0 {
		t.Errorf("%d bytes are held", w.Held())
	}
	w.add("a", 1, collected)
	w.do(w.Flush(w.ctx))
	w.check("1 0 1")
}

// TestWriterGoesOnAfterAnError has a queue that is full for a while.
func TestWriterGoesOnAfterAnError(t *testing.T) {
	w := newWriting(t)
	for range maxQueue + 2 {
		w.add("a", pieceSize, collected)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	for range maxQueue {
		_ = w.Send(ctx) // it may take either way out of the select
	}
	if err := w.Send(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if w.Sent().Records != len(w.Queue.pieces) {
		t.Errorf("sent up to %v, with %d in the queue", w.Sent(), len(w.Queue.pieces))
	}
	count := strings.Count(w.sent(), ",") + 1
	w.do(w.Send(w.ctx))
	if count += strings.Count(w.sent(), ",") + 1; count != maxQueue+2 || w.Held() != 0 {
		t.Errorf("%d pieces were sent, %d bytes are held", count, w.Held())
	}
}

func TestWriterCounts(t *testing.T) {
	w := newWriting(t)
	w.RepeatedUpTo = 50
	w.add("a", 1, 50)
	w.add("a", 1, 51)
	w.add("a", 1, collected) // none of its own
	w.add(record.Unparsed, 1, 52)
	if w.Newest() != 52 {
		t.Errorf("the newest is %d", w.Newest())
	}
	w.do(w.Flush(w.ctx))
	w.check("4 3 4")
	if got, want := w.Stats.Totals(), (Totals{Records: 4, Repeated: 1, Unparsed: 1, Newest: 52}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	w.Begin(Place{}, time.Unix(collected, 0))
	if w.Newest() != 0 {
		t.Errorf("the newest is %d", w.Newest())
	}
}

// TestKeptIDs go with what is written: before a piece's only record that is nothing.
func TestKeptIDs(t *testing.T) {
	t.Parallel()
	w := newWriting(t)
	w.Keep(checkpoint.ID{Unix: 1})
	w.add("a", 10, collected, checkpoint.ID{Unix: 2})
	w.Keep(checkpoint.ID{Unix: 3})
	w.do(w.Move(w.ctx, checkpoint.Change{Position: "end"}))
	w.check("1 0 end+1+2+3")
	w.Keep(checkpoint.ID{Unix: 1})
	w.add("a", 10, collected, checkpoint.ID{Unix: 2})
	w.add("a", 10, collected, checkpoint.ID{Unix: 3})
	w.do(w.Flush(w.ctx))
	w.check("2 2+1+2 3+3")
	w.Keep(checkpoint.ID{Unix: 4})
	w.do(w.Flush(w.ctx))
	w.do(w.Move(w.ctx, checkpoint.Change{Position: "end"}))
	w.check("0 2 end+4")
}
