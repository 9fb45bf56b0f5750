package collector

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/mimecast"
)

// pagedRun is one poll and how far it has come.
type pagedRun struct {
	older    bool                 // the log's older endpoint is asked
	ask      mimecast.PageRequest // of the next page
	now      time.Time            // when it began, by the service's clock; the same for all pages
	events   int
	fresh    int                 // of them, those that were not delivered before
	unparsed int                 // of these, those that can't be read
	empty    int                 // pages without events since the last one with some
	seen     map[uint64]struct{} // hashes of the tokens asked for and of the pages' events
	// repeats is how many events were taken of pages that had just the same as an
	// earlier one. It is bounded: they may lead in a circle all the same.
	repeats int
	// twins is how many events without an id came with the same content, by its hash.
	twins map[[16]byte]uint64

	// Times of the first and the last event that came, and of the newest, of
	// those between ask.From and ask.To. Zero before the first.
	first, last, newest time.Time
}

func (p *paged) newRun() *pagedRun {
	now := p.s.client.Now()
	run := &pagedRun{now: now, seen: map[uint64]struct{}{}, twins: map[[16]byte]uint64{}}
	from, to := p.pos.From(p.overlap), now.Truncate(time.Second)
	if p.pos.IsZero() {
		from = now.Add(-p.lookback).Truncate(time.Second)
		if p.start.IsZero() || from.Before(p.start) {
			p.start = from
		}
		from = p.start
	}
	if p.pos.Read.After(now.Add(maxDrift)) { // by a clock that was ahead: it read nothing of now
		from = p.pos.FromNewest(p.overlap, now.Add(-p.lookback))
	}
	if p.log.Keeps > 0 && from.Before(now.Add(keepsMargin-p.log.Keeps)) {
		from = now.Add(keepsMargin - p.log.Keeps).Truncate(time.Second)
	}
	if end := latest(from, p.pos.LastPoll).Add(p.window); !p.log.OldestFirst && end.Before(to) {
		to = end
	}
	if to.Before(from) {
		to = from
	}
	run.ask = mimecast.PageRequest{From: from, To: to, FeedType: p.kind, Filter: p.filter, Size: p.pageSize, AccountCode: p.customer}
	return run
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// keepsMargin is how much less far back than the service allows is asked for: time
// goes on while a window is read.
const keepsMargin = 10 * time.Minute

// came notes the time of an event. One that was not asked for says nothing of
// how far the pages have come.
func (run *pagedRun) came(t time.Time) {
	if t.Before(run.ask.From) || t.After(run.ask.To) {
		return
	}
	t = t.UTC()
	if run.first.IsZero() {
		run.first = t
	}
	run.last = t
	if t.After(run.newest) {
		run.newest = t
	}
}

// saw notes a hash, and reports whether it was noted before.
func (run *pagedRun) saw(hash uint64) bool {
	_, known := run.seen[hash]
	run.seen[hash] = struct{}{}
	return known
}

// hashOf returns the hash by which a page with events is known again under
// another token.
func hashOf(events []mimecast.Event) uint64 {
	d := xxhash.New()
	for _, e := range events {
		_, _ = d.Write(nameOf(e)) // it never fails
		_, _ = d.Write([]byte{0})
	}
	return d.Sum64()
}

// beyond reports whether an event was not asked for: the older endpoint of a log
// gives those of all times.
func (run *pagedRun) beyond(e mimecast.Event) bool {
	return run.older && !e.Time.IsZero() && (e.Time.Before(run.ask.From) || e.Time.After(run.ask.To))
}

// ofOneTime reports whether the events of a page have no ids and one time, or are all
// equal: another page may have just the same and be more events.
func ofOneTime(events []mimecast.Event) bool {
	first := events[0]
	return !slices.ContainsFunc(events, func(e mimecast.Event) bool {
		return e.ID != "" || !e.Time.Equal(first.Time) || e.Time.IsZero() && !bytes.Equal(e.JSON, first.JSON)
	})
}

// nameOf is by what an event is known again: its id, or all of it if it has
// none.
func nameOf(e mimecast.Event) []byte {
	if e.ID == "" {
		return e.JSON
	}
	return []byte(e.ID)
}

// idOf is what is kept of an event that is delivered. It is kept by the event's
// time; by now when that lies before what was asked for: it would be forgotten,
// and come again. So it is when that lies after now: it would be kept until then.
//
// Events without an id are told apart by their content and, where that is equal, by
// how many came before in the poll: each poll that reads one reads all that are
// equal, since they have the same time.
func (run *pagedRun) idOf(e mimecast.Event) checkpoint.ID {
	sum := sha256.Sum256(nameOf(e))
	id := checkpoint.ID{Unix: run.now.Unix()}
	if !e.Time.Before(run.ask.From) && !e.Time.After(run.now) {
		id.Unix = e.Time.Unix()
	}
	copy(id.Hash[:], sum[:])
	if e.ID != "" {
		return id
	}
	n := run.twins[id.Hash]
	if run.twins[id.Hash]++; n > 0 {
		sum = sha256.Sum256(binary.BigEndian.AppendUint64(id.Hash[:len(id.Hash):len(id.Hash)], n))
		copy(id.Hash[:], sum[:])
	}
	return id
}
