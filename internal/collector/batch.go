package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"regexp"
	"time"

	"github.com/cespare/xxhash/v2"

	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/mimecast"
)

// holdBytes bounds how much of one log file is decoded before any of it is
// sent. A file that turns out to be damaged within it is asked for again with
// nothing of it delivered yet.
const holdBytes = 4 << 20

// mark is a place in a batch: behind so many records, with a digest of them as
// they stand in their files.
type mark struct {
	records int
	digest  uint64
}

// behind is the mark behind one more record, of a file whose name has a hash.
func (m mark) behind(source []byte, file uint64) mark {
	h := xxhash.Sum64(source) ^ bits.RotateLeft64(file, 1)
	return mark{m.records + 1, (bits.RotateLeft64(m.digest, 5) ^ h) * 0x9e3779b185ebca87}
}

// maxBad bounds the records of one file that are unreadable one by one. In a file
// with more, all the rest is taken as unreadable.
const maxBad = 100

// oddity is something in a batch that may be a fault of one answer: where it is,
// behind which records, and what it is.
type oddity struct {
	at     mark
	file   string
	offset int64
	reason string
}

// changedError says that the same token brought another content.
type changedError struct {
	now *fetched
	was oddity
}

func (e *changedError) Error() string { return "the batch has changed" }

// mismatchError says that a batch does not begin with what was delivered of it.
type mismatchError struct{}

func (e *mismatchError) Error() string { return "the batch is another one" }

// batchRun decodes one batch from its start and sends what lies behind the
// stream's position.
type batchRun struct {
	*siem
	f         *fetched
	skip      mark // what was delivered before
	at        mark // what has been decoded
	last      mark // at before the last record of open
	file      string
	fileHash  uint64
	collected time.Time
	newest    uint32
	confirmed bool // that what is odd is in the batch itself

	accounts record.Accounts
	seen     codes // of its records, those delivered before among them; kept while the stream's provenance is open

	open *piece   // being filled
	held []*piece // full, of a file that has not been read to its end
	size int      // bytes in held
}

func newBatchRun(p *siem, f *fetched) *batchRun {
	r := &batchRun{siem: p, f: f, collected: p.client.Now(), seen: codes{}}
	if p.pos.Records > 0 {
		r.skip = mark{p.pos.Records, p.pos.Digest}
	}
	p.collected = uint32(r.collected.Unix())
	return r
}

// decodeAll decodes the batch and leaves nothing that still reads it.
func (r *batchRun) decodeAll(ctx context.Context) error {
	defer r.reader.Close()
	return r.decode(ctx)
}

// decode goes through the whole batch. With the last record the position moves
// on to the next batch.
func (r *batchRun) decode(ctx context.Context) error {
	batch := record.OpenBatch(r.f.body, r.f.body.size, r.f.name)
	for {
		file, err := batch.Next()
		var d *record.Damage
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == io.EOF:
			return r.end(ctx)
		case errors.As(err, &d):
			err = r.damagedBatch(ctx, d)
		case err == nil:
			err = r.decodeFile(ctx, file)
		}
		if err != nil {
			return err
		}
	}
}

// end sends what is left and moves the position to the next batch, or behind
// this one when it leads to no other.
func (r *batchRun) end(ctx context.Context) error {
	if err := r.f.body.failed(); err != nil {
		return err
	}
	if r.at.records < r.skip.records {
		return &mismatchError{}
	}
	if r.at.records == 0 {
		if err := r.confirm(ctx, oddity{at: r.at, reason: "a batch with no records"}); err != nil {
			return err
		}
	}
	p := r.piece("")
	r.open = nil
	if err := r.send(ctx); err != nil {
		p.free()
		return err
	}
	next := r.position(r.at)
	next.At = r.upTo()
	if !r.f.own() {
		next = next.follow(r.f.next)
	}
	p.before = r.change(r.position(r.last))
	elsewhere := r.checkTenant()
	if elsewhere {
		next = siemPosition{}
	}
	p.after = r.change(next)
	if err := r.queue.put(ctx, p); err != nil {
		return err
	}
	r.pos, r.saved = next, time.Now()
	r.report.fetched(next.At)
	r.log.Debug("a batch is queued", "records", r.at.records, "delivered_before", r.skip.records, "bytes", r.f.body.size)
	if elsewhere {
		r.settled = nil
		return errElsewhere
	}
	r.delivered(r.f)
	return nil
}

// checkTenant finds out whether a position that was reached with another host or
// application id is of the same customer, from the records of the whole batch. It
// reports whether the stream has to start from the earliest logs since it is not.
// A batch that is the earliest is where that would start.
func (r *batchRun) checkTenant() (elsewhere bool) {
	if !r.from.open {
		return false
	}
	switch compare(r.from.known, r.seen) {
	case sameTenant:
		for code := range r.from.known {
			r.seen.add(code)
		}
		r.from.adopt(r.seen)
	case otherTenant:
		means := "this log starts with this batch, the earliest that the service has"
		if elsewhere = r.f.request.Token != ""; elsewhere {
			r.space(&r.restarted)
			means = "this log starts from the earliest that the service has; some records may come again"
		}
		r.from.sayOther(r.log, r.seen, means, "next_request_in", r.rest.String())
		r.from.adopt(r.seen)
		r.again = 0
	}
	return elsewhere
}

// upTo is the time up to which logs are delivered: that of the newest record,
// which never goes back.
func (r *batchRun) upTo() time.Time {
	newest := time.Unix(int64(r.newest), 0).UTC()
	if r.newest > 0 && newest.After(r.pos.At) && newest.Before(r.client.Now()) {
		return newest
	}
	return r.pos.At
}

// lasting matches the names of log files, which are the same with each request.
// The positions of earlier versions depend on it.
var lasting = regexp.MustCompile(`(^|[/\\])\w{1,32}(_\d+)?(\.[^/\\]*)?$`)

// enter notes the file that the records to come are of. The name of an archive
// is the id of its request: it is another one with each, and not in the digest.
func (r *batchRun) enter(file string) {
	r.file = file
	if file == record.CleanName(r.f.name) && !lasting.MatchString(file) {
		file = ""
	}
	r.fileHash = xxhash.Sum64String(file)
}

func (r *batchRun) decodeFile(ctx context.Context, f *record.File) error {
	r.enter(f.Name)
	origin := record.Origin{Source: sourceSIEM, Type: record.TypeOf(f.Name), Collected: r.collected}
	decoder := r.reader.Open(f, origin, r.f.request.Format == mimecast.JSON)
	bad := 0
	var d *record.Damage // here, since it is allocated where it is declared
	for n := 0; ; n++ {
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		p := r.piece(origin.Type)
		start := len(p.buf)
		var err error
		p.buf, err = decoder.Next(p.buf)
		switch {
		case err == nil:
			err = r.took(ctx, start, decoder.Source())
		case err == io.EOF && n == 0:
			// Seen in production, but it might also be a fault of this answer.
			return r.confirm(ctx, oddity{at: r.at, file: f.Name, reason: "an empty file"})
		case err == io.EOF && r.f.body.failed() == nil:
			return r.send(ctx)
		case err == io.EOF:
			return r.f.body.failed()
		case errors.As(err, &d):
			bad++
			err = r.damaged(ctx, f, decoder, d, bad == 1)
			if err == nil && d.OneRecord && bad > maxBad {
				d = &record.Damage{Offset: d.Offset + int64(len(decoder.Source())), Reason: "too much that can't be read"}
				err = r.damaged(ctx, f, decoder, d, false)
			}
			if err == nil && !d.OneRecord {
				return r.send(ctx)
			}
		}
		if err != nil {
			return err
		}
	}
}

// piece returns the one to append records of a type to.
func (r *batchRun) piece(logType string) *piece {
	tag := ""
	if r.byType && logType != "" {
		tag = sourceSIEM + "." + logType
	}
	if r.open != nil && r.open.records > 0 && r.open.tag != tag && logType != "" {
		r.hold()
	}
	if r.open == nil {
		r.open = newPiece(r.stream)
	}
	if r.open.records == 0 {
		r.open.tag = tag
	}
	return r.open
}

// took deals with the record that was appended to the open piece at start.
func (r *batchRun) took(ctx context.Context, start int, source []byte) error {
	p := r.open
	if code, again := r.accounts.Code(p.buf[start:]); code != nil && !again {
		r.saw(code)
	}
	before := r.at
	r.at = r.at.behind(source, r.fileHash)
	if r.at.records <= r.skip.records {
		p.buf = p.buf[:start]
		if r.at.records == r.skip.records && r.at != r.skip {
			return &mismatchError{}
		}
		return nil
	}
	r.last = before
	p.grown(start)
	r.newest = max(r.newest, p.newest)
	if len(p.buf) < pieceSize {
		return nil
	}
	r.hold()
	if r.size > holdBytes {
		return r.send(ctx)
	}
	return nil
}

// saw notes the code of the account that a record is of.
func (r *batchRun) saw(code []byte) {
	_, known := r.from.known[string(code)]
	switch {
	case !r.from.open && (known || len(r.from.known) >= maxCodes):
	case !isCode(code):
	case !r.from.open:
		r.from.note(string(code))
	case known || len(r.seen) < maxCodes-1:
		r.seen.add(string(code)) // there is room for one that is known: it decides
	}
}

// hold ends the open piece.
func (r *batchRun) hold() {
	p := r.open
	p.before, p.after = r.change(r.position(r.last)), r.change(r.position(r.at))
	r.held = append(r.held, p)
	r.size += len(p.buf)
	r.open = nil
}

// position is the stream's at a place in this batch.
func (r *batchRun) position(m mark) siemPosition {
	pos := r.pos
	pos.progress = progress{
		Token: r.f.request.Token, Format: r.f.request.Format, Compress: r.f.request.Compress,
		File: r.file, Records: m.records, Digest: m.digest,
	}
	return pos
}

// send puts the held pieces into the queue.
func (r *batchRun) send(ctx context.Context) error {
	for i, p := range r.held {
		pos := p.after.Position.(siemPosition)
		if err := r.queue.put(ctx, p); err != nil {
			r.held = r.held[i:]
			return err
		}
		r.pos, r.saved = pos, time.Now()
	}
	r.held, r.size = r.held[:0], 0
	return nil
}

// discard gives up what has not been sent.
func (r *batchRun) discard() {
	for _, p := range r.held {
		p.free()
	}
	if r.open != nil {
		r.open.free()
	}
	r.held, r.open = nil, nil
}

// confirm makes sure that something odd is in the batch itself and not in this
// one answer: only the same content twice counts. Otherwise it returns a
// *changedError.
func (r *batchRun) confirm(ctx context.Context, what oddity) error {
	if err := r.f.body.failed(); err != nil || r.confirmed {
		return err
	}
	if r.at.records < r.skip.records {
		return nil // it was confirmed when it was delivered
	}
	again, err := r.fetch(ctx, r.f.request)
	switch {
	case err != nil:
		return err
	case again.refused, again.body == nil:
		// The batch can't be had any more: what is here is all there is.
	case !again.body.same(r.f.body):
		return &changedError{again, what}
	}
	again.close()
	r.confirmed = true
	return nil
}

// damaged sends the bytes of a file that can't be read as records.
func (r *batchRun) damaged(ctx context.Context, f *record.File, d record.Decoder, what *record.Damage, say bool) error {
	if err := r.confirm(ctx, oddity{r.at, f.Name, what.Offset, what.Reason}); err != nil {
		return err
	}
	if say && r.at.records >= r.skip.records {
		r.log.Error("a log file can't be read; its bytes go out in records with log_type "+record.Unparsed,
			"file", f.Name, "err", what.Reason, "offset", what.Offset)
	}
	if what.OneRecord {
		return r.raw(ctx, f.Name, what.Reason, what.Offset, bytes.NewReader(d.Source()))
	}
	packed := f.Packed != nil && (what.Limit || what.Cause != nil)
	if !packed || !what.Limit {
		if err := r.raw(ctx, f.Name, what.Reason, what.Offset, d.Rest()); err != nil {
			return err
		}
		packed = packed || (f.Packed != nil && d.RestErr() != nil)
	}
	if packed {
		return r.raw(ctx, f.Name, what.Reason+"; these are the file's compressed bytes", 0, f.Packed())
	}
	return nil
}

// damagedBatch does the same for bytes of a batch that are in no file.
func (r *batchRun) damagedBatch(ctx context.Context, d *record.Damage) error {
	name := record.CleanName(r.f.name)
	if err := r.confirm(ctx, oddity{r.at, "", d.Offset, d.Reason}); err != nil {
		return err
	}
	if r.at.records >= r.skip.records {
		r.log.Error("a batch can't be read; its bytes go out in records with log_type "+record.Unparsed,
			"batch", name, "err", d.Reason, "offset", d.Offset)
	}
	r.enter(name)
	size := d.Size
	if size == 0 {
		size = r.f.body.size - d.Offset
	}
	return r.raw(ctx, name, d.Reason, d.Offset, io.NewSectionReader(r.f.body, d.Offset, size))
}

// raw sends bytes in records of a bounded size.
func (r *batchRun) raw(ctx context.Context, file, reason string, offset int64, in io.Reader) error {
	if p := r.siem; p.rawBuf == nil {
		p.rawBuf = make([]byte, record.MaxRaw)
	}
	buf := r.rawBuf
	origin := record.Origin{Source: sourceSIEM, Type: record.Unparsed, Collected: r.collected}
	for have := 0; ; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := io.ReadFull(in, buf[have:])
		have += n
		if r.f.body.failed() != nil {
			return r.f.body.failed()
		}
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("reading the spooled batch: %w", err)
		}
		if have == 0 {
			return nil
		}
		cut := have
		if err == nil {
			cut = record.CutText(buf[:have])
		}
		p := r.piece(record.Unparsed)
		start := len(p.buf)
		p.buf = record.AppendUnparsed(p.buf, origin, record.Piece{File: file, Error: reason, Offset: offset, Raw: buf[:cut]})
		if r.at.records >= r.skip.records {
			p.unparsed++
		}
		if err := r.took(ctx, start, buf[:cut]); err != nil {
			return err
		}
		offset += int64(cut)
		have = copy(buf, buf[cut:have])
	}
}
