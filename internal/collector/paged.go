package collector

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/mimecast"
)

// idsKept is how much longer ids are kept than a poll reaches back: for clocks
// that are set back.
const idsKept = 2 * time.Hour

// maxEmptyPages is how many pages without events, which lead to more, a poll
// follows in a row.
const maxEmptyPages = 3

// tokenPatience is how long a page may bring nothing but errors before its
// token is given up: what the service answers to a stale one is not known.
const tokenPatience = 30 * time.Minute

// maxDrift is how far the service's clock may turn out to be from what a poll
// took it to be.
const maxDrift = 10 * time.Second

// errClock ends a poll that began by a clock that was off: before the first
// answer, this machine's is all there is.
var errClock = errors.New("the service's clock is another one")

// errCircle ends a poll in which a page leads back to one that was read.
var errCircle = errors.New("the pages lead in a circle; reading on from the last event")

// pagedPosition is where a stream of events is.
type pagedPosition struct {
	Newest   time.Time `json:"newest"`    // time of the newest event delivered; zero before the first
	LastPoll time.Time `json:"last_poll"` // end of the last poll that was completed, or last event of a later one that was not
}

// paged polls a log that is served in pages. Events turn up late, and many
// share a second, so each poll reads some time again and drops what was
// delivered by its id.
type paged struct {
	*stream
	kind     mimecast.Log    // its Family is log_source, its Name log_type
	filter   mimecast.Filter // nil: all events
	pageSize int

	lookback, overlap, interval time.Duration

	pos       pagedPosition // behind what is in the queue
	delivered map[[16]byte]int64
	decoder   record.JSONDecoder
	open      *piece
	ids       []checkpoint.ID // of the events in open
}

func newPaged(s *stream, cfg config.Config, kind mimecast.Log) *paged {
	p := &paged{
		stream: s, kind: kind, pageSize: cfg.PageSize,
		lookback: cfg.InitialLookback, overlap: cfg.Overlap, interval: cfg.PollInterval,
		delivered: map[[16]byte]int64{},
	}
	if cfg.Filter.Log().Name == kind.Name {
		p.filter = cfg.Filter
	}
	return p
}

func (p *paged) load(s *checkpoint.Store) error {
	clear(p.delivered)
	if err := p.stream.load(s, &p.pos); err != nil {
		return err
	}
	if s != nil {
		if err := s.IDs(p.key, func(id checkpoint.ID) { p.delivered[id.Hash] = id.Unix }); err != nil {
			return err
		}
	}
	if p.pos.isZero() {
		p.log.Info("no position yet: starting from initial_lookback", "initial_lookback", config.Spell(p.lookback))
	}
	p.report.starts(p.pos.LastPoll)
	return nil
}

// poll polls again and again until ctx ends.
func (p *paged) poll(ctx context.Context) error {
	var backoff mimecast.Backoff
	for begun := 1; ; begun++ {
		err := p.pollOnce(ctx, &backoff)
		// What was taken is delivered, also when the poll is not complete.
		if stop := p.send(ctx, nil); stop != nil {
			return stop
		}
		switch {
		case err == nil:
			p.worked(&backoff)
			err, begun = pause(ctx, p.interval), 0
		case err == errCircle:
			p.report.fails(err, p.interval)
			err, begun = pause(ctx, p.interval), 0
		case err == errClock && begun == 1:
			err = ctx.Err() // once, and then it is right
		default:
			err = p.failed(ctx, &backoff, err)
		}
		if err != nil {
			return err
		}
	}
}

// isZero says whether there is no position yet.
func (pos pagedPosition) isZero() bool { return pos.LastPoll.IsZero() && pos.Newest.IsZero() }

// from is where the next poll starts, if there is a position.
func (pos pagedPosition) from(overlap time.Duration) time.Time {
	from := pos.LastPoll
	if from.IsZero() || (!pos.Newest.IsZero() && pos.Newest.Before(from)) {
		from = pos.Newest
	}
	return from.Add(-overlap).Truncate(time.Second)
}

// pagedRun is one poll and how far it has come.
type pagedRun struct {
	ask    mimecast.PageRequest // of the next page
	now    time.Time            // when it began, by the service's clock; the same for all pages
	events int
	empty  int                 // pages without events since the last one with some
	seen   map[uint64]struct{} // hashes of the tokens asked for and of the pages' events

	// Times of the first and the last event that came, and of the newest, of
	// those between ask.From and ask.To. Zero before the first.
	first, last, newest time.Time
}

func (p *paged) newRun() *pagedRun {
	now := p.client.Now()
	run := &pagedRun{now: now, seen: map[uint64]struct{}{}}
	run.ask = mimecast.PageRequest{From: p.pos.from(p.overlap), To: now.Truncate(time.Second), Filter: p.filter, Size: p.pageSize}
	if p.pos.isZero() {
		run.ask.From = now.Add(-p.lookback).Truncate(time.Second)
	}
	if run.ask.To.Before(run.ask.From) {
		run.ask.To = run.ask.From
	}
	return run
}

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

// pollOnce reads all pages from the position to now. After an error the next
// poll starts from the position again, which may have moved; what was delivered
// is known by its ids. It resets b when the position moved.
func (p *paged) pollOnce(ctx context.Context, b *mimecast.Backoff) error {
	if err := p.checkTenant(ctx); err != nil {
		return err
	}
	run, began, known := p.newRun(), time.Now(), len(p.delivered)
	p.collected = uint32(run.now.Unix())
	defer func() {
		p.log.Debug("polled", "from", run.ask.From.UTC().Format(time.RFC3339), "to", run.ask.To.UTC().Format(time.RFC3339), "events", run.events, "new", len(p.delivered)-known)
	}()
	for {
		page, err := p.page(ctx, run.ask)
		if drift := p.client.Now().Sub(run.now) - time.Since(began); err == nil && run.ask.Token == "" && drift.Abs() > maxDrift {
			err = errClock
		}
		if err != nil {
			return p.giveUp(ctx, b, run, err)
		}
		circle, err := p.takeAll(ctx, run, page.Events)
		if err != nil {
			return err
		}
		switch {
		case page.Next == "", run.empty > 0 && page.Next == run.ask.Token:
			next := pagedPosition{Newest: p.pos.Newest, LastPoll: run.ask.To}
			if run.newest.After(next.Newest) {
				next.Newest = run.newest
			}
			return p.complete(ctx, next, run.ask.To)
		case circle || run.saw(xxhash.Sum64String(page.Next)):
			return p.giveUp(ctx, b, run, errCircle)
		case run.empty == maxEmptyPages:
			// It looks like the end and need not be.
			return p.complete(ctx, p.reached(run), run.ask.To)
		}
		run.ask.Token = page.Next
	}
}

// checkTenant finds out whether a position that was reached with another host or
// application id is of the same customer, as soon as another log tells. If it is
// not, the log starts as if there were no position, or from the position if that
// is further back.
func (p *paged) checkTenant(ctx context.Context) error {
	if !p.from.open {
		p.from.merge()
		return nil
	}
	now := codesOf(p.from.tenant.all())
	switch compare(p.from.known, now) {
	case undecided:
		return nil
	case sameTenant:
		p.from.adopt(p.from.known)
		p.from.merge()
		return nil
	}
	p.from.sayOther(p.log, now, "this log starts from initial_lookback; some events may come again",
		"initial_lookback", config.Spell(p.lookback))
	p.from.adopt(now)
	if p.pos.isZero() || p.pos.from(p.overlap).After(p.client.Now().Add(-p.lookback)) {
		p.pos = pagedPosition{}
		p.report.fetched(time.Time{})
	}
	return p.put(ctx, p.change(p.pos))
}

// page asks for a page until it comes. It returns an error when a page after the
// first is refused twice or fails for long: another poll gets other tokens.
func (p *paged) page(ctx context.Context, r mimecast.PageRequest) (mimecast.Page, error) {
	var backoff mimecast.Backoff
	began := time.Now()
	for again := false; ; again = true {
		page, err := p.client.Page(ctx, p.kind, r)
		if err == nil {
			p.answered()
			return page, nil
		}
		var refusal *mimecast.APIError
		refused := errors.As(err, &refusal) && !refusal.Retryable && !mimecast.IsCredentials(err)
		if r.Token != "" && again && (refused || time.Since(began) > tokenPatience) {
			return page, err
		}
		// What was taken is delivered while the rest is retried.
		if err := p.send(ctx, nil); err != nil {
			return page, err
		}
		if err := p.failed(ctx, &backoff, err); err != nil {
			return page, err
		}
	}
}

// takeAll takes a page's events. It reports whether an earlier page of the poll
// had just the same.
func (p *paged) takeAll(ctx context.Context, run *pagedRun, events []mimecast.Event) (again bool, err error) {
	if len(events) == 0 {
		run.empty++
		return false, nil
	}
	run.empty = 0
	run.events += len(events)
	again = run.saw(hashOf(events))
	for _, e := range events {
		if !again {
			run.came(e.Time)
		}
		if err := p.take(ctx, e, run.ask.From, run.now); err != nil {
			return again, err
		}
	}
	return again, nil
}

// reached returns the position after the last event of a poll that did not read
// all its pages. The pages come oldest first, so no event before that one is
// missing. Where they come in another order, or all at one time, the position
// stays.
func (p *paged) reached(run *pagedRun) pagedPosition {
	next := p.pos
	if !run.last.After(run.first) || run.last.Before(run.newest.Add(-p.overlap)) {
		return next
	}
	if run.last.After(next.Newest) {
		next.Newest = run.last
	}
	if !next.LastPoll.IsZero() && run.last.After(next.LastPoll) {
		next.LastPoll = run.last
	}
	return next
}

// giveUp ends a poll before its last page and returns why. The position moves
// as far as the poll came: if each ends early, they still reach the end.
func (p *paged) giveUp(ctx context.Context, b *mimecast.Backoff, run *pagedRun, why error) error {
	next := p.reached(run)
	if !next.from(0).After(p.pos.from(0)) {
		return why
	}
	b.Reset()
	if err := p.complete(ctx, next, next.LastPoll); err != nil {
		return err
	}
	return why
}

// take appends an event to the open piece unless it was delivered before.
func (p *paged) take(ctx context.Context, e mimecast.Event, from, now time.Time) error {
	id := idOf(e, from, now)
	if kept, known := p.delivered[id.Hash]; known {
		p.delivered[id.Hash] = max(kept, id.Unix) // as long as it is served
		return nil
	}
	c := p.piece(p.kind.Name)
	origin := record.Origin{Source: p.kind.Family, Type: p.kind.Name, Time: p.kind.Time, Collected: now}
	start := len(c.buf)
	var err error
	if c.buf, err = p.decoder.Object(c.buf, origin, e.JSON); err != nil {
		return p.unparsed(ctx, e, id, origin, err)
	}
	c.grown(start)
	p.remember(id)
	if len(c.buf) < pieceSize {
		return nil
	}
	return p.send(ctx, nil)
}

// piece returns the one to append records of a type to.
func (p *paged) piece(logType string) *piece {
	if p.open == nil {
		p.open = newPiece(p.stream)
	}
	if p.byType && p.open.records == 0 {
		p.open.tag = p.kind.Family + "." + logType
	}
	return p.open
}

// unparsed sends the bytes of an event that can't be a record, in a piece of
// their own.
func (p *paged) unparsed(ctx context.Context, e mimecast.Event, id checkpoint.ID, o record.Origin, reason error) error {
	p.log.Error("an event can't be read; its bytes go out in records with log_type "+record.Unparsed, "err", reason)
	if err := p.send(ctx, nil); err != nil {
		return err
	}
	c := p.piece(record.Unparsed)
	for offset := 0; offset < len(e.JSON); {
		raw := e.JSON[offset:min(offset+record.MaxRaw, len(e.JSON))]
		raw = raw[:record.CutText(raw)]
		start := len(c.buf)
		c.buf = record.AppendUnparsed(c.buf, o, record.Piece{File: p.kind.Name, Error: reason.Error(), Offset: int64(offset), Raw: raw})
		c.grown(start)
		c.unparsed++
		offset += len(raw)
	}
	p.remember(id)
	return p.send(ctx, nil)
}

// remember notes that an event is in the open piece.
func (p *paged) remember(id checkpoint.ID) {
	p.ids = append(p.ids, id)
	p.delivered[id.Hash] = id.Unix
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
// and come again.
func idOf(e mimecast.Event, from, now time.Time) checkpoint.ID {
	sum := sha256.Sum256(nameOf(e))
	id := checkpoint.ID{Unix: now.Unix()}
	if !e.Time.Before(from) {
		id.Unix = e.Time.Unix()
	}
	copy(id.Hash[:], sum[:])
	return id
}

// complete moves the position behind a poll, which read what there is up to a
// time.
func (p *paged) complete(ctx context.Context, next pagedPosition, upTo time.Time) error {
	p.report.fetched(upTo)
	if next.isZero() {
		return p.send(ctx, nil)
	}
	if err := p.send(ctx, &next); err != nil {
		return err
	}
	p.pos = next
	before := next.from(p.overlap + idsKept).Unix()
	for hash, unix := range p.delivered {
		if unix < before {
			delete(p.delivered, hash)
		}
	}
	return nil
}

// send puts the open piece into the queue, with the position behind it if that
// moves. The ids of its events become safe together with them.
func (p *paged) send(ctx context.Context, next *pagedPosition) error {
	c := p.open
	if next != nil {
		c = p.piece(p.kind.Name)
	} else if c == nil || c.records == 0 {
		return nil
	}
	n := max(len(p.ids)-1, 0)
	c.before, c.after = p.change(nil), p.change(nil)
	c.before.AddIDs, c.after.AddIDs = p.ids[:n:n], p.ids[n:]
	if next != nil {
		c.after.Position = *next
		c.after.ForgetBefore = next.from(p.overlap + idsKept).Unix()
	}
	p.open, p.ids = nil, nil
	return p.queue.put(ctx, c)
}
