package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"regexp"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/record"
)

const (
	// holdBytes bounds how much of one log file is decoded before any of it is
	// sent. A file that turns out to be damaged within it is asked for again with
	// nothing of it delivered yet.
	// Where the share of memory is small, less is held.
	holdBytes = 4 << 20
	// readerBytes is about what a [record.Reader] takes of memory besides what it
	// reads ahead. It does that if a share has room for aheadWorth.
	readerBytes = 400 << 10
	aheadWorth  = 4 * record.AheadBytes
	// maxBad bounds the records of one file that are unreadable one by one. In a
	// file with more, all the rest is taken as unreadable.
	maxBad = 100
	// sourceSIEM is the log_source of the SIEM logs of API 1.0.
	sourceSIEM = "siem"
)

// readers keeps readers for the next batches.
var readers = sync.Pool{New: func() any { return new(record.Reader) }}

// unparsedMeans says in the log what becomes of what can't be read.
const unparsedMeans = "its bytes are in records with log_type " + record.Unparsed

// errMismatch says that a batch does not begin with what was delivered of it.
var errMismatch = errors.New("the batch is another one")

// suspect is something in a batch that may be a fault of one answer: where it is
// and what it is. As an error it says that it has not been confirmed.
type suspect struct {
	records int // before it
	digest  uint64
	file    string
	offset  int64
	reason  string
}

func (o suspect) Error() string { return o.reason }

// decoding is one pass over a batch. It puts the records after the writer's place
// into the writer. It makes no request: at something odd that is not confirmed it
// returns a [suspect], and what it has put into the writer by then may be kept
// only as far as it was sent.
type decoding struct {
	batch     *spooled
	name      string                          // as the service gave it
	json      bool                            // plain text is JSON
	origin    func(file string) record.Origin // of the records of a file
	ids       fileIDs
	idFile    string // stands for a file whose name is another with each request
	confirmed bool   // what is odd is in the batch itself
	mayBeBare bool   // a gzip with nothing in it is not odd
	out       *delivery.Writer
	memory    *memory.Share
	log       *slog.Logger
	collected time.Time
	// saw is called with the account code of a record when it is not that of the
	// record before. The code is valid until saw returns.
	saw func(code []byte)

	reader   *record.Reader
	hold     int            // bytes to hold before they are sent
	skip     delivery.Place // what was delivered before
	at       delivery.Place // what has been decoded
	fileHash uint64
	accounts record.Accounts
	bare     bool   // it is a gzip with nothing in it
	raw      []byte // nil before the first bytes that can't be read
}

// run goes through the whole batch. It leaves nothing that still reads it. After
// nil, all records are in the writer.
func (d *decoding) run(ctx context.Context) error {
	d.reader = readers.Get().(*record.Reader)
	taken := readerBytes
	if d.reader.Inline = d.memory.Bound(0, aheadWorth) < record.AheadBytes; !d.reader.Inline {
		taken += record.AheadBytes
	}
	d.memory.Reserve(taken)
	defer func() {
		d.reader.Close()
		readers.Put(d.reader)
		d.memory.Release(taken)
	}()
	d.hold = d.memory.Bound(0, holdBytes)
	d.skip = d.out.Sent()
	batch := record.OpenBatch(d.batch, d.batch.size, d.name)
	for {
		file, err := batch.Next()
		var damage *record.Damage
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == io.EOF:
			return d.end()
		case errors.As(err, &damage):
			err = d.damagedBatch(ctx, damage)
		case err == nil:
			err = d.decodeFile(ctx, file)
		}
		if err != nil {
			return err
		}
	}
}

func (d *decoding) end() error {
	switch {
	case d.batch.failed() != nil:
		return d.batch.failed()
	case d.at.Records < d.skip.Records:
		return errMismatch
	case d.at.Records == 0 && !d.bare:
		return d.confirm("", 0, "a batch with no records")
	}
	return nil
}

// lasting matches the names of log files, which are the same with each request.
// The positions of earlier versions depend on it.
var lasting = regexp.MustCompile(`(^|[/\\])\w{1,32}(_\d+)?(\.[^/\\]*)?$`)

// enter notes the file that the records to come are of. The name of an archive
// is the id of its request: it is another one with each, and not in the digest.
func (d *decoding) enter(file string) {
	d.at.File = file
	named := file
	if file == record.CleanName(d.name) && !lasting.MatchString(file) {
		file, named = "", d.idFile
	}
	d.fileHash = xxhash.Sum64String(file)
	d.ids.enter(named)
}

func (d *decoding) decodeFile(ctx context.Context, f *record.File) error {
	d.enter(f.Name)
	origin := d.origin(f.Name)
	decoder := d.reader.Open(f, origin, d.json)
	bad := 0
	var damage *record.Damage // here, since it is allocated where it is declared
	for n := 0; ; n++ {
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		buf := d.out.Buf(origin.Source, origin.Type)
		start := len(buf)
		buf, err := decoder.Next(buf)
		if err == nil && origin.TypeOf != nil && d.out.ByType {
			buf, start = d.retag(buf, start, origin)
		}
		switch {
		case err == nil:
			source := decoder.Source()
			err = d.took(ctx, buf, start, source, source)
		case err == io.EOF && n == 0 && d.mayBeBare && f.Packed != nil:
			d.bare = true // its checksum says that it is whole
			return nil
		case err == io.EOF && n == 0:
			// Seen in production, but it might also be a fault of this answer.
			return d.confirm(f.Name, 0, "an empty file")
		case err == io.EOF && d.batch.failed() == nil:
			return d.out.Send(ctx)
		case err == io.EOF:
			return d.batch.failed()
		case errors.As(err, &damage):
			bad++
			err = d.damaged(ctx, f, decoder, damage, bad == 1)
			if err == nil && damage.OneRecord && bad > maxBad {
				damage = &record.Damage{Offset: damage.Offset + int64(len(decoder.Source())), Reason: "too much that can't be read"}
				err = d.damaged(ctx, f, decoder, damage, false)
			}
			if err == nil && !damage.OneRecord {
				return d.out.Send(ctx)
			}
		}
		if err != nil {
			return err
		}
	}
}

// retag moves the record at start to where those of its own log_type go, if that is
// not the origin's.
func (d *decoding) retag(buf []byte, start int, origin record.Origin) ([]byte, int) {
	rec := buf[start:]
	logType := record.LogType(rec)
	if string(logType) == origin.Type {
		return buf, start
	}
	rec = bytes.Clone(rec) // the buffer may be used again
	buf = d.out.Buf(origin.Source, string(logType))
	return append(buf, rec...), len(buf)
}

// took deals with the record that was appended to the writer's buffer at start. A nil
// original is not added to it.
func (d *decoding) took(ctx context.Context, buf []byte, start int, source, original []byte) error {
	if code, again := d.accounts.Code(buf[start:]); code != nil && !again {
		d.saw(code)
	}
	h := xxhash.Sum64(source) ^ bits.RotateLeft64(d.fileHash, 1)
	d.at.Digest = (bits.RotateLeft64(d.at.Digest, 5) ^ h) * 0x9e3779b185ebca87
	d.at.Records++
	id := d.ids.next(source) // also of what was delivered: it counts equal ones
	if d.at.Records <= d.skip.Records {
		if d.at.Records == d.skip.Records && d.at.Digest != d.skip.Digest {
			return errMismatch
		}
		return nil
	}
	d.out.Add(d.ids.add(buf, start, original, id), d.at)
	if d.out.Held() > d.hold {
		d.hold = d.memory.Bound(0, holdBytes)
		return d.out.Send(ctx)
	}
	return nil
}

// confirm makes sure that something odd is in the batch itself and not in this
// one answer.
func (d *decoding) confirm(file string, offset int64, reason string) error {
	switch {
	case d.batch.failed() != nil:
		return d.batch.failed()
	case d.confirmed, d.at.Records < d.skip.Records:
		return nil // what was delivered was confirmed then
	}
	return suspect{d.at.Records, d.at.Digest, file, offset, reason}
}

// damaged puts the bytes of a file that can't be read as records into the writer.
func (d *decoding) damaged(ctx context.Context, f *record.File, from record.Decoder, what *record.Damage, say bool) error {
	if err := d.confirm(f.Name, what.Offset, what.Reason); err != nil {
		return err
	}
	if say && d.at.Records >= d.skip.Records {
		d.log.Error("a log file can't be read", "means", unparsedMeans,
			"file", f.Name, "err", what.Reason, "offset", what.Offset)
	}
	if what.OneRecord {
		return d.unparsed(ctx, f.Name, what.Reason, what.Offset, bytes.NewReader(from.Source()))
	}
	packed := f.Packed != nil && (what.Limit || what.Cause != nil)
	if !packed || !what.Limit {
		if err := d.unparsed(ctx, f.Name, what.Reason, what.Offset, from.Rest()); err != nil {
			return err
		}
		packed = packed || (f.Packed != nil && from.RestErr() != nil)
	}
	if packed {
		return d.unparsed(ctx, f.Name, what.Reason+"; these are the file's compressed bytes", 0, f.Packed())
	}
	return nil
}

// damagedBatch does the same for bytes of a batch that are in no file.
func (d *decoding) damagedBatch(ctx context.Context, what *record.Damage) error {
	name := record.CleanName(d.name)
	if err := d.confirm("", what.Offset, what.Reason); err != nil {
		return err
	}
	if d.at.Records >= d.skip.Records {
		d.log.Error("a batch can't be read", "means", unparsedMeans,
			"batch", name, "err", what.Reason, "offset", what.Offset)
	}
	d.enter(name)
	size := what.Size
	if size == 0 {
		size = d.batch.size - what.Offset
	}
	return d.unparsed(ctx, name, what.Reason, what.Offset, io.NewSectionReader(d.batch, what.Offset, size))
}

// unparsed puts bytes into records of a bounded size.
func (d *decoding) unparsed(ctx context.Context, file, reason string, offset int64, in io.Reader) error {
	origin := d.origin(file)
	origin.Type = record.Unparsed
	if d.raw == nil {
		d.raw = make([]byte, record.MaxRaw)
	}
	for have := 0; ; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := io.ReadFull(in, d.raw[have:])
		have += n
		if d.batch.failed() != nil {
			return d.batch.failed()
		}
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("reading the spooled batch: %w", err)
		}
		if have == 0 {
			return nil
		}
		cut := have
		if err == nil {
			cut = record.CutText(d.raw[:have])
		}
		raw := d.raw[:cut]
		buf := d.out.Buf(origin.Source, origin.Type)
		start := len(buf)
		buf = record.AppendUnparsed(buf, origin, record.Piece{File: file, Error: reason, Offset: offset, Raw: raw})
		if err := d.took(ctx, buf, start, raw, nil); err != nil {
			return err
		}
		offset += int64(cut)
		have = copy(d.raw, d.raw[cut:have])
	}
}
