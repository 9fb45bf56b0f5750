package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/internal/sleep"
	"fluent-bit-mimecast/mimecast"
)

const (
	// idleSave is how often an idle log writes that it is up to date.
	idleSave = 10 * time.Minute
	// A batch may come back different each time and still not be readable, for
	// instance when the service packs it anew for each request. It is taken as
	// it is after so many times with the same fault, or so many with any.
	maxAlike   = 3
	maxChanges = 8
	// restartInterval is the least time between two restarts from the earliest
	// logs, each of which delivers up to seven days again, and between two returns
	// to the batch before a refused token.
	restartInterval = 10 * time.Minute
)

// siem polls the SIEM (MTA) logs: batch after batch, each at the token that
// came with the one before.
type siem struct {
	s     *stream
	fetch fetcher

	pos   position.SIEM // after what is in the queue
	saved time.Time     // when pos was last put there

	// settled is the batch that pos is after, if its next token is its own.
	settled settled
	ownSaid bool // it was logged that a batch's next token is its own
	noNext  bool // and that there is more, without a token

	// After a refused token:
	tried     *position.Batch // the batch gone back to, until another is delivered
	wentBack  time.Time       // when it last went back to a batch
	restarted time.Time       // when it last started from the earliest logs
	rest      time.Duration   // before the next request
}

// settled is a batch that was delivered. The zero value is none.
type settled struct {
	request   mimecast.SIEMRequest
	size      int64
	sum       uint64
	delivered bool
}

func newSIEM(s *stream, cfg config.Config, newFile func(dir string) (scratch, error)) *siem {
	s.report.keeps = retention
	return &siem{s: s, fetch: fetcher{
		s: s, format: cfg.SIEMFormat, compress: cfg.SIEMCompress, interval: cfg.PollInterval,
		scratch: func() (scratch, error) { return newFile(spoolDir(cfg)) },
	}}
}

func (p *siem) load(s *checkpoint.Store) error {
	if err := p.s.load(s, &p.pos); err != nil {
		return err
	}
	if p.pos.Token == "" && p.pos.Records == 0 {
		p.s.log.Info("no position yet: starting from the earliest logs that the service has")
	}
	p.s.report.starts(p.pos.At)
	return nil
}

// errElsewhere ends a poll whose position leads to another request than that
// being made ahead.
var errElsewhere = errors.New("the position leads elsewhere")

// poll fetches batches and delivers them.
func (p *siem) poll(ctx context.Context) error {
	for {
		if err := p.pollAhead(ctx); err != errElsewhere {
			return err
		}
		if err := sleep.For(ctx, p.rest); err != nil {
			return err
		}
		p.rest = 0
	}
}

// pollAhead fetches batches ahead of their delivery, one at a time, from the
// position on.
func (p *siem) pollAhead(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	ahead := make(chan *fetched)
	var fetching sync.WaitGroup
	var failure error
	fetching.Go(func() {
		defer close(ahead)
		defer func() {
			if r := recover(); r != nil {
				failure = fmt.Errorf("a bug in this plugin; please report it: fetching: %v", r)
			}
		}()
		p.fetch.ahead(ctx, p.request(), ahead)
	})
	defer func() {
		cancel()
		for f := range ahead {
			f.Close()
		}
		fetching.Wait()
	}()
	busy := int32(0)
	defer func() { p.s.queue.Coming(-busy) }()
	for f := range ahead {
		// Behind a batch another one may be on its way.
		was := busy
		if busy = 0; f.body != nil {
			busy = 1
		}
		p.s.queue.Coming(busy - was)
		then := f.then
		err := p.deliver(ctx, f)
		f.Close()
		if err == nil && p.request() != then {
			err = errElsewhere
		}
		if err != nil {
			return err
		}
	}
	return failure
}

// request is the one to start with. A batch that has been begun is asked for
// the way it was then.
func (p *siem) request() mimecast.SIEMRequest {
	if p.pos.Records > 0 {
		return mimecast.SIEMRequest{Token: p.pos.Token, Format: p.pos.Format, Compress: p.pos.Compress}
	}
	return p.fetch.request(p.pos.Token)
}

// deliver puts what was fetched into the queue.
func (p *siem) deliver(ctx context.Context, f *fetched) error {
	p.sayNoNext(f)
	switch {
	case f.refused:
		return p.goBack(ctx)
	case p.pos.Refused != nil && f.own():
		return p.startOver(ctx, "the batch before the refused token leads nowhere")
	case p.pos.Refused != nil && f.next == p.pos.Refused.Token:
		return p.startOver(ctx, "the batch before the refused token leads to it again")
	case f.own() && (f.body == nil || p.isSettled(f)):
		p.s.log.Debug("nothing new")
		p.pos.At = p.s.client.Now()
		p.s.report.fetched(p.pos.At)
		if time.Since(p.saved) < idleSave {
			return nil
		}
		return p.save(ctx)
	case f.body == nil || p.isSettled(f):
		return p.step(ctx, f.next)
	}
	return p.deliverBatch(ctx, f)
}

// step moves the position to another token without a record. What was delivered
// of a batch that was begun may come at that token: it is skipped there if it
// does.
func (p *siem) step(ctx context.Context, token string) error {
	p.s.log.Debug("the service leads on without a batch")
	if p.settled.delivered || p.pos.Refused != nil {
		p.pos, p.settled = p.pos.Follow(token), settled{}
	}
	p.pos.Token = token
	p.s.report.fetched(p.pos.At)
	return p.save(ctx)
}

// goBack moves the position from a refused token to the batch before, which may
// lead on to another token. The file keeps the position before that: a restart
// finds the token refused, or valid again.
func (p *siem) goBack(ctx context.Context) error {
	previous, refused := p.pos.Previous, p.pos.Batch
	switch {
	case p.pos.Refused != nil:
		return p.startOver(ctx, "the batch before the refused token is refused too")
	case previous == nil:
		return p.startOver(ctx, "a token is refused; the batch before it is not known")
	case p.tried != nil && p.tried.Token == previous.Token:
		return p.startOver(ctx, "a batch has led to a refused token again")
	}
	p.space(&p.wentBack)
	p.s.log.Warn("the service refuses the position's token", "means", "the batch before it is asked where to go on",
		"next_request_in", p.rest.String(), "what_to_do", "nothing if logs go on; if it repeats, ask Mimecast's support")
	p.pos = position.SIEM{Batch: *previous, Refused: &refused, At: p.pos.At}
	p.settled, p.tried = settled{}, previous
	return errElsewhere
}

// startOver moves the position to the earliest logs.
func (p *siem) startOver(ctx context.Context, reason string) error {
	p.space(&p.restarted)
	p.s.log.Error("starting again from the earliest logs", "reason", reason, "next_request_in", p.rest.String(),
		"means", "nothing that the service still keeps is lost; logs of up to seven days come again",
		"what_to_do", "nothing if it happens once; if it repeats, ask Mimecast's support")
	if err := p.s.tell(ctx, comesAgain(reason, p.pos.At)); err != nil {
		return err
	}
	p.s.out.RepeatedUpTo = uint32(max(p.pos.At.Unix(), 0))
	p.pos, p.settled = position.SIEM{At: p.pos.At}, settled{}
	if err := p.save(ctx); err != nil {
		return err
	}
	return errElsewhere
}

// space has the next request wait if the last move of its kind, which it notes,
// was not long ago.
func (p *siem) space(last *time.Time) {
	if !last.IsZero() && time.Since(*last) < restartInterval {
		p.rest = restartInterval
	}
	*last = time.Now().Add(p.rest)
}

// sayNoNext says, once as long as it lasts, that there is more and no way to it.
func (p *siem) sayNoNext(f *fetched) {
	if f.noNext && !p.noNext {
		p.s.log.Warn("the service says there is more, without a token",
			"means", "it counts as nothing new; the same token is asked again after poll_interval",
			"what_to_do", "if this lasts, ask Mimecast's support: logs may be waiting")
	}
	p.noNext = f.noNext
}

// isSettled reports whether f is the batch that the position is behind, with the
// content that it had then.
func (p *siem) isSettled(f *fetched) bool { return f.body != nil && p.settled == settledBy(f) }

func settledBy(f *fetched) settled { return settled{f.request, f.body.size, f.body.sum, true} }

// delivered notes that all of a batch is in the queue.
func (p *siem) delivered(f *fetched) {
	p.settled = settled{}
	if p.tried != nil && p.tried.Token != f.request.Token {
		p.tried = nil
	}
	if !f.own() {
		return
	}
	p.settled = settledBy(f)
	if !p.ownSaid {
		p.ownSaid = true
		p.s.log.Warn("a batch's next token is its own", "batch", record.CleanName(f.name),
			"means", "it is delivered once, and asked for again after poll_interval until it changes or leads on")
	}
}

// save puts the position alone into the queue.
func (p *siem) save(ctx context.Context) error {
	if err := p.s.out.Move(ctx, checkpoint.Change{Position: p.pos}); err != nil {
		return err
	}
	p.saved = time.Now()
	return nil
}

// deliverBatch puts the records of a batch after the position into the queue. What
// is odd in it counts only when it comes alike twice: otherwise the batch is
// asked for again.
func (p *siem) deliverBatch(ctx context.Context, f *fetched) error {
	var was suspect
	changes, alike, confirmed := 0, 0, false
	defer func() { f.Close() }() // the last one
	defer p.s.out.Discard()      // what a pass that failed has left: no later move may take it along
	for {
		d, seen := p.decoding(f), codes{}
		d.confirmed = confirmed || changes == maxChanges || alike == maxAlike
		d.saw = func(code []byte) { p.s.from.saw(seen, code) }
		err := p.decode(ctx, f, d)
		if err == nil {
			return p.finish(ctx, f, d, seen)
		}
		odd := suspect{}
		switch {
		case errors.As(err, &odd):
			again, err := p.fetch.fetch(ctx, f.request)
			if err != nil {
				return err
			}
			// When the batch can't be had any more, what is here is all there is.
			if confirmed = again.body == nil || again.body.same(f.body); confirmed {
				again.Close()
				continue
			}
			p.s.log.Warn("a batch that can't be read came back different; going on with it",
				"file", odd.file, "err", odd.reason, "offset", odd.offset)
			f.Close()
			f = again
			if alike++; odd != was {
				was, alike = odd, 1
			}
			if changes++; changes > 1 {
				if err := sleep.For(ctx, time.Second<<changes); err != nil {
					return err
				}
			}
		case err == errMismatch:
			p.s.log.Warn("a batch has changed since it was begun; delivering it from the start",
				"delivered_before", p.pos.Records, "file", p.pos.File)
			if err := p.s.tell(ctx, changed(p.pos.File, p.pos.Records)); err != nil {
				return err
			}
			p.pos.Batch = position.Batch{Token: p.pos.Token}
		default:
			return err
		}
	}
}

// decoding returns a pass over a batch, from the position on.
func (p *siem) decoding(f *fetched) *decoding {
	d := &decoding{
		batch: f.body, name: f.name, json: f.request.Format == mimecast.JSON,
		out: p.s.out, memory: p.s.memory, log: p.s.log, collected: p.s.client.Now(),
		accounts: record.NewAccounts("acc"), ids: fileIDs{extras: p.s.extras}, idFile: f.request.Token,
	}
	d.origin = func(file string) record.Origin {
		return p.s.origin(sourceSIEM, record.TypeOf(file), d.collected)
	}
	pos := p.pos
	p.s.out.Position = func(at delivery.Place) any {
		pos.Batch = position.BatchAt(f.request, at)
		return pos
	}
	p.s.out.Discard()
	p.s.out.Begin(p.pos.Place(), d.collected)
	return d
}

// decode makes a pass over a batch, and puts its full pieces into the queue. However
// that ends, the position follows what is in the queue.
func (p *siem) decode(ctx context.Context, f *fetched, d *decoding) error {
	begun := p.pos.Place()
	defer func() {
		if at := p.s.out.Sent(); at != begun {
			p.pos.Batch, p.saved = position.BatchAt(f.request, at), time.Now()
		}
	}()
	if err := d.run(ctx); err != nil {
		return err
	}
	return p.s.out.Send(ctx)
}

// finish puts the last records of a batch into the queue, and the position after
// them: at the next batch, or after this one when it leads to no other.
func (p *siem) finish(ctx context.Context, f *fetched, d *decoding, seen codes) error {
	next := p.pos
	next.Batch, next.At = position.BatchAt(f.request, d.at), p.s.upTo(p.pos.At)
	if newest := p.s.out.Newest(); newest > 0 {
		next.Last = time.Unix(int64(newest), 0).UTC()
	}
	if !f.own() {
		next = next.Follow(f.next)
	}
	from, elsewhere := p.checkTenant(f, seen)
	if elsewhere {
		next = position.SIEM{}
		if err := p.s.tell(ctx, comesAgain("the position was another customer's", time.Time{})); err != nil {
			return err
		}
	}
	// What is written inside the batch has the origin of before.
	if err := p.s.out.Move(ctx, checkpoint.Change{Position: next, Origin: from.origin}); err != nil {
		return err
	}
	p.pos, p.s.from, p.saved = next, from, time.Now()
	p.s.report.fetched(next.At)
	p.s.report.stats.Known(d.skip.Records)
	p.s.log.Debug("a batch is queued", "records", d.at.Records, "delivered_before", d.skip.Records, "bytes", f.body.size)
	if elsewhere {
		p.settled = settled{}
		return errElsewhere
	}
	p.delivered(f)
	return nil
}

// checkTenant finds out whether a position that was reached with another host or
// application id is of the same customer, from the records of the whole batch. It
// returns the provenance of the position after the batch, and whether the log has
// to start from the earliest since it is another customer's. A batch that is the
// earliest is where that would start.
func (p *siem) checkTenant(f *fetched, seen codes) (from provenance, elsewhere bool) {
	from, judged := p.s.from.settle(seen)
	if judged != otherTenant {
		return from, false
	}
	means := "this log starts with this batch, the earliest that the service has"
	if elsewhere = f.request.Token != ""; elsewhere {
		p.space(&p.restarted)
		means = "this log starts from the earliest that the service has; some records may come again"
	}
	p.s.from.sayOther(p.s.log, seen, means, "next_request_in", p.rest.String())
	p.s.out.RepeatedUpTo = 0
	return from, elsewhere
}
