package collector

import (
	"context"
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/sleep"
	"fluent-bit-mimecast/mimecast"
)

const (
	// linksPerPage is how many links a page is asked for: the most.
	linksPerPage = 100
	// linksIdle is how often a type is asked for that has nothing new. Files come
	// about every fifteen minutes.
	linksIdle = 5 * time.Minute
)

// links polls one type of a log of API 2.0 that comes as links: page after page of
// links to files. The cursor moves when all files of its page are in the queue.
type links struct {
	s        *stream
	at       linkPage
	lookback time.Duration
	interval time.Duration // between requests that bring nothing new

	left    map[uint64]bool // hashes of the cursors that led on
	silence time.Time       // the end of the events before a silence that was said
}

func newLinks(s *stream, cfg config.Config, kind string, shared *linksShared, newFile func(dir string) (scratch, error)) *links {
	s.report.keeps = retention
	return &links{
		s: s,
		at: linkPage{
			s: s, kind: kind, logType: mimecast.SIEMLogType(kind), shared: shared, slot: make(chan struct{}, 1),
			typed:   cfg.Typed,
			scratch: func() (scratch, error) { return newFile(spoolDir(cfg)) },
		},
		lookback: cfg.InitialLookback, interval: max(cfg.PollInterval, s.pace.of(linksIdle)),
	}
}

func (p *links) load(s *checkpoint.Store) error {
	if err := p.s.load(s, &p.at.pos); err != nil {
		return err
	}
	p.s.report.starts(p.at.pos.At)
	if p.at.pos.Cursor != "" || p.at.pos.From != "" {
		return nil
	}
	var before position.SIEM
	found := false
	if api1 := p.at.shared.source.before; s != nil && api1 != "" {
		var err error
		if found, err = s.Load(checkpoint.Key{Account: p.s.key.Account, Log: api1}, &before); err != nil {
			return err
		}
	}
	if !found {
		p.s.log.Info("no position yet: starting from initial_lookback", "initial_lookback", config.FormatDuration(p.lookback))
		return nil
	}
	// A position without a time gives a day that firstDay raises to the earliest.
	since := before.At
	if !before.Last.IsZero() && before.Last.Before(since) {
		since = before.Last // what came late in API 1.0 may not have come yet
	}
	p.at.pos.From, p.at.pos.At = since.UTC().AddDate(0, 0, -1).Format(time.DateOnly), before.At
	p.s.report.starts(p.at.pos.At)
	p.s.log.Info("going on from where API 1.0 ended", "from", p.firstDay(), "position", before.At.UTC().Format(time.RFC3339),
		"means", "no event is missed; those of a day or two come again, in the form of API 2.0")
	return nil
}

// poll reads page after page.
func (p *links) poll(ctx context.Context) error {
	p.at.suspects, p.at.first, p.left = map[string]suspectFile{}, map[string]time.Time{}, map[uint64]bool{}
	for more := true; ; {
		page, err := p.page(ctx, more)
		if err == nil {
			more, err = p.deliver(ctx, page)
		}
		if errors.Is(err, errAnew) {
			more, err = true, sleep.For(ctx, p.at.rest)
			p.at.rest = 0
			clear(p.left)
		}
		if err == nil && !more {
			err = sleep.For(ctx, p.interval)
		}
		if err != nil {
			return err
		}
	}
}

// page asks for the page at the position until it comes.
func (p *links) page(ctx context.Context, urgent bool) (mimecast.SIEMPage, error) {
	var backoff mimecast.Backoff
	refused := false
	for {
		_, clock := p.s.client.ClockOffset()
		from := p.firstDay()
		r := mimecast.SIEMPageRequest{
			Endpoint: p.at.shared.source.endpoint, Type: p.at.kind, Cursor: p.at.pos.Cursor, PageSize: linksPerPage,
			Before: func(ctx context.Context) error { return p.at.shared.spend(ctx, urgent) },
		}
		if r.Cursor == "" && from != anyDay {
			r.From, _ = time.Parse(time.DateOnly, from)
		}
		page, err := p.s.client.SIEMPage(ctx, r)
		switch {
		case err == nil && r.Cursor == "" && !clock && p.firstDay() < from:
			continue // the day was by this machine's clock, which is ahead of the service's
		case err == nil:
			if r.Cursor == "" {
				p.at.pos.From = from
			}
			p.at.asked = time.Now()
			p.s.answered() // trouble with files goes on
			return page, nil
		case ctx.Err() != nil:
			return page, ctx.Err()
		case mimecast.IsInvalidDate(err) && r.Cursor == "" && from != anyDay:
			// The service's seven days may begin in the middle of one. Without a day
			// it begins with the earliest that it has.
			p.s.log.Info("the service refuses the first day", "from", from, "err", err)
			p.at.pos.From = anyDay
			continue
		case mimecast.IsInvalidCursor(err) && r.Cursor != "":
			if refused {
				return page, p.startOver(ctx, "the cursor is refused")
			}
			refused = true // once more: a cursor is too dear to believe it at the first word
			p.s.report.fails(err, tokenRetry)
			err = sleep.For(ctx, tokenRetry)
		default:
			refused, urgent = false, false
			err = p.s.failed(ctx, &backoff, err)
		}
		if err != nil {
			return page, err
		}
	}
}

// anyDay stands for no day: the service begins with the earliest logs that it has.
const anyDay = "any"

// firstDay returns the day to begin with: that of the position if it has one and the
// service still has that day.
func (p *links) firstDay() string {
	from := p.at.pos.From
	if from == "" {
		from = p.s.client.Now().UTC().Add(-min(p.lookback, retention)).Format(time.DateOnly)
	}
	return max(from, p.at.earliest().From)
}

// startOver moves the position to the earliest logs.
func (p *links) startOver(ctx context.Context, reason string) error {
	p.at.space()
	p.s.log.Error("starting again from the earliest logs", "reason", reason, "next_request_in", p.at.rest.String(),
		"means", "nothing that the service still keeps is lost; logs of up to seven days come again",
		"what_to_do", "nothing if it happens once; if it repeats, ask Mimecast's support")
	if err := p.s.tell(ctx, comesAgain(reason, p.at.pos.At)); err != nil {
		return err
	}
	p.s.out.RepeatedUpTo = uint32(max(p.at.pos.At.Unix(), 0))
	to := p.at.earliest()
	to.At = p.at.pos.At
	return p.at.move(ctx, to, errAnew)
}

// deliver puts the files of a page into the queue, and moves to the next page. It
// reports whether that may have something new. Files that can't be had are asked
// for again, after all others, under the links of the same page asked for again.
func (p *links) deliver(ctx context.Context, page mimecast.SIEMPage) (more bool, err error) {
	var backoff mimecast.Backoff
	fresh, asked := false, 0 // how often in vain
	due := map[string]bool{} // named by the page before, and not delivered
	for _, f := range p.at.pos.Failed {
		due[f.Path] = true
	}
	for _, f := range p.at.pos.Begun {
		due[f.Path] = true
	}
	for {
		p.at.sample = mimecast.SIEMLink{}
		var left []mimecast.SIEMLink
		named := map[string]bool{}
		for _, l := range page.Links {
			named[l.Path] = true
			if p.at.pos.IsDone(l.Path) {
				p.at.sample = l
				continue
			}
			left = append(left, l)
			due[l.Path] = true
		}
		for path := range due {
			if !named[path] && !p.at.pos.IsDone(path) {
				left = append(left, mimecast.SIEMLink{Path: path})
			}
		}
		fresh = fresh || len(left) > 0
		missed, err := p.at.files(ctx, left)
		if err != nil {
			return false, err
		}
		if missed.files == 0 {
			break
		}
		asked++
		some := missed.files < len(left)
		if some {
			asked = 0
			backoff.Reset()
		}
		if err := p.s.failed(ctx, &backoff, missed.why); err != nil {
			return false, err
		}
		if (!missed.gone || asked > 2) && time.Since(p.at.asked) < linkYoung {
			continue // a page costs a call of the quota
		}
		if page, err = p.page(ctx, some); err != nil {
			return false, err
		}
	}
	clear(p.at.suspects)
	clear(p.at.first)
	next := p.at.pos.Keep(page.Links)
	leads := page.Next != p.at.pos.Cursor
	if leads && p.left[xxhash.Sum64String(page.Next)] {
		// Files that come on the page later are not missed, and none comes twice.
		p.at.pos = next
		return false, p.s.warn(ctx, errCursorCircle, linksIdle)
	}
	more = !page.CaughtUp && (fresh || leads)
	switch {
	case more || page.CaughtUp:
		p.s.worked(&backoff)
	default:
		if err := p.s.warn(ctx, errCursorStands, linksIdle); err != nil {
			return false, err
		}
	}
	if leads {
		p.leave()
		next = p.at.pos.Next(page.Next)
	}
	if page.CaughtUp {
		next.At = p.s.client.Now()
		p.checkSilence()
	}
	p.s.report.fetched(next.At)
	if !fresh && !leads && time.Since(p.at.saved) < idleSave {
		p.at.pos = next
		return more, nil
	}
	return more, p.at.move(ctx, next, nil)
}

// maxLeft bounds the cursors that a circle is looked for in.
const maxLeft = 4096

// What ends a pass though the service says that more follows: the page leads back to
// one that was read, or has nothing new and leads nowhere.
var (
	errCursorCircle = errors.New("the cursor leads back to a page that was read; asking for the last one again")
	errCursorStands = errors.New("more is to follow, but the cursor leads nowhere; asking for the page again")
)

// leave notes that the cursor leads on to another.
func (p *links) leave() {
	if len(p.left) == maxLeft {
		clear(p.left)
	}
	p.left[xxhash.Sum64String(p.at.pos.Cursor)] = true
}

const (
	// steady is how long a type has had events every day before a day without any
	// is worth a warning: small customers have none of some types at a weekend.
	steady = 7 * 24 * time.Hour
	silent = 24 * time.Hour
)

// checkSilence warns, once, of a type that had events daily and has none any more
// while other types have.
func (p *links) checkSilence() {
	flow := p.at.pos.Flow
	came := time.Unix(0, p.at.shared.came.Load())
	switch {
	case flow.Last.Sub(flow.Since) < steady, p.s.client.Now().Sub(flow.Last) < silent,
		flow.Last.Equal(p.silence), time.Since(came) > time.Hour:
		return
	}
	p.silence = flow.Last
	check := "check the licence"
	if setting := p.at.shared.source.endpoint.Setting; setting != "" {
		check += ", and " + setting
	}
	p.s.log.Warn("no events of a type for a day", "type", p.at.kind, "last", flow.Last.Format(time.RFC3339),
		"means", "other types have events, and this one had some every day",
		"what_to_do", "see in Mimecast's console whether there are any; "+check)
}
