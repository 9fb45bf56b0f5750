package delivery

import (
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
)

// Bounds of what the host holds.
const (
	// maxInFlight bounds what is handed over and not yet counted, which sits
	// in the host's memory.
	maxInFlight = 24 << 20
	// minInFlight is that bound where the share of memory is the smallest.
	minInFlight = 1 << 20
	// maxAppends bounds the same in appends: the host has room for 1024.
	maxAppends = 500
	// lag is how long after its append a record counts as safe where the count
	// can't be used; what is handed over in that time is bounded too.
	lag           = 10 * time.Second
	maxLagBytes   = 64 << 20
	maxLagAppends = 900
	// stuckAfter is how long the host may take nothing, without a pause, before
	// that is said.
	stuckAfter = time.Minute
	// drainedAfter is how long the host takes for an append when all is well.
	drainedAfter = time.Second
)

// Counts are a host's numbers of one instance.
type Counts struct {
	// Records is how many records the host's main thread has taken.
	Records uint64
	// Queued is how many appends were put before the main thread: one for each
	// Append, unless the host drops some on the way. -1 when it is not known.
	Queued int64
}

// ledger knows what was handed over to the host, and finds out when it is safe.
// It reads no clock and calls nobody.
//
// The host's count of records goes up when its main thread takes an append,
// before it is written to a chunk. That thread does one thing after the other,
// so an append is safe when a later one has been counted.
//
// A count that is not the end of an append is in doubt: the host counts something
// else than what it was handed. Then, as without a count, an append is taken for
// safe some time after it was handed over. The doubt ends when all that was handed
// over is counted, unless the host has counted more before: where it drops some,
// its count may be the end of an earlier append by chance.
type ledger struct {
	sent     []unit // handed over and not yet safe, oldest first
	total    uint64 // records handed over
	given    int64  // appends
	inFlight int    // bytes handed over and not yet counted
	appends  int    // as many appends
	held     int    // bytes that the host has not taken, as far as is known
	gone     int    // bytes that it has taken since left was called
	released int64  // bytes that are no longer in flight, ever

	base      Counts // before the first append
	started   bool   // base is known
	counted   uint64 // of what was handed over, as of countedAt
	countedAt time.Time
	safe      uint64 // of what was handed over
	stuck     bool   // the count has stood still for long
	doubted   bool   // the count can't be used
	doubtedAt uint64 // the count then
	tooMany   bool   // more was counted than was handed over
	blind     bool   // there is no count
}

// unit is one append, or a change of position behind one.
type unit struct {
	total   uint64 // records handed over up to its end
	bytes   int
	change  *checkpoint.Change
	at      time.Time
	counted bool // or no longer held against the host's room
	drained bool // as far as can be guessed
}

// event is what a look at the host's count has found out.
type event int

const (
	nothingNew  event = iota
	standsStill       // the host has counted nothing for stuckAfter; that alone proves nothing
	dropped           // doubt: fewer appends reached the main thread than were handed over
	disagrees         // doubt: the count is not the end of an append
	noSign            // doubt: standsStill, on a host that does not tell what it drops
	agrees            // the doubt has ended
)

// gave notes an append that the host has taken, and the change of position behind
// it.
func (l *ledger) gave(records, bytes int, change *checkpoint.Change, now time.Time) {
	if l.inFlight == 0 {
		l.countedAt = now // the host has had nothing to count until now
	}
	l.given++
	l.total += uint64(records)
	l.inFlight += bytes
	l.held += bytes
	l.appends++
	l.sent = append(l.sent, unit{total: l.total, bytes: bytes, change: change, at: now})
}

// moved notes a change of position behind what was handed over. Those of a
// stream that delivers nothing for long become one.
func (l *ledger) moved(change *checkpoint.Change, now time.Time) {
	for i := len(l.sent) - 1; i >= 0 && l.sent[i].bytes == 0 && l.sent[i].total == l.total; i-- {
		if have := l.sent[i].change; have.Key == change.Key {
			merged := checkpoint.Merge([]checkpoint.Change{*have}, *change)
			l.sent[i].change = &merged[0]
			return
		}
	}
	l.sent = append(l.sent, unit{total: l.total, change: change, at: now, counted: true})
}

// guessing reports whether time stands in for the host's count.
func (l *ledger) guessing() bool { return l.blind || l.doubted }

// full reports whether the host has enough for now, if it is to hold so many bytes in
// memory.
func (l *ledger) full(bytes int) bool {
	if l.guessing() {
		return l.inFlight >= maxLagBytes || l.appends >= maxLagAppends || l.held >= bytes
	}
	return l.held >= bytes || l.appends >= maxAppends
}

// left returns how many bytes the host has taken since the last call.
func (l *ledger) left() int {
	n := l.gone
	l.gone = 0
	return n
}

// drain notes that the host has taken an append, as far as is known.
func (l *ledger) drain(u *unit) {
	if !u.drained {
		u.drained = true
		l.held -= u.bytes
		l.gone += u.bytes
	}
}

// look takes the host's counts; known is whether it has any. resumed is when the
// last pause ended.
func (l *ledger) look(c Counts, known, paused bool, resumed, now time.Time) event {
	e := nothingNew
	if l.blind = !known; known {
		if !l.started {
			l.base, l.started = c, true
		}
		e = l.judge(c, paused, now)
	}
	if l.guessing() && !paused {
		l.guess(resumed, now)
	}
	return e
}

func (l *ledger) judge(c Counts, paused bool, now time.Time) event {
	n := c.Records - l.base.Records
	l.tooMany = l.tooMany || n > l.total
	missing := c.Queued >= 0 && c.Queued-l.base.Queued != l.given
	switch {
	case l.doubted && (missing || l.tooMany || n != l.total):
		return nothingNew
	case l.doubted:
		l.doubted = false
		l.count(n, now)
		return agrees
	case missing:
		return l.doubt(dropped, n)
	case n != l.counted && !l.isEnd(n):
		return l.doubt(disagrees, n)
	case n != l.counted:
		l.count(n, now)
		return nothingNew
	case n == l.total || paused || now.Sub(l.countedAt) <= stuckAfter:
		return nothingNew
	case c.Queued < 0:
		// The main thread is held up, or all was dropped before it.
		return l.doubt(noSign, n)
	case l.stuck:
		return nothingNew
	}
	l.stuck = true
	return standsStill
}

func (l *ledger) doubt(why event, n uint64) event {
	l.doubted, l.doubtedAt = true, n
	return why
}

// isEnd reports whether a count is the end of an append that may not have been
// counted before.
func (l *ledger) isEnd(n uint64) bool {
	for _, u := range l.sent {
		if u.total >= n {
			return u.total == n
		}
	}
	return n == l.total
}

// count takes a count that is the end of an append: those before it are safe.
func (l *ledger) count(n uint64, now time.Time) {
	l.counted, l.countedAt, l.stuck = n, now, false
	for i := range l.sent {
		u := &l.sent[i]
		if u.total > n {
			break
		}
		l.release(u)
		if u.total < n {
			l.safe = max(l.safe, u.total)
		}
	}
}

// release notes that the host has taken an append.
func (l *ledger) release(u *unit) {
	if u.counted {
		return
	}
	u.counted = true
	l.drain(u)
	l.inFlight -= u.bytes
	l.appends--
	l.released += int64(u.bytes)
}

// guess stands in for the host's count: what was handed over some time ago,
// with no pause since, has been taken.
func (l *ledger) guess(resumed, now time.Time) {
	for i := range l.sent {
		u := &l.sent[i]
		since := u.at
		if since.Before(resumed) {
			since = resumed
		}
		age := now.Sub(since)
		if age < drainedAfter {
			return
		}
		l.drain(u)
		if age >= lag {
			l.safe = max(l.safe, u.total)
			l.release(u)
		}
	}
}

// resume notes that a pause has ended: the host could count nothing until now.
func (l *ledger) resume(now time.Time) { l.countedAt = now }

// end notes that the main thread stands still, and has stored all that it counted.
func (l *ledger) end() {
	if !l.guessing() {
		l.safe = max(l.safe, l.counted)
		return
	}
	for _, u := range l.sent {
		if u.drained {
			l.safe = max(l.safe, u.total)
		}
	}
}

// settled takes out the changes of position whose records are safe, in order.
func (l *ledger) settled() []*checkpoint.Change {
	var changes []*checkpoint.Change
	n := 0
	for ; n < len(l.sent) && l.sent[n].total <= l.safe; n++ {
		if c := l.sent[n].change; c != nil {
			changes = append(changes, c)
		}
	}
	l.sent = append(l.sent[:0], l.sent[n:]...)
	return changes
}
