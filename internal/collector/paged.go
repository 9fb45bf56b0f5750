package collector

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
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

// How many pages without events, which lead to more, a poll follows in a row. A log
// that comes oldest first begins with firstEmptyPages, and follows twice as many after
// each poll that ended so, then begins again. A window follows maxEmptyPages: it would not move otherwise.
const (
	firstEmptyPages = 3
	maxEmptyPages   = 100
)

// tokenPatience is how long a page may bring nothing but errors before its
// token is given up: what the service answers to a stale one is not known.
const tokenPatience = 30 * time.Minute

// maxDrift is how far the service's clock may turn out to be from what a poll
// took it to be.
const maxDrift = 10 * time.Second

// A log that comes newest first is read in windows of time: its position moves when
// all pages of one are read. A window with more new events than maxWindow is asked for
// again with half the time, and so is one that can't be read to its end.
const (
	longestWindow  = 24 * time.Hour
	shortestWindow = time.Minute
	maxWindow      = 50_000
)

// Why another poll follows at once: the window is not the last, or it is asked for
// again, shorter.
var (
	errNextWindow  = errors.New("another window follows")
	errLargeWindow = errors.New("the window has too many events")
)

// refreshAfter is how much later than it is kept by an event must still be served
// for its id to be kept for longer.
const refreshAfter = time.Hour

// errClock ends a poll that began by a clock that was off: before the first
// answer, this machine's is all there is.
var errClock = errors.New("the service's clock is another one")

// paged polls a log that is served in pages. Events turn up late, and many
// share a second, so each poll reads some time again and drops what was
// delivered by its id.
type paged struct {
	s        *stream
	log      mimecast.Log    // its Family is log_source
	kind     string          // see [mimecast.PageRequest].FeedType
	logType  string          // the kind, or the log's Name
	filter   mimecast.Filter // nil: all events
	pageSize int
	customer string // see [mimecast.PageRequest].AccountCode

	lookback, overlap, interval time.Duration
	window                      time.Duration // of the next poll, after what is read again

	emptyPages int       // see [firstEmptyPages]
	saidEmpty  time.Time // when it was last said that they lead on

	start     time.Time      // where the first poll began, without a position
	pos       position.Paged // behind what is in the queue
	delivered map[[16]byte]int64
	decoder   record.JSONDecoder
}

func newPaged(s *stream, cfg config.Config, log mimecast.Log, kind string) *paged {
	s.report.keeps = log.Keeps
	return &paged{
		s: s, log: log, kind: kind, logType: cmp.Or(kind, log.Name), filter: cfg.Filter(log.Name),
		pageSize: cfg.PageSize, customer: cfg.AccountCode,
		lookback: cfg.InitialLookback, overlap: cfg.Overlap, interval: cfg.PollInterval, window: longestWindow,
		emptyPages: firstEmptyPages,
		delivered:  map[[16]byte]int64{},
	}
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
	p.s.report.keepsIDs(len(p.delivered))
	if p.pos.IsZero() {
		p.s.log.Info("no position yet: starting from initial_lookback", "initial_lookback", config.FormatDuration(p.lookback))
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
		case err == errNextWindow, err == errLargeWindow:
			p.s.worked(&backoff)
			err, begun = ctx.Err(), 0
		case err == errCircle:
			if err = p.s.warn(ctx, err, p.interval); err == nil {
				err = sleep.For(ctx, p.interval)
			}
			begun = 0
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
		p.s.log.Debug("polled", "from", run.ask.From.UTC().Format(time.RFC3339), "to", run.ask.To.UTC().Format(time.RFC3339), "events", run.events, "new", len(p.delivered)-known, "unparsed", run.unparsed)
	}()
	for {
		page, err := p.page(ctx, run)
		if drift := p.s.client.Now().Sub(run.now) - time.Since(began); err == nil && run.ask.Token == "" && drift.Abs() > maxDrift {
			err, p.start = errClock, time.Time{}
		}
		if err != nil {
			return p.giveUp(ctx, b, run, err)
		}
		circle, err := p.deliverAll(ctx, run, page.Events)
		if err != nil {
			return err
		}
		switch {
		case page.Next == "", run.empty > 0 && page.Next == run.ask.Token:
			return p.finish(ctx, run)
		case circle || run.saw(xxhash.Sum64String(page.Next)):
			return p.giveUp(ctx, b, run, errCircle)
		case run.empty == maxEmptyPages && !p.log.OldestFirst:
			p.sayEmpty()
			return p.finish(ctx, run)
		case run.empty == p.emptyPages && p.log.OldestFirst:
			// It looks like the end and need not be.
			if p.emptyPages == maxEmptyPages {
				p.sayEmpty()
				p.emptyPages = 0
			}
			p.emptyPages = min(max(2*p.emptyPages, firstEmptyPages), maxEmptyPages)
			return p.complete(ctx, p.reached(run), run.ask.To)
		case run.fresh > maxWindow && !p.log.OldestFirst && p.shorten(run):
			return errLargeWindow
		case run.fresh > maxWindow && p.log.OldestFirst && p.reached(run) != p.pos:
			next := p.reached(run) // what is known by then need not be kept
			if err := p.complete(ctx, next, upTo(next)); err != nil {
				return err
			}
			return errNextWindow
		}
		if next := p.reached(run); next != p.pos {
			p.s.report.fetched(upTo(next))
		}
		run.ask.Token = page.Next
	}
}

// sayEmpty says once in a while that a poll ended in pages without events though they
// lead to more.
func (p *paged) sayEmpty() {
	if time.Since(p.saidEmpty) < reminder {
		return
	}
	p.saidEmpty = time.Now()
	p.s.log.Warn("empty pages lead on; reading no further", "pages", maxEmptyPages,
		"what_to_do", "nothing if no events are missing; else ask Mimecast's support")
}

// finish moves the position after a poll that read all pages. It returns
// errNextWindow if another poll is to follow at once.
func (p *paged) finish(ctx context.Context, run *pagedRun) error {
	p.emptyPages = firstEmptyPages
	next := position.Paged{Newest: p.pos.Newest, LastPoll: run.ask.To}
	if !p.log.OldestFirst {
		next.Read = run.now
	}
	if run.newest.After(next.Newest) {
		next.Newest = run.newest
	}
	if err := p.complete(ctx, next, run.ask.To); err != nil {
		return err
	}
	if run.fresh < maxWindow/4 {
		p.window = min(2*p.window, longestWindow)
	}
	if run.ask.To.Before(run.now.Truncate(time.Second)) {
		return errNextWindow
	}
	return nil
}

// shorten has the next window take half the time of a poll's. It reports false if
// that can't be.
func (p *paged) shorten(run *pagedRun) bool {
	took := run.ask.To.Sub(latest(run.ask.From, p.pos.LastPoll))
	if took <= shortestWindow {
		return false
	}
	p.window = max(min(took, p.window)/2, shortestWindow)
	return true
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
		"initial_lookback", config.FormatDuration(p.lookback))
	if err := p.s.tell(ctx, comesAgain("the position was another customer's", time.Time{})); err != nil {
		return err
	}
	from.adopt(now)
	start := p.s.client.Now().Add(-p.lookback)
	if p.pos.IsZero() || p.pos.From(p.overlap).After(start) {
		p.pos = position.Paged{LastPoll: start.Add(p.overlap)}
		if !p.log.OldestFirst {
			p.pos = position.Paged{LastPoll: start, Read: p.s.client.Now()}
		}
		p.s.report.fetched(start)
	}
	return p.s.out.Move(ctx, checkpoint.Change{Position: p.pos})
}

// page asks for a poll's next page until it comes. It returns an error when a page
// is refused twice or fails for long, if another poll gets other tokens or takes a
// shorter window.
func (p *paged) page(ctx context.Context, run *pagedRun) (mimecast.Page, error) {
	var backoff mimecast.Backoff
	began := time.Now()
	log, refusals := p.log, 0
	for {
		if run.older {
			log.Endpoint = log.Older
		}
		page, err := p.s.client.Page(ctx, log, run.ask)
		if err == nil {
			p.s.answered()
			return page, nil
		}
		var refusal *mimecast.APIError
		isRefusal := errors.As(err, &refusal)
		if isRefusal && refusal.Status == http.StatusNotFound && run.ask.Token == "" && !run.older && log.Older.Path != "" {
			run.older = true
			continue
		}
		if isRefusal && !refusal.Retryable && !mimecast.IsAccessRefused(err) {
			refusals++
		}
		if (run.ask.Token != "" || !p.log.OldestFirst) && (refusals > 1 || time.Since(began) > tokenPatience) {
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

// deliverAll takes a page's events. It reports whether an earlier page of the poll
// had just the same. Those of such a page that have no id are not taken: they are
// no more events.
func (p *paged) deliverAll(ctx context.Context, run *pagedRun, events []mimecast.Event) (again bool, err error) {
	if len(events) == 0 {
		run.empty++
		return false, nil
	}
	run.empty = 0
	run.events += len(events)
	again = run.saw(hashOf(events))
	if again && ofOneTime(events) && run.repeats < maxWindow {
		again, run.repeats = false, run.repeats+len(events)
	}
	for _, e := range events {
		if !again {
			run.came(e.Time)
		}
		if again && e.ID == "" || run.beyond(e) {
			continue
		}
		if err := p.deliver(ctx, run, e); err != nil {
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
	if !p.log.OldestFirst || !run.last.After(run.first) || run.last.Before(run.newest.Add(-p.overlap)) {
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
		if !p.log.OldestFirst {
			p.shorten(run) // fewer pages
		}
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

// deliver appends an event to the open piece unless it was delivered before.
func (p *paged) deliver(ctx context.Context, run *pagedRun, e mimecast.Event) error {
	id := run.idOf(e)
	if kept, known := p.delivered[id.Hash]; known {
		p.s.report.stats.Known(1)
		if id.Unix-kept > int64(refreshAfter/time.Second) { // as long as it is served
			p.delivered[id.Hash] = id.Unix
			p.s.out.Keep(id)
		}
		return nil
	}
	run.fresh++
	origin := p.s.origin(p.log.Family, p.logType, run.now)
	origin.Time = p.log.Time
	buf := p.s.out.Buf(origin.Source, origin.Type)
	start := len(buf)
	buf, err := p.decoder.Object(buf, origin, e.JSON)
	if err != nil {
		return p.unparsed(ctx, run, e, id, origin, err)
	}
	p.s.out.Add(p.s.extras.add(buf, start, e.JSON, p.recordID(e, id)), delivery.Place{}, id)
	p.delivered[id.Hash] = id.Unix
	return p.s.out.Send(ctx)
}

// recordID returns the id of the record of an event that is kept as kept.
func (p *paged) recordID(e mimecast.Event, kept checkpoint.ID) string {
	switch {
	case p.s.extras.idKey == "":
		return ""
	case e.ID == "":
		return p.s.extras.hashed([]byte(p.kind), kept.Hash[:])
	case p.kind != "":
		return p.s.extras.named(p.kind + ":" + e.ID)
	}
	return p.s.extras.named(e.ID)
}

// unparsed puts the bytes of an event that can't be a record into records of a
// bounded size.
func (p *paged) unparsed(ctx context.Context, run *pagedRun, e mimecast.Event, id checkpoint.ID, o record.Origin, reason error) error {
	if run.unparsed++; run.unparsed == 1 {
		p.s.log.Error("an event can't be read", "means", unparsedMeans, "err", reason)
	}
	for offset := 0; offset < len(e.JSON); {
		raw := e.JSON[offset:min(offset+record.MaxRaw, len(e.JSON))]
		raw = raw[:record.CutText(raw)]
		var ids []checkpoint.ID // with the last record
		if offset+len(raw) == len(e.JSON) {
			ids = append(ids, id)
		}
		buf := p.s.out.Buf(o.Source, record.Unparsed)
		start := len(buf)
		buf = record.AppendUnparsed(buf, o, record.Piece{File: p.logType, Error: reason.Error(), Offset: int64(offset), Raw: raw})
		piece := p.s.extras.hashed([]byte(p.kind), id.Hash[:], []byte(strconv.Itoa(offset)))
		p.s.out.Add(p.s.extras.add(buf, start, nil, piece), delivery.Place{}, ids...)
		if err := p.s.out.Send(ctx); err != nil {
			return err
		}
		offset += len(raw)
	}
	p.delivered[id.Hash] = id.Unix
	return nil
}

// complete moves the position behind a poll, which read what there is up to a
// time.
func (p *paged) complete(ctx context.Context, next position.Paged, upTo time.Time) error {
	p.s.report.fetched(upTo)
	if next.IsZero() {
		return p.s.out.Flush(ctx)
	}
	from := next.From(p.overlap)
	before := earliest(from, next.FromNewest(p.overlap, from)).Add(-idsKept).Unix()
	if err := p.s.out.Move(ctx, checkpoint.Change{Position: next, ForgetBefore: before}); err != nil {
		return err
	}
	p.pos = next
	for hash, unix := range p.delivered {
		if unix < before {
			delete(p.delivered, hash)
		}
	}
	p.s.report.keepsIDs(len(p.delivered))
	return nil
}
