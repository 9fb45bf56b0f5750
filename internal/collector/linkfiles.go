package collector

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/mimecast"
)

const (
	// linkPatience is how long a file may be refused, under fresh links too, before
	// the log goes on without it.
	linkPatience = 6 * time.Hour
	// maxSuspect is after how many times a file that came odd each time in another way
	// is taken as it is.
	maxSuspect = 8
	// slotPatience is how long a download waits for those of other types, which may
	// hang.
	slotPatience = 20 * time.Second
	// linkMemory is how much of a file is kept in memory; a larger one goes to a file
	// that has no name. It is minLinkMemory where the share of memory is the smallest.
	linkMemory    = 256 << 10
	minLinkMemory = 64 << 10
	// linkYoung is how old a link may be for its refusal to count.
	linkYoung = 5 * time.Minute
)

// linkPage is the page of files at a position. It delivers them, and moves the
// position over what is in the queue.
type linkPage struct {
	s       *stream
	kind    string // as Mimecast names the type
	logType string
	typed   bool // see [record.Origin].Typed
	shared  *linksShared
	slot    chan struct{} // of its own, for one file
	scratch func() (scratch, error)

	pos   position.Links // after what is in the queue
	saved time.Time      // when pos was last put there

	suspects  map[string]suspectFile // by path: what could not be read and has not been confirmed
	asked     time.Time              // when the page came
	first     map[string]time.Time   // by path: when it is first asked in this run whether it fails for good
	sample    mimecast.SIEMLink      // of a file of the page that was delivered; zero if there is none
	restarted time.Time              // when it last started from the earliest logs
	rest      time.Duration          // before the next request
}

// errAnew ends the work on a page: the position has gone elsewhere.
var errAnew = errors.New("the position leads elsewhere")

// suspectFile is what a file was when something in it could not be read.
type suspectFile struct {
	size  int64
	sum   uint64
	times int
}

// download is a file on its way to the decoder.
type download struct {
	link mimecast.SIEMLink
	body *spooled
	err  error
	at   time.Time // when it was asked for
	slot *linkSlot // that it takes
}

// missed is what files could not be had, or are to be read once more.
type missed struct {
	files int
	why   error // the last one's
	gone  bool  // the link of one
}

func (m *missed) add(why error) {
	m.files++
	m.why, m.gone = why, m.gone || mimecast.IsLinkGone(why)
}

// files delivers files, each downloaded while the one before is decoded.
func (p *linkPage) files(ctx context.Context, list []mimecast.SIEMLink) (m missed, err error) {
	ctx, cancel := context.WithCancel(ctx)
	late := p.late(ctx)
	ahead := make(chan download)
	var fetching sync.WaitGroup
	var failure error
	fetching.Go(func() {
		defer close(ahead)
		defer func() {
			if r := recover(); r != nil {
				failure = fmt.Errorf("a bug in this plugin; please report it: downloading: %v", r)
			}
		}()
		p.download(ctx, list, late, ahead)
	})
	busy := int32(0)
	defer func() {
		cancel()
		for d := range ahead {
			p.drop(d)
		}
		fetching.Wait()
		p.s.queue.Coming(-busy)
	}()
	if len(list) > 0 {
		busy = 1
		p.s.queue.Coming(busy)
	}
	for d := range ahead {
		err := func() error {
			defer p.drop(d) // also when it panics
			if d.err != nil {
				return d.err
			}
			return p.file(ctx, d)
		}()
		var odd suspect
		switch {
		case err == nil:
		case ctx.Err() != nil, errors.Is(err, errAnew):
			return m, err
		case d.err != nil, errors.As(err, &odd), errors.Is(err, errMismatch):
			given, stop := p.gone(ctx, d, err)
			if stop != nil {
				return m, stop
			}
			if !given {
				m.add(err)
			}
		default:
			return m, err
		}
	}
	return m, cmp.Or(failure, ctx.Err())
}

// late returns the files of the page that can't be had for long.
func (p *linkPage) late(ctx context.Context) map[string]bool {
	late := map[string]bool{}
	for _, f := range p.pos.Failed {
		late[f.Path] = p.s.client.Now().Sub(f.Since) > linkPatience && p.lasting(ctx, f.Path, f.Since)
	}
	return late
}

// download fetches files in turn and sends them on, until ctx ends. What comes for
// one that is late counts as it is.
func (p *linkPage) download(ctx context.Context, list []mimecast.SIEMLink, late map[string]bool, to chan<- download) {
	for _, l := range list {
		slot := p.acquireSlot(ctx)
		if slot == nil {
			return
		}
		if !p.pass(ctx, download{link: l, at: time.Now(), slot: slot}, late[l.Path], to) {
			return
		}
	}
}

// linkSlot is the right to have a file.
type linkSlot struct {
	memory int // how much of the file may be kept there
	free   func()
}

// acquireSlot waits for a slot that the types share, and after a while for the type's own
// too, which has no memory. It returns nil when ctx ends.
func (p *linkPage) acquireSlot(ctx context.Context) *linkSlot {
	patience := time.NewTimer(slotPatience)
	defer patience.Stop()
	turn := p.shared.slots.Line()
	var own chan struct{} // not yet
	for {
		select {
		case <-turn:
			return &linkSlot{p.s.memory.Bound(minLinkMemory, linkMemory), p.shared.slots.Leave}
		case own <- struct{}{}:
			p.shared.slots.Quit(turn)
			return &linkSlot{0, func() { <-p.slot }}
		case <-patience.C:
			own = p.slot
		case <-ctx.Done():
			p.shared.slots.Quit(turn)
			return nil
		}
	}
}

// pass downloads a file, whose slot is taken, and passes it on. It reports whether
// it has. Otherwise the slot is free again, also after a panic.
func (p *linkPage) pass(ctx context.Context, d download, late bool, to chan<- download) (passed bool) {
	defer func() {
		if !passed {
			p.drop(d)
		}
	}()
	d.body, d.err = p.fetch(ctx, d.link, d.slot.memory, late)
	select {
	case to <- d:
		return true
	case <-ctx.Done():
		return false
	}
}

// drop gives up a download and its slot.
func (p *linkPage) drop(d download) {
	if d.body != nil {
		d.body.Close()
	}
	d.slot.free()
}

func (p *linkPage) fetch(ctx context.Context, l mimecast.SIEMLink, keep int, late bool) (*spooled, error) {
	if l.URL == "" {
		return nil, &mimecast.LinkError{Path: l.Path, Status: http.StatusNotFound, Code: "the page no longer names it"}
	}
	p.shared.sayHost(l)
	in, err := p.s.client.OpenLink(ctx, l)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	body, err := spool(in, keep, p.s.memory, p.scratch)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l, err)
	}
	if empty := l.Size > 0 && body.size == 0; empty || (!late && !record.MayHoldEvents(body)) {
		body.Close()
		return nil, fmt.Errorf("%s: %w", l, errNoLogFile)
	}
	return body, nil
}

// errNoLogFile is of an answer that is no log file, as that of a proxy.
var errNoLogFile = errors.New("what came is no log file")

// file puts the records of a file into the queue, and the position after it.
func (p *linkPage) file(ctx context.Context, f download) error {
	defer p.s.out.Discard() // what a pass that failed has left: no later move may take it along
	seen := codes{}
	d := p.decoding(f)
	if err := p.shared.readers.Enter(ctx); err != nil {
		return err
	}
	defer p.shared.readers.Leave()
	d.saw = func(code []byte) { p.s.from.saw(seen, code) }
	err := p.decode(ctx, f.link.Path, d)
	var odd suspect
	switch {
	case errors.As(err, &odd):
		o := p.suspects[f.link.Path]
		p.suspects[f.link.Path] = suspectFile{f.body.size, f.body.sum, o.times + 1}
		return fmt.Errorf("%s: %w at %d", f.link, odd, odd.offset)
	case errors.Is(err, errMismatch):
		p.s.log.Warn("a file has changed since it was begun; delivering it from the start",
			"delivered_before", p.pos.Place(f.link.Path).Records, "file", f.link.Path)
		if err := p.s.tell(ctx, changed(f.link.Path, p.pos.Place(f.link.Path).Records)); err != nil {
			return err
		}
		p.pos = p.pos.With(f.link.Path, delivery.Place{})
		return err
	case err != nil:
		return err
	}
	if record.MayHoldEvents(f.body) {
		p.shared.came.Store(time.Now().UnixNano())
	}
	p.s.report.stats.Known(d.skip.Records)
	next := p.pos.Finish(f.link.Path)
	next.At = p.s.upTo(p.pos.At)
	if d.at.Records > 0 {
		next.Flow = next.Flow.Had(p.s.client.Now())
	}
	return p.finish(ctx, next, seen)
}

// decoding returns a pass over a file, from the position on. What is odd in it is
// confirmed when it came alike before, or came odd often.
func (p *linkPage) decoding(f download) *decoding {
	was, path := p.suspects[f.link.Path], f.link.Path
	d := &decoding{
		batch: f.body, name: path, json: true, mayBeBare: true, out: p.s.out, memory: p.s.memory, log: p.s.log,
		collected: p.s.client.Now(), accounts: record.NewAccounts("accountId"), ids: fileIDs{extras: p.s.extras}, idFile: path,
		confirmed: was.times > 0 && (was.size == f.body.size && was.sum == f.body.sum || was.times >= maxSuspect),
	}
	typeOf := logTypes()
	d.origin = func(string) record.Origin {
		o := p.s.origin(p.shared.source.name, p.logType, d.collected)
		o.Time, o.Millis, o.TypeOf, o.Bare, o.Typed = "timestamp", true, typeOf, true, p.typed
		return o
	}
	pos := p.pos
	p.s.out.Position = func(at delivery.Place) any { return pos.With(path, at) }
	p.s.out.Discard()
	p.s.out.Begin(pos.Place(path), d.collected)
	return d
}

// logTypes returns a function from the type of a record to its log_type. Records
// of one type mostly follow each other.
func logTypes() func(value []byte) string {
	var last, logType string
	return func(value []byte) string {
		if string(value) != last {
			last = string(value)
			logType = ""
			if last != "" {
				logType = mimecast.SIEMLogType(last)
			}
		}
		return logType
	}
}

// decode makes a pass over a file, and puts its pieces into the queue. However that
// ends, the position follows what is in the queue.
func (p *linkPage) decode(ctx context.Context, path string, d *decoding) error {
	begun := p.pos.Place(path)
	defer func() {
		if at := p.s.out.Sent(); at.Records != begun.Records {
			p.pos, p.saved = p.pos.With(path, at), time.Now()
		}
	}()
	if err := d.run(ctx); err != nil {
		return err
	}
	return p.s.out.Send(ctx)
}

// finish puts the position after a file into the queue: the earliest logs if its
// records are another customer's than the position.
func (p *linkPage) finish(ctx context.Context, next position.Links, seen codes) error {
	from, judged := p.s.from.settle(seen)
	then := error(nil)
	if judged == otherTenant {
		means := "this log starts with this page, the earliest that the service has"
		if p.pos.Cursor != "" || p.pos.From > p.earliest().From {
			p.space()
			means = "this log starts from the earliest that the service has; some records may come again"
			next, then = p.earliest(), errAnew
			if err := p.s.tell(ctx, comesAgain("the position was another customer's", time.Time{})); err != nil {
				return err
			}
		}
		p.s.from.sayOther(p.s.log, seen, means, "next_request_in", p.rest.String())
		p.s.out.RepeatedUpTo = 0
	}
	// What is written inside the file has the origin of before.
	if err := p.s.out.Move(ctx, checkpoint.Change{Position: next, Origin: from.origin}); err != nil {
		return err
	}
	p.pos, p.s.from, p.saved = next, from, time.Now()
	return then
}

// gone deals with a file that can't be had or read. It reports whether the log goes
// on without it: a record and an error name it then.
func (p *linkPage) gone(ctx context.Context, d download, why error) (bool, error) {
	l, now := d.link, p.s.client.Now()
	since := p.pos.FailedSince(l.Path)
	if since.IsZero() { // it must not be forgotten when the page no longer names it
		return false, p.move(ctx, p.pos.Fail(l.Path, now), nil)
	}
	refused := errors.As(why, new(*mimecast.LinkError)) || errors.Is(why, errNoLogFile)
	expired := mimecast.IsLinkGone(why) && d.at.Sub(p.asked) > linkYoung
	if !refused || expired || now.Sub(since) < linkPatience || !p.lasting(ctx, l.Path, since) {
		return false, nil
	}
	p.s.log.Error("a log file can't be fetched; going on without it", "type", p.kind, "file", l.Path, "size", l.Size,
		"err", why, "refused_since", since.Format(time.RFC3339), "what_to_do", "ask Mimecast's support for the events of this file")
	if err := p.s.tell(ctx, notice{severity: "error", message: "a log file can't be fetched; going on without it: " + l.Path, to: since}); err != nil {
		return false, err
	}
	raw, err := json.Marshal(map[string]any{"type": p.kind, "path": l.Path, "size": l.Size})
	if err != nil {
		return false, err
	}
	p.s.out.Discard()
	p.s.out.Position = nil
	p.s.out.Begin(delivery.Place{}, now)
	origin := p.s.origin(p.shared.source.name, record.Unparsed, now)
	buf := p.s.out.Buf(origin.Source, origin.Type)
	start := len(buf)
	buf = record.AppendUnparsed(buf, origin, record.Piece{File: l.Path, Error: why.Error(), Raw: raw})
	p.s.out.Add(p.s.extras.add(buf, start, nil, p.s.extras.hashed([]byte(l.Path), raw)), delivery.Place{})
	return true, p.move(ctx, p.pos.Finish(l.Path), nil)
}

// storeWorks reports whether a file that was delivered can still be had.
func (p *linkPage) storeWorks(ctx context.Context) bool {
	if p.sample.URL == "" {
		return false
	}
	body, err := p.fetch(ctx, p.sample, 0, false)
	if err != nil {
		return false
	}
	body.Close()
	return true
}

// lasting reports whether a file has failed in this run for a while, and the store
// gives others or the service has it no more.
func (p *linkPage) lasting(ctx context.Context, path string, since time.Time) bool {
	first := p.first[path]
	if first.IsZero() {
		first = time.Now()
		p.first[path] = first
	}
	// When no other file can be had, the store refuses them all.
	return time.Since(first) > 30*time.Minute && (p.shared.came.Load() > first.UnixNano() ||
		p.s.client.Now().Sub(since) > retention || p.storeWorks(ctx))
}

// earliest is the position before all that the service keeps.
func (p *linkPage) earliest() position.Links {
	return position.Links{From: p.s.client.Now().UTC().Add(-retention).Format(time.DateOnly)}
}

// space has the next request wait if the last start from the earliest logs was not
// long ago.
func (p *linkPage) space() {
	if !p.restarted.IsZero() && time.Since(p.restarted) < restartInterval {
		p.rest = restartInterval
	}
	p.restarted = time.Now().Add(p.rest)
}

// move puts a position into the queue, after the records so far, and returns then.
func (p *linkPage) move(ctx context.Context, to position.Links, then error) error {
	if err := p.s.out.Move(ctx, checkpoint.Change{Position: to}); err != nil {
		return err
	}
	p.pos, p.saved = to, time.Now()
	return then
}
