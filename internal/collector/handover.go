package collector

import (
	"errors"
	"log/slog"
	"sync/atomic"
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

// Counts are a host's numbers of one instance.
type Counts struct {
	// Records is how many records the host's main thread has taken.
	Records uint64
	// Queued is how many appends were put before the main thread: one for each
	// Append, unless the host drops some on the way. -1 when it is not known.
	Queued int64
}

// Bounds of the hand-over.
const (
	// maxInFlight bounds what is handed over and not yet counted, which sits
	// in the host's memory.
	maxInFlight = 24 << 20
	// maxAppends bounds the same in appends: the host has room for 1024.
	maxAppends = 500
	// lag is how long after its append a record counts as safe where the count
	// can't be known; what is handed over in that time is bounded too.
	lag           = 10 * time.Second
	maxLagBytes   = 64 << 20
	maxLagAppends = 900
	// stuckAfter is how long the host may take nothing, without a pause, before
	// that is said.
	stuckAfter = time.Minute
	// takenAfter is how long the host takes for an append when all is well.
	takenAfter = time.Second
	// idleWait is how long a call waits for a piece that is on its way.
	idleWait = 50 * time.Millisecond
	// drainWait is how long a call waits for the host to count; more means
	// that its main thread is busy or pauses the instance.
	drainWait = 100 * time.Millisecond
)

// ErrFull is what a Host returns when it takes no more for now, as a matter of
// course.
var ErrFull = errors.New("full")

// Handover hands pieces over to the host and finds out when their records are
// safe. It is used from one thread.
//
// The host's count of records goes up when its main thread takes an append,
// before it is written to a chunk. That thread does one thing after the other,
// so an append is safe when a later one has been counted. Each piece is handed
// over in two appends, the second of one record, so that what stays unconfirmed
// when nothing follows is that one record.
type Handover struct {
	queue     queue
	committer *committer
	room      *room
	log       *slog.Logger
	now       func() time.Time

	tags     tags
	current  *piece // being handed over
	paused   bool
	resumed  time.Time // when the last pause ended
	sent     []unit    // handed over and not yet safe, oldest first
	total    uint64    // records handed over
	handed   int64     // bytes handed over
	inFlight int       // bytes handed over and not yet counted
	appends  int       // as many appends

	base      Counts // before the first append
	started   bool   // base is known
	counted   uint64 // of what was handed over, as of countedAt
	countedAt time.Time
	safe      uint64    // of what was handed over
	doubted   bool      // the host's count can't be used
	guessing  bool      // nor is there any
	refused   time.Time // when it was last said that the host took nothing
	stuck     bool      // it has been said that the host counts nothing
	given     int64     // appends

	busy atomic.Int32 // streams that have pieces on their way
}

// unit is one append, or a change of position behind one.
type unit struct {
	total   uint64 // records handed over up to its end
	bytes   int
	change  *checkpoint.Change
	at      time.Time
	counted bool // or no longer held against the host's room
	taken   bool // as far as can be guessed
}

func newHandover(q queue, c *committer, r *room, log *slog.Logger) *Handover {
	now := time.Now()
	return &Handover{queue: q, committer: c, room: r, log: log, now: time.Now, countedAt: now, resumed: now}
}

// Pause keeps the instance from handing over anything until Resume.
func (h *Handover) Pause() { h.paused = true }

// Resume ends a pause.
func (h *Handover) Resume() {
	if h.paused {
		h.paused = false
		h.resumed = h.now()
		h.countedAt = h.resumed
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
		if !h.room.has(h.handed, len(p.buf)) {
			h.room.refused.Store(true)
			break
		}
		if err := h.give(host, p); err != nil {
			if now := h.now(); !errors.Is(err, ErrFull) && now.Sub(h.refused) > reminder {
				h.refused = now
				h.log.Warn("the host took no records; they are handed over again, until it does", "err", err)
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
	if !h.guessing {
		h.safe = max(h.safe, h.counted)
	}
	for _, u := range h.sent {
		if h.guessing && u.taken {
			h.safe = max(h.safe, u.total)
		}
	}
	h.confirm()
}

// next returns the piece to go on with, nil when none comes soon.
func (h *Handover) next(deadline time.Time) *piece {
	if h.current != nil {
		return h.current
	}
	select {
	case p := <-h.queue:
		return p
	default:
	}
	if h.busy.Load() == 0 {
		return nil
	}
	t := time.NewTimer(min(idleWait, deadline.Sub(h.now())))
	defer t.Stop()
	select {
	case p := <-h.queue:
		return p
	case <-t.C:
		return nil
	}
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
		p.stream.report.delivered(p)
	} else {
		h.move(p.after)
	}
	h.current = nil
	p.free()
	return nil
}

// move notes a change of position behind what was handed over. Those of a
// stream that delivers nothing for long become one.
func (h *Handover) move(change *checkpoint.Change) {
	for i := len(h.sent) - 1; i >= 0 && h.sent[i].bytes == 0 && h.sent[i].total == h.total; i-- {
		if have := h.sent[i].change; have.Key == change.Key {
			merged := merge([]checkpoint.Change{*have}, *change)
			h.sent[i].change = &merged[0]
			return
		}
	}
	h.sent = append(h.sent, unit{total: h.total, change: change, at: h.now(), counted: true})
}

func (h *Handover) append(host Host, p *piece, records int, buf []byte, change *checkpoint.Change) error {
	if err := host.Append(h.tags.of(p), records, buf); err != nil {
		return err
	}
	if h.inFlight == 0 {
		h.countedAt = h.now() // the host has had nothing to count until now
	}
	h.given++
	h.total += uint64(records)
	h.inFlight += len(buf)
	h.appends++
	h.handed += int64(len(buf))
	h.sent = append(h.sent, unit{total: h.total, bytes: len(buf), change: change, at: h.now()})
	return nil
}

// full says whether the host has enough for now.
func (h *Handover) full() bool {
	if h.guessing {
		return h.inFlight >= maxLagBytes || h.appends >= maxLagAppends
	}
	return h.inFlight >= maxInFlight || h.appends >= maxAppends
}

// awaitCount gives the host some time to take what it was given.
func (h *Handover) awaitCount(host Host, deadline time.Time) bool {
	until := h.now().Add(drainWait)
	for h.full() {
		if now := h.now(); now.After(until) || now.After(deadline) {
			return false
		}
		time.Sleep(2 * time.Millisecond)
		before := h.appends
		if h.settle(host); h.appends < before {
			until = h.now().Add(drainWait)
		}
	}
	return true
}

// settle looks at the host's count and passes on what has become safe.
func (h *Handover) settle(host Host) {
	n, ok := host.Counts()
	if ok && !h.started {
		h.base, h.started = n, true
	}
	switch {
	case ok && !h.doubted && n.Queued >= 0 && n.Queued-h.base.Queued != h.given:
		h.doubt("it dropped some before it took them", n.Records-h.base.Records)
	case ok && !h.doubted:
		h.count(n.Records - h.base.Records)
	}
	if h.guessing = !ok || h.doubted; h.guessing {
		h.guess()
	}
	h.confirm()
}

// count takes the host's count. It must be the end of an append; anything else
// means that the host counts differently from what it was handed.
func (h *Handover) count(n uint64) {
	now := h.now()
	if n == h.counted {
		// That it stands still means nothing: the host's main thread may be held
		// up for as long as it likes.
		if n < h.total && !h.paused && !h.stuck && now.Sub(h.countedAt) > stuckAfter {
			h.stuck = true
			h.log.Warn("the host has taken no records for a while; is its main thread held up, by a filter or a slow disk?", "for", now.Sub(h.countedAt).Round(time.Second).String())
		}
		return
	}
	h.stuck = false
	safe, known := h.safe, false
	for i := range h.sent {
		u := &h.sent[i]
		if u.total > n {
			break
		}
		if !u.counted {
			h.taken(u)
		}
		if u.total < n {
			safe = u.total
		}
		known = known || u.total == n
	}
	if !known {
		h.doubt("it does not agree with what was handed over", n)
		return
	}
	h.counted, h.countedAt, h.safe = n, now, safe
}

// taken notes that the host has taken an append.
func (h *Handover) taken(u *unit) {
	u.counted, u.taken = true, true
	h.inFlight -= u.bytes
	h.appends--
	h.room.taken.Add(int64(u.bytes))
}

// doubt gives up on the host's count for good.
func (h *Handover) doubt(why string, n uint64) {
	h.doubted = true
	h.log.Warn("the host's count of records can't confirm what was handed over: "+why+
		"; does an input processor drop or add records, or do routes have conditions? From now on records count as safe some time after they were handed over, and a crash of the host may lose those that it had not stored by then",
		"handed_over", h.total, "counted", n, "after", lag.String())
}

// guess stands in for the host's count: what was handed over some time ago,
// with no pause since, has been taken.
func (h *Handover) guess() {
	if h.paused {
		return
	}
	now := h.now()
	for i := range h.sent {
		u := &h.sent[i]
		since := u.at
		if since.Before(h.resumed) {
			since = h.resumed
		}
		age := now.Sub(since)
		if age < takenAfter {
			return
		}
		u.taken = true
		if age < lag {
			continue
		}
		h.safe = max(h.safe, u.total)
		if !u.counted {
			h.taken(u)
		}
	}
}

// confirm passes on the changes of position behind safe records.
func (h *Handover) confirm() {
	n := 0
	for n < len(h.sent) && h.sent[n].total <= h.safe {
		if c := h.sent[n].change; c != nil {
			h.committer.add(c)
		}
		n++
	}
	h.sent = append(h.sent[:0], h.sent[n:]...)
}
