package record

import (
	"errors"
	"fmt"
	"io"
)

// Bounds of what is read. They are generous: real records have a few hundred
// bytes and real archives unpack to five or ten times their size.
const (
	// MaxRecord bounds one record in its source. Fluent Bit's chunks have 2 MB.
	MaxRecord = 1 << 20
	// MaxDepth bounds how deep objects and arrays nest in a record. Fluent
	// Bit's msgpack reader gives up a whole chunk at 32, and outputs wrap
	// records in levels of their own.
	MaxDepth = 24
	// maxFields bounds the fields of one object, repeated ones too.
	maxFields = 1024
	// maxEncoded bounds one record in msgpack, where some values are larger
	// than in their source.
	maxEncoded = MaxRecord + MaxRecord/2
)

// Reasons of damages that the decoders have in common.
const (
	cutShort = "cut short"
	tooLong  = "too long"
)

// Decoder splits a log file into records.
type Decoder interface {
	// Next appends the next record to dst. At the end it returns io.EOF.
	//
	// A *Damage says that bytes can't be read. If it is only of one record,
	// Source has its bytes and Next goes on behind it; otherwise Rest has all
	// that is left and Next must not be called again. Either way dst comes
	// back as it was.
	Next(dst []byte) ([]byte, error)
	// Source is the record that Next returned last as it stands in the file;
	// valid until the next call.
	Source() []byte
	// Rest reads what is left of the file after a damage. It ends, without an
	// error, where the file's own bytes can't be had any more.
	Rest() io.Reader
	// RestErr is why Rest ended before the file's end; nil when it did not.
	RestErr() error
}

// Damage says which bytes of a log file can't be read, and why.
type Damage struct {
	Offset    int64 // in the log file, unpacked
	Reason    string
	OneRecord bool  // only one record is damaged, and where it ends is known
	Limit     bool  // it is over a bound rather than broken
	Size      int64 // of a batch: how many bytes; 0 means all that follow
	Cause     error // what reading the file returned, if that was it
}

// Error implements error.
func (d *Damage) Error() string { return fmt.Sprintf("%s at offset %d", d.Reason, d.Offset) }

// Unwrap returns what reading the file failed with, if it did.
func (d *Damage) Unwrap() error { return d.Cause }

// window is a moving view of a log file.
type window struct {
	r      io.Reader
	buf    []byte // what is in view
	pos    int    // what comes before is done with
	offset int64  // of buf[0] in the file
	err    error  // why there is no more to read
	left   *untilError
}

// windowSize is how much is read at a time.
const windowSize = 128 << 10

// view begins with the start of a file.
func (w *window) view(r io.Reader) {
	if w.buf == nil {
		w.buf = make([]byte, 0, 2*windowSize)
	}
	*w = window{r: r, buf: w.buf[:0]}
}

// at is the offset in the file of what comes next.
func (w *window) at() int64 { return w.offset + int64(w.pos) }

// fill brings more of the file into view, or the news that there is no more,
// moving what is not done with to the front. It returns false when that news
// is old, and when a record would be over its bound.
func (w *window) fill() bool {
	if w.err != nil || len(w.buf)-w.pos > MaxRecord+slack {
		return false
	}
	if w.pos > 0 {
		n := copy(w.buf, w.buf[w.pos:])
		w.offset += int64(w.pos)
		w.buf, w.pos = w.buf[:n], 0
	}
	if cap(w.buf)-len(w.buf) < windowSize {
		bigger := make([]byte, len(w.buf), 2*cap(w.buf))
		copy(bigger, w.buf)
		w.buf = bigger
	}
	n, err := io.ReadAtLeast(w.r, w.buf[len(w.buf):cap(w.buf)], windowSize/2)
	if err == io.ErrUnexpectedEOF && n > 0 {
		err = nil // or what it stands for comes with the next read
	}
	w.buf = w.buf[:len(w.buf)+n]
	w.err = err
	return true
}

// slack is how much is looked at behind a record of the largest size, to see
// where it ends.
const slack = 2

// ahead is what is in view, but no more of it than the largest record needs, so
// that what is found does not depend on how the file came in.
func (w *window) ahead() []byte { return w.buf[:min(len(w.buf), w.pos+MaxRecord+slack)] }

// tooLong says whether a record from pos to end is over its bound. It doesn't
// depend on how the file came in.
func (w *window) tooLong(end int) bool { return end-w.pos > MaxRecord }

// damage describes why the bytes in view can't be read on from pos.
func (w *window) damage(reason string) *Damage {
	d := &Damage{Offset: w.at(), Reason: reason}
	var limit *Damage
	switch {
	case errors.As(w.err, &limit):
		d.Reason, d.Cause, d.Limit = limit.Reason, limit, true
	case reason == tooLong || (reason == cutShort && len(w.buf)-w.pos >= MaxRecord+slack):
		d.Reason, d.Limit = fmt.Sprintf("a record of more than %d bytes", MaxRecord), true
	case w.err != nil && w.err != io.EOF:
		d.Reason, d.Cause = w.err.Error(), w.err
	}
	return d
}

// Rest implements Decoder.
func (w *window) Rest() io.Reader {
	view := &viewReader{w.buf[w.pos:]}
	w.left = &untilError{r: w.r, err: w.err}
	return io.MultiReader(view, w.left)
}

// RestErr implements Decoder.
func (w *window) RestErr() error {
	if w.left == nil || w.left.err == io.EOF {
		return nil
	}
	return w.left.err
}

type viewReader struct{ left []byte }

func (v *viewReader) Read(p []byte) (int, error) {
	if len(v.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, v.left)
	v.left = v.left[n:]
	return n, nil
}

// untilError ends where its reader fails, and remembers why.
type untilError struct {
	r   io.Reader
	err error
}

func (u *untilError) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, io.EOF
	}
	n, err := u.r.Read(p)
	if err != nil {
		u.err = err
		err = io.EOF
	}
	return n, err
}
