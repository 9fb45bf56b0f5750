package collector

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/mimecast"
)

const (
	// idleSave is how often an idle stream writes that it is up to date.
	idleSave = 10 * time.Minute
	// tokenRetry is how long to wait before a refused token is tried once more.
	tokenRetry = 2 * time.Second
	// A batch may come back different each time and still not be readable, for
	// instance when the service packs it anew for each request. It is taken as
	// it is after so many times with the same fault, or so many with any.
	maxAlike   = 3
	maxChanges = 8
	// maxSteps is how many answers without records, in a row, may lead on at once.
	maxSteps = 10
	// restartInterval is the least time between two restarts from the earliest
	// logs, each of which delivers up to seven days again, and between two returns
	// to the batch before a refused token.
	restartInterval = 10 * time.Minute
)

// progress is how much of the batch at a token has been delivered.
type progress struct {
	Token string `json:"token"` // empty: the earliest batch that the service has

	// Of the batch, if some of it has been delivered:
	Format   mimecast.Format `json:"format,omitempty"` // as it was asked for
	Compress bool            `json:"compress,omitempty"`
	File     string          `json:"file,omitempty"` // that the last record came from
	Records  int             `json:"records,omitempty"`
	Digest   uint64          `json:"digest,string,omitempty"` // of what was delivered
}

// siemPosition is where the SIEM stream is: behind so many records of the batch
// at a token.
type siemPosition struct {
	progress // in the current batch

	// Previous is the last batch before the current one; nil when it is not known.
	Previous *progress `json:"previous,omitempty"`
	// Refused is what was delivered at the token after the current batch, when the
	// service has refused that token and the stream has gone back to this batch.
	Refused *progress `json:"refused,omitempty"`

	// At is the time up to which logs were delivered, by the service's clock.
	At time.Time `json:"at"`
}

// follow returns the position at the token that the current batch leads to.
func (pos siemPosition) follow(token string) siemPosition {
	previous := pos.progress
	next := siemPosition{Previous: &previous, At: pos.At}
	if pos.Refused != nil {
		// It is expected here, and skipped if the batch begins with it.
		next.progress = *pos.Refused
	}
	next.Token = token
	return next
}

// siem polls the SIEM (MTA) logs: batch after batch, each behind the token that
// came with the one before.
type siem struct {
	*stream
	format   mimecast.Format
	compress bool
	interval time.Duration
	dir      string // for large batches
	reader   record.Reader
	rawBuf   []byte

	pos   siemPosition // behind what is in the queue
	saved time.Time    // when pos was last put there

	// settled is the batch that pos is behind, with the size and sum of its body
	// alone, if its next token is its own; nil otherwise.
	settled *fetched
	ownSaid bool // it has been said that a batch's next token is its own
	noNext  bool // and that there is more, without a token

	// After a refused token:
	tried     *progress     // the batch gone back to, until another is delivered
	wentBack  time.Time     // when it last went back to a batch
	restarted time.Time     // when it last started from the earliest logs
	rest      time.Duration // before the next request
}

func newSIEM(s *stream, cfg config.Config) *siem {
	dir := os.TempDir()
	if cfg.DB != "" {
		dir = filepath.Dir(cfg.DB)
	}
	return &siem{stream: s, format: cfg.SIEMFormat, compress: cfg.SIEMCompress, interval: cfg.PollInterval, dir: dir}
}

func (p *siem) load(s *checkpoint.Store) error {
	if err := p.stream.load(s, &p.pos); err != nil {
		return err
	}
	if p.pos.Token == "" && p.pos.Records == 0 {
		p.log.Info("no position yet: starting from the earliest logs that the service has")
	}
	p.report.starts(p.pos.At)
	return nil
}

// fetched is an answer to a request: a batch, a step to another token, or nothing
// new.
type fetched struct {
	request mimecast.SIEMRequest
	name    string
	next    string   // the token to go on at, which may be the request's own
	noNext  bool     // there is more by the answer's word, without a token for it
	body    *spooled // nil: no batch
	refused bool     // no answer, because the service no longer knows the token

	// then is the request that fetchAhead makes next. The poll ends if the position
	// leads to another one.
	then mimecast.SIEMRequest
}

// own reports whether the answer leads to no other token than the request's.
func (f *fetched) own() bool { return f.next == f.request.Token }

// errElsewhere ends a poll whose position leads to another request than that
// being made ahead.
var errElsewhere = errors.New("the position leads elsewhere")

// poll fetches batches and delivers them.
func (p *siem) poll(ctx context.Context) error {
	for {
		if err := p.pollAhead(ctx); err != errElsewhere {
			return err
		}
		if err := pause(ctx, p.rest); err != nil {
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
		p.fetchAhead(ctx, p.request(), ahead)
	})
	defer func() {
		cancel()
		for f := range ahead {
			f.close()
		}
		fetching.Wait()
	}()
	busy := int32(0)
	defer func() { p.busy.Add(-busy) }()
	for f := range ahead {
		// Behind a batch another one may be on its way.
		was := busy
		if busy = 0; f.body != nil {
			busy = 1
		}
		p.busy.Add(busy - was)
		then := f.then
		err := p.deliver(ctx, f)
		f.close()
		if err == nil && p.request() != then {
			err = errElsewhere
		}
		if err != nil {
			return err
		}
	}
	return failure
}

func (f *fetched) close() {
	if f.body != nil {
		f.body.Close()
	}
}

// request is the one to start with. A batch that has been begun is asked for
// the way it was then.
func (p *siem) request() mimecast.SIEMRequest {
	if p.pos.Records > 0 {
		return mimecast.SIEMRequest{Token: p.pos.Token, Format: p.pos.Format, Compress: p.pos.Compress}
	}
	return mimecast.SIEMRequest{Token: p.pos.Token, Format: p.format, Compress: p.compress}
}

// fetchAhead follows the tokens and sends what it gets, until ctx ends or a token
// is refused: where to go on then is the deliverer's to decide.
func (p *siem) fetchAhead(ctx context.Context, r mimecast.SIEMRequest, ahead chan<- *fetched) {
	steps := 0 // in a row
	for {
		f, err := p.fetch(ctx, r)
		if err != nil {
			return
		}
		then := r
		switch {
		case f.refused:
			then = mimecast.SIEMRequest{}
		case f.own():
			steps = 0
		case f.body == nil:
			then.Token = f.next
			steps++
		default:
			then = mimecast.SIEMRequest{Token: f.next, Format: p.format, Compress: p.compress}
			steps = 0
		}
		refused := f.refused
		f.then = then
		select {
		case ahead <- f: // and it is not ours any more
		case <-ctx.Done():
			f.close()
			return
		}
		if refused {
			return
		}
		if then == r || steps == maxSteps {
			_ = pause(ctx, p.interval)
			steps = 0
		}
		r = then
	}
}

// fetch makes a request until it is answered, or ctx ends.
func (p *siem) fetch(ctx context.Context, r mimecast.SIEMRequest) (*fetched, error) {
	var backoff mimecast.Backoff
	refused := false
	for {
		f, err := p.try(ctx, r)
		switch {
		case err == nil:
			p.worked(&backoff)
			return f, nil
		case mimecast.IsInvalidToken(err) && r.Token != "" && ctx.Err() == nil:
			if refused {
				return &fetched{request: r, refused: true}, nil
			}
			// Once more: a token is too dear to believe it at the first word.
			refused = true
			p.report.fails(err, tokenRetry)
			err = pause(ctx, tokenRetry)
		default:
			refused = false
			err = p.failed(ctx, &backoff, err)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *siem) try(ctx context.Context, r mimecast.SIEMRequest) (*fetched, error) {
	batch, err := p.client.SIEMLogs(ctx, r)
	if err != nil {
		return nil, err
	}
	if batch == nil {
		return &fetched{request: r, next: r.Token}, nil
	}
	if batch.Body == nil {
		return &fetched{request: r, next: batch.NextToken, noNext: batch.NoNext}, nil
	}
	defer batch.Body.Close()
	body, err := spool(batch.Body, func() (scratch, error) { return p.scratch(p.dir) })
	if err != nil {
		return nil, fmt.Errorf("fetching a batch: %w", err)
	}
	return &fetched{request: r, name: batch.FileName, next: batch.NextToken, noNext: batch.NoNext, body: body}, nil
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
		p.log.Debug("nothing new")
		p.pos.At = p.client.Now()
		p.report.fetched(p.pos.At)
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
	p.log.Debug("the service leads on without a batch")
	if p.settled != nil || p.pos.Refused != nil {
		p.pos, p.settled = p.pos.follow(token), nil
	}
	p.pos.Token = token
	p.report.fetched(p.pos.At)
	return p.save(ctx)
}

// goBack moves the position from a refused token to the batch before, which may
// lead on to another token. The file keeps the position before that: a restart
// finds the token refused, or valid again.
func (p *siem) goBack(ctx context.Context) error {
	previous, refused := p.pos.Previous, p.pos.progress
	switch {
	case p.pos.Refused != nil:
		return p.startOver(ctx, "the batch before the refused token is refused too")
	case previous == nil:
		return p.startOver(ctx, "a token is refused; the batch before it is not known")
	case p.tried != nil && p.tried.Token == previous.Token:
		return p.startOver(ctx, "a batch has led to a refused token again")
	}
	p.space(&p.wentBack)
	p.log.Warn("the service refuses the position's token", "means", "the batch before it is asked where to go on",
		"next_request_in", p.rest.String(), "what_to_do", "nothing if logs go on; if it repeats, ask Mimecast's support")
	p.pos = siemPosition{progress: *previous, Refused: &refused, At: p.pos.At}
	p.settled, p.tried = nil, previous
	return errElsewhere
}

// startOver moves the position to the earliest logs.
func (p *siem) startOver(ctx context.Context, reason string) error {
	p.space(&p.restarted)
	p.log.Error("starting again from the earliest logs", "reason", reason, "next_request_in", p.rest.String(),
		"means", "nothing that the service still keeps is lost; logs of up to seven days come again",
		"what_to_do", "nothing if it happens once; if it repeats, ask Mimecast's support")
	p.again = uint32(max(p.pos.At.Unix(), 0))
	p.pos, p.settled = siemPosition{At: p.pos.At}, nil
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
		p.log.Warn("the service says there is more, without a token",
			"means", "it counts as nothing new; the same token is asked again after poll_interval",
			"what_to_do", "if this lasts, ask Mimecast's support: logs may be waiting")
	}
	p.noNext = f.noNext
}

// isSettled reports whether f is the batch that the position is behind, with the
// content that it had then.
func (p *siem) isSettled(f *fetched) bool {
	return p.settled != nil && f.body != nil && p.settled.request == f.request && p.settled.body.same(f.body)
}

// delivered notes that all of a batch is in the queue.
func (p *siem) delivered(f *fetched) {
	p.settled = nil
	if p.tried != nil && p.tried.Token != f.request.Token {
		p.tried = nil
	}
	if !f.own() {
		return
	}
	p.settled = &fetched{request: f.request, body: &spooled{size: f.body.size, sum: f.body.sum}}
	if !p.ownSaid {
		p.ownSaid = true
		p.log.Warn("a batch's next token is its own", "batch", record.CleanName(f.name),
			"means", "it is delivered once, and asked for again after poll_interval until it changes or leads on")
	}
}

// save puts the position alone into the queue.
func (p *siem) save(ctx context.Context) error {
	if err := p.put(ctx, p.change(p.pos)); err != nil {
		return err
	}
	p.saved = time.Now()
	return nil
}

// deliverBatch decodes a batch and puts its records into the queue, those
// behind the position.
func (p *siem) deliverBatch(ctx context.Context, f *fetched) error {
	changes, alike := 0, 0
	var was oddity
	for {
		run := newBatchRun(p, f)
		run.confirmed = changes == maxChanges || alike == maxAlike
		err := run.decodeAll(ctx)
		if err == nil {
			return nil
		}
		run.discard()
		switch err := err.(type) {
		case *changedError:
			p.log.Warn("a batch that could not be read has come back different; going on with the new one",
				"file", err.was.file, "err", err.was.reason, "offset", err.was.offset)
			f.close()
			*f = *err.now
			if alike++; err.was != was {
				was, alike = err.was, 1
			}
			if changes++; changes > 1 {
				if err := pause(ctx, time.Second<<changes); err != nil {
					return err
				}
			}
		case *mismatchError:
			p.log.Warn("the batch is not the one that was begun before; delivering all of it again", "delivered_before", p.pos.Records, "file", p.pos.File)
			p.pos.progress = progress{Token: p.pos.Token}
		default:
			return err
		}
	}
}
