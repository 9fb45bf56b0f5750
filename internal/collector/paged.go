package collector

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/internal/sleep"
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

// paged polls a log that is served in pages. Events turn up late, and many
// share a second, so each poll reads some time again and drops what was
// delivered by its id.
type paged struct {
	s        *stream
	log      mimecast.Log    // its Family is log_source, its Name log_type
	filter   mimecast.Filter // nil: all events
	pageSize int
	customer string // see [mimecast.PageRequest].AccountCode

	lookback, overlap, interval time.Duration

	pos       position.Paged // behind what is in the queue
	delivered map[[16]byte]int64
	decoder   record.JSONDecoder
}

func newPaged(s *stream, cfg config.Config, log mimecast.Log) *paged {
	p := &paged{
		s: s, log: log, pageSize: cfg.PageSize, customer: cfg.AccountCode,
		lookback: cfg.InitialLookback, overlap: cfg.Overlap, interval: cfg.PollInterval,
		delivered: map[[16]byte]int64{},
	}
	if cfg.Filter.Log().Name == log.Name {
		p.filter = cfg.Filter
	}
	return p
}

func (p *paged) load(s *checkpoint.Store) error {
	clear(p.delivered)
	if err := p.s.load(s, &p.pos); err != nil {
		return err
	}
	if s != nil {
		if err := s.IDs(p.s.key, func(id checkpoint.ID) { p.delivered[id.Hash] = id.Unix }); err != nil {
			return err
		}
	}
	if p.pos.IsZero() {
		p.s.log.Info("no position yet: starting from initial_lookback", "initial_lookback", config.Spell(p.lookback))
	}
	p.s.report.starts(p.pos.LastPoll)
	return nil
}

// poll polls again and again until ctx ends.
func (p *paged) poll(ctx context.Context) error {
	var backoff mimecast.Backoff
	for begun := 1; ; begun++ {
		err := p.pollOnce(ctx, &backoff)
		// What was taken is delivered, also when the poll is not complete.
		if stop := p.s.out.Flush(ctx); stop != nil {
			return stop
		}
		switch {
		case err == nil:
			p.s.worked(&backoff)
			err, begun = sleep.For(ctx, p.interval), 0
		case err == errCircle:
			p.s.report.fails(err, p.interval)
			err, begun = sleep.For(ctx, p.interval), 0
		case err == errClock && begun == 1:
			err = ctx.Err() // once, and then it is right
		default:
			err = p.s.failed(ctx, &backoff, err)
		}
		if err != nil {
			return err
		}
	}
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
	now := p.s.client.Now()
	run := &pagedRun{now: now, seen: map[uint64]struct{}{}}
	run.ask = mimecast.PageRequest{From: p.pos.From(p.overlap), To: now.Truncate(time.Second), Filter: p.filter, Size: p.pageSize, AccountCode: p.customer}
	if p.pos.IsZero() {
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
	p.s.out.Begin(delivery.Place{}, run.now)
	defer func() {
		p.s.log.Debug("polled", "from", run.ask.From.UTC().Format(time.RFC3339), "to", run.ask.To.UTC().Format(time.RFC3339), "events", run.events, "new", len(p.delivered)-known)
	}()
	for {
		page, err := p.page(ctx, run.ask)
		if drift := p.s.client.Now().Sub(run.now) - time.Since(began); err == nil && run.ask.Token == "" && drift.Abs() > maxDrift {
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
			next := position.Paged{Newest: p.pos.Newest, LastPoll: run.ask.To}
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
		if next := p.reached(run); next != p.pos {
			p.s.report.fetched(upTo(next))
		}
		run.ask.Token = page.Next
	}
}

// checkTenant finds out whether a position that was reached with another host or
// application id is of the same customer, as soon as another log tells. If it is
// not, the log starts as if there were no position, or from the position if that
// is further back.
func (p *paged) checkTenant(ctx context.Context) error {
	from := &p.s.from
	if from.back {
		// Ids are written without a position: that in the file must be this one.
		if err := p.s.out.Move(ctx, checkpoint.Change{Position: p.pos}); err != nil {
			return err
		}
		from.back = false
	}
	if !from.open {
		from.merge()
		return nil
	}
	now := codesOf(from.tenant.all())
	_, answered := p.s.client.ClockOffset()
	verdict := compare(from.known, now)
	switch {
	case verdict == undecided, !answered: // the service's clock says how far to go back
		return nil
	case verdict == sameTenant:
		from.adopt(from.known)
		from.merge()
		return nil
	}
	from.sayOther(p.s.log, now, "this log starts from initial_lookback; some events may come again",
		"initial_lookback", config.Spell(p.lookback))
	from.adopt(now)
	start := p.s.client.Now().Add(-p.lookback)
	if p.pos.IsZero() || p.pos.From(p.overlap).After(start) {
		p.pos = position.Paged{LastPoll: start.Add(p.overlap)}
		p.s.report.fetched(start)
	}
	return p.s.out.Move(ctx, checkpoint.Change{Position: p.pos})
}

// page asks for a page until it comes. It returns an error when a page after the
// first is refused twice or fails for long: another poll gets other tokens.
func (p *paged) page(ctx context.Context, r mimecast.PageRequest) (mimecast.Page, error) {
	var backoff mimecast.Backoff
	began := time.Now()
	for again := false; ; again = true {
		page, err := p.s.client.Page(ctx, p.log, r)
		if err == nil {
			p.s.answered()
			return page, nil
		}
		var refusal *mimecast.APIError
		refused := errors.As(err, &refusal) && !refusal.Retryable && !mimecast.IsCredentials(err)
		if r.Token != "" && again && (refused || time.Since(began) > tokenPatience) {
			return page, err
		}
		// What was taken is delivered while the rest is retried.
		if err := p.s.out.Flush(ctx); err != nil {
			return page, err
		}
		if err := p.s.failed(ctx, &backoff, err); err != nil {
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
func (p *paged) reached(run *pagedRun) position.Paged {
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
	if !next.From(0).After(p.pos.From(0)) {
		return why
	}
	b.Reset()
	if err := p.complete(ctx, next, upTo(next)); err != nil {
		return err
	}
	return why
}

// upTo is the time up to which everything has been fetched at a position that was
// reached by the last event.
func upTo(pos position.Paged) time.Time {
	if pos.LastPoll.IsZero() {
		return pos.Newest
	}
	return pos.LastPoll
}

// take appends an event to the open piece unless it was delivered before.
func (p *paged) take(ctx context.Context, e mimecast.Event, from, now time.Time) error {
	id := idOf(e, from, now)
	if kept, known := p.delivered[id.Hash]; known {
		p.delivered[id.Hash] = max(kept, id.Unix) // as long as it is served
		return nil
	}
	origin := p.s.origin(p.log.Family, p.log.Name, now)
	origin.Time = p.log.Time
	buf, err := p.decoder.Object(p.s.out.Buf(origin.Source, origin.Type), origin, e.JSON)
	if err != nil {
		return p.unparsed(ctx, e, id, origin, err)
	}
	p.s.out.Add(buf, delivery.Place{}, id)
	p.delivered[id.Hash] = id.Unix
	return p.s.out.Send(ctx)
}

// unparsed puts the bytes of an event that can't be a record into records of a
// bounded size.
func (p *paged) unparsed(ctx context.Context, e mimecast.Event, id checkpoint.ID, o record.Origin, reason error) error {
	p.s.log.Error("an event can't be read; its bytes go out in records with log_type "+record.Unparsed, "err", reason)
	for offset := 0; offset < len(e.JSON); {
		raw := e.JSON[offset:min(offset+record.MaxRaw, len(e.JSON))]
		raw = raw[:record.CutText(raw)]
		var ids []checkpoint.ID // with the last record
		if offset+len(raw) == len(e.JSON) {
			ids = append(ids, id)
		}
		buf := record.AppendUnparsed(p.s.out.Buf(o.Source, record.Unparsed), o,
			record.Piece{File: p.log.Name, Error: reason.Error(), Offset: int64(offset), Raw: raw})
		p.s.out.Add(buf, delivery.Place{}, ids...)
		if err := p.s.out.Send(ctx); err != nil {
			return err
		}
		offset += len(raw)
	}
	p.delivered[id.Hash] = id.Unix
	return nil
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
func (p *paged) complete(ctx context.Context, next position.Paged, upTo time.Time) error {
	p.s.report.fetched(upTo)
	if next.IsZero() {
		return p.s.out.Flush(ctx)
	}
	before := next.From(p.overlap + idsKept).Unix()
	if err := p.s.out.Move(ctx, checkpoint.Change{Position: next, ForgetBefore: before}); err != nil {
		return err
	}
	p.pos = next
	for hash, unix := range p.delivered {
		if unix < before {
			delete(p.delivered, hash)
		}
	}
	return nil
}
