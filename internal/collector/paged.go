package collector

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

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

// maxDrift is how far the service's clock may turn out to be from what a poll
// took it to be.
const maxDrift = 10 * time.Second

// errClock ends a poll that began by a clock that was off: before the first
// answer, this machine's is all there is.
var errClock = errors.New("the service's clock is another one")

// paging is what tells one paged log from another.
type paging struct {
	source   string // log_source
	logType  string // log_type
	pages    mimecast.PagedLog
	pageSize int
}

// pagedPosition is where a stream of events is.
type pagedPosition struct {
	Newest   time.Time `json:"newest"`    // time of the newest event delivered; zero before the first
	LastPoll time.Time `json:"last_poll"` // end of the last poll that was completed
}

// paged polls a log that is served in pages. Events turn up late, and many
// share a second, so each poll reads some time again and drops what was
// delivered by its id.
type paged struct {
	*stream
	paging
	lookback, overlap, interval time.Duration

	pos       pagedPosition // behind what is in the queue
	delivered map[[16]byte]int64
	decoder   record.JSONDecoder
	open      *piece
	ids       []checkpoint.ID // of the events in open
}

func newPaged(s *stream, cfg config.Config, p paging) *paged {
	return &paged{
		stream: s, paging: p, lookback: cfg.InitialLookback, overlap: cfg.Overlap, interval: cfg.PollInterval,
		delivered: map[[16]byte]int64{},
	}
}

func (p *paged) load(s *checkpoint.Store) error {
	clear(p.delivered)
	if s != nil {
		if _, err := s.Load(p.key, &p.pos); err != nil {
			return err
		}
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

// pollOnce reads all pages from the position to now. Now is fixed for all of
// them. After an error, as when a page's token has gone stale, the poll is to
// start anew: what it delivered already is known by its ids.
func (p *paged) pollOnce(ctx context.Context, b *mimecast.Backoff) error {
	now, began := p.client.Now(), time.Now()
	r := mimecast.PageRequest{From: p.pos.from(p.overlap), To: now.Truncate(time.Second), Size: p.pageSize}
	if p.pos.isZero() {
		r.From = now.Add(-p.lookback).Truncate(time.Second)
	}
	if r.To.Before(r.From) {
		r.To = r.From
	}
	p.collected = uint32(now.Unix())
	next := pagedPosition{Newest: p.pos.Newest, LastPoll: r.To}
	events, known := 0, len(p.delivered)
	defer func() {
		p.log.Debug("polled", "from", r.From.UTC().Format(time.RFC3339), "to", r.To.UTC().Format(time.RFC3339), "events", events, "new", len(p.delivered)-known)
	}()
	for empty := 0; ; {
		page, err := p.page(ctx, b, r)
		if err != nil {
			return err
		}
		if drift := p.client.Now().Sub(now) - time.Since(began); r.Token == "" && drift.Abs() > maxDrift {
			return errClock
		}
		if empty++; len(page.Events) > 0 {
			empty = 0
		}
		events += len(page.Events)
		for _, e := range page.Events {
			if e.Time.After(next.Newest) {
				next.Newest = e.Time.UTC()
			}
			if err := p.take(ctx, e, r.From, now); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return p.complete(ctx, next, r.To)
		}
		if empty == maxEmptyPages {
			// It looks like the end and need not be. The pages come oldest
			// first, so the newest event is where to go on in either case.
			next.LastPoll = p.pos.LastPoll
			return p.complete(ctx, next, r.To)
		}
		r.Token = page.Next
	}
}

// page asks for a page until it comes, or can't come any more.
func (p *paged) page(ctx context.Context, b *mimecast.Backoff, r mimecast.PageRequest) (mimecast.Page, error) {
	for {
		page, err := p.pages(ctx, r)
		var refusal *mimecast.APIError
		switch {
		case err == nil && r.Token != "" && page.Next == r.Token:
			return page, errors.New("a page leads to itself")
		case err == nil:
			p.worked(b)
			return page, nil
		case errors.As(err, &refusal) && r.Token != "" && !refusal.Retryable && !mimecast.IsCredentials(err):
			refusal.Retryable = true // without that token it may well succeed
			return page, err
		}
		if err := p.failed(ctx, b, err); err != nil {
			return page, err
		}
	}
}

// take appends an event to the open piece unless it was delivered before.
func (p *paged) take(ctx context.Context, e mimecast.Event, from, now time.Time) error {
	id := idOf(e, from, now)
	if _, known := p.delivered[id.Hash]; known {
		return nil
	}
	c := p.piece(p.logType)
	origin := record.Origin{Source: p.source, Type: p.logType, Collected: now}
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
		p.open.tag = p.source + "." + logType
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
		c.buf = record.AppendUnparsed(c.buf, o, record.Piece{File: p.logType, Error: reason.Error(), Offset: int64(offset), Raw: raw})
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

// idOf is by what an event is known again: its id, or all of it if it has none.
// It is kept by the event's time, but by none that lies before what was asked
// for: it would be forgotten, and come again.
func idOf(e mimecast.Event, from, now time.Time) checkpoint.ID {
	what := []byte(e.ID)
	if e.ID == "" {
		what = e.JSON
	}
	sum := sha256.Sum256(what)
	id := checkpoint.ID{Unix: now.Unix()}
	if !e.Time.IsZero() {
		id.Unix = max(e.Time.Unix(), from.Unix())
	}
	copy(id.Hash[:], sum[:])
	return id
}

// complete moves the position behind a poll that read all its pages up to a
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
		c = p.piece(p.logType)
	} else if c == nil || c.records == 0 {
		return nil
	}
	n := max(len(p.ids)-1, 0)
	c.before = &checkpoint.Change{Key: p.key, AddIDs: p.ids[:n:n]}
	c.after = &checkpoint.Change{Key: p.key, AddIDs: p.ids[n:]}
	if next != nil {
		c.after.Position = *next
		c.after.ForgetBefore = next.from(p.overlap + idsKept).Unix()
	}
	p.open, p.ids = nil, nil
	return p.queue.put(ctx, c)
}
