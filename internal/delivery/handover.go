package delivery

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
)

// Host is where records go: one input instance of Fluent Bit. Its methods are
// called from the thread that calls the Handover.
type Host interface {
	// Append hands over records with a tag, which is empty for the instance's
	// own. An error means that they were not taken; they are given again. The
	// host has copied buf when it returns.
	Append(tag string, records int, buf []byte) error
	// Counts returns what the host has counted of this instance since its
	// start; false when it can't be known.
	Counts() (Counts, bool)
}

const (
	// idleWait is how long a call waits for a piece that is on its way.
	idleWait = 50 * time.Millisecond
	// drainWait is how long a call waits for the host to count, which it does at
	// least every 250 ms; more means that its main thread is busy or pauses the
	// instance.
	drainWait = 300 * time.Millisecond
	// drainStep is how long until the host's count is looked at again. It is
	// maxDrainStep where many blocks look at theirs, which have little in flight.
	drainStep    = 2 * time.Millisecond
	maxDrainStep = 16 * time.Millisecond
	// reminder is how often lasting trouble is logged again.
	reminder = time.Hour
)

// ErrFull is what a Host returns when it takes no more for now, as a matter of
// course.
var ErrFull = errors.New("full")

// Handover hands pieces over to the host, and passes on the changes of position
// behind those that are safe. It is used from one thread.
//
// Each piece is handed over in two appends, the second of one record, so that what
// stays unconfirmed when nothing follows is that one record.
type Handover struct {
	queue     *Queue
	committer *Committer
	disk      *DiskSpace
	log       *slog.Logger
	now       func() time.Time

	ledger       ledger
	tags         tags
	current      *piece // being handed over
	paused       bool
	resumed      time.Time // when the last pause ended
	handed       int64     // bytes handed over
	refused      time.Time // when it was last said that the host took nothing
	doubted      time.Time // when it was last said that the host's count is in doubt
	doubtedAgain bool      // the latest doubt came soon after
}

// NewHandover returns a hand-over of what is in the queue.
func NewHandover(q *Queue, c *Committer, r *DiskSpace, log *slog.Logger) *Handover {
	now := time.Now()
	return &Handover{queue: q, committer: c, disk: r, log: log, now: time.Now, ledger: ledger{countedAt: now}, resumed: now}
}

// Pause keeps the instance from handing over anything until Resume.
func (h *Handover) Pause() { h.paused = true }

// Resume ends a pause.
func (h *Handover) Resume() {
	if h.paused {
		h.paused = false
		h.resumed = h.now()
		h.ledger.resume(h.resumed)
	}
}

// Drain hands over what is queued until there is nothing, the host is full or
// the deadline comes, and notes what has become safe. It waits neither for the
// network nor for the disk.
func (h *Handover) Drain(host Host, deadline time.Time) {
	h.settle(host)
	for !h.paused && h.committer.healthy() && h.now().Before(deadline) {
		if h.full() && !h.awaitCount(host, deadline) {
			return
		}
		p := h.next(deadline)
		if p == nil {
			break
		}
		h.current = p
		if !h.disk.has(h.handed, len(p.buf)) {
			h.disk.refused.Store(true)
			break
		}
		if err := h.give(host, p); err != nil {
			if now := h.now(); !errors.Is(err, ErrFull) && now.Sub(h.refused) > reminder {
				h.refused = now
				h.log.Warn("the host refused records; handing them over again", "err", err)
			}
			return
		}
	}
	h.settle(host)
}

// Finish notes what is safe at the instance's end, when the host takes no more
// and its main thread stands still: all that it counted.
func (h *Handover) Finish(host Host) {
	h.settle(host)
	h.ledger.end()
	h.confirm()
}

// Confirmed returns how many of the records handed over are safe.
func (h *Handover) Confirmed() uint64 { return h.ledger.safe }

// Waiting returns the size of the records that are still to be handed over.
func (h *Handover) Waiting() int64 {
	n := h.queue.Bytes()
	if p := h.current; p != nil {
		n += int64(len(p.buf))
		if p.begun {
			n -= int64(p.last)
		}
	}
	return n
}

// InFlight returns the size of what the host has not taken, as far as is known.
func (h *Handover) InFlight() int { return h.ledger.held }

// next returns the piece to go on with, nil when none comes soon.
func (h *Handover) next(deadline time.Time) *piece {
	if h.current != nil {
		return h.current
	}
	return h.queue.get(min(idleWait, deadline.Sub(h.now())))
}

// full reports whether the host has enough for now.
func (h *Handover) full() bool {
	return h.ledger.full(h.queue.memory.Bound(minInFlight, maxInFlight))
}

// give hands over the current piece, its last record in an append of its own.
// After an error it stays current, and goes on where it stopped.
func (h *Handover) give(host Host, p *piece) error {
	if p.records > 1 && !p.begun {
		if err := h.append(host, p, p.records-1, p.buf[:p.last], p.before); err != nil {
			return err
		}
		p.begun = true
	}
	if p.records > 0 {
		if err := h.append(host, p, 1, p.buf[p.last:], p.after); err != nil {
			return err
		}
		p.stats.add(p.totals)
	} else {
		h.ledger.moved(p.after, h.now())
	}
	h.current = nil
	p.free()
	return nil
}

func (h *Handover) append(host Host, p *piece, records int, buf []byte, change *checkpoint.Change) error {
	if err := host.Append(h.tags.of(p, h.log), records, buf); err != nil {
		return err
	}
	h.handed += int64(len(buf))
	h.ledger.gave(records, len(buf), change, h.now())
	h.queue.memory.Reserve(len(buf))
	return nil
}

// awaitCount gives the host some time to take what it was given.
func (h *Handover) awaitCount(host Host, deadline time.Time) bool {
	until := h.now().Add(drainWait)
	for h.full() {
		if now := h.now(); now.After(until) || now.After(deadline) {
			return false
		}
		time.Sleep(time.Duration(h.queue.memory.Bound(int(maxDrainStep), int(drainStep))))
		before := h.ledger.appends
		if h.settle(host); h.ledger.appends < before {
			until = h.now().Add(drainWait)
		}
	}
	return true
}

// settle looks at the host's count and passes on what has become safe.
func (h *Handover) settle(host Host) {
	n, known := host.Counts()
	h.say(h.ledger.look(n, known, h.paused, h.resumed, h.now()))
	h.confirm()
}

// say logs what a look at the host's count has found out. A doubt that comes again
// soon is for debugging only, and so is its end.
func (h *Handover) say(e event) {
	l := &h.ledger
	why := ""
	switch e {
	case nothingNew:
		return
	case standsStill:
		h.log.Warn("the host has taken no records for a while", "for", stuckAfter.String(),
			"what_to_do", "look for a filter or a disk that holds up its main thread")
		return
	case agrees:
		level := slog.LevelInfo
		if h.doubtedAgain {
			level = slog.LevelDebug
		}
		h.log.Log(context.Background(), level, "the host's count of records agrees again", "handed_over", l.total, "counted", l.counted)
		return
	case dropped:
		why = "some were dropped before they were counted"
	case disagrees:
		why = "it does not agree with what was handed over"
	case noSign:
		why = "it has not moved for " + stuckAfter.String()
	}
	now, level := h.now(), slog.LevelWarn
	if h.doubtedAgain = !h.doubted.IsZero() && now.Sub(h.doubted) < reminder; h.doubtedAgain {
		level = slog.LevelDebug
	} else {
		h.doubted = now
	}
	h.log.Log(context.Background(), level, "the host's count of records can't be used", "reason", why,
		"handed_over", l.total, "counted", l.doubtedAt,
		"means", "records count as safe "+lag.String()+" after they were handed over; a crash of the host may lose those it has not stored by then",
		"what_to_do", "look for an input processor that drops or adds records, or routes with conditions")
}

// confirm passes on the changes of position behind safe records.
func (h *Handover) confirm() {
	for _, c := range h.ledger.settled() {
		h.committer.add(c)
	}
	h.disk.drained.Store(h.ledger.released)
	h.queue.memory.Release(h.ledger.left())
}
