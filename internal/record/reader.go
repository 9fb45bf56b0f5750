package record

import (
	"bytes"
	"io"
)

// Reader opens log files, one after the other, with decoders that are used
// again. The zero value is ready. It is to be closed when a file was not read to
// its end.
type Reader struct {
	// Inline has packed files unpacked without a goroutine, and without the blocks of
	// [AheadBytes] that it reads ahead.
	Inline bool

	json     JSONDecoder
	keyValue KeyValueDecoder
	ahead    ahead
}

// Close ends what reads the file that was opened last.
func (r *Reader) Close() { r.ahead.close() }

// Open returns the decoder of a log file. json is the format that was asked
// for; what the file begins with decides where it is plain. The decoder is
// valid until the next call. A packed file is unpacked in a goroutine, unless
// r is Inline or where it ends has to be known when the next one is asked for.
func (r *Reader) Open(file io.Reader, o Origin, json bool) Decoder {
	r.Close()
	if r.Inline {
		r.ahead.spare = nil
	}
	if f, ok := file.(*File); ok && f.Packed != nil {
		if _, ok := f.Reader.(*salvaged); !ok {
			file = guarded{f}
			if !r.Inline {
				r.ahead.open(file)
				file = &r.ahead
			}
		}
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(file, head)
	head = head[:n]
	parts := []io.Reader{bytes.NewReader(head)}
	switch err {
	case nil:
		parts = append(parts, file)
	case io.EOF, io.ErrUnexpectedEOF:
		// ReadFull calls a short file unexpected; one whose reader does so
		// says it again.
		parts = append(parts, file)
	default:
		parts = append(parts, failed{err})
	}
	if looksJSON(head, json) {
		r.json.Reset(io.MultiReader(parts...), o)
		return &r.json
	}
	r.keyValue.Reset(io.MultiReader(parts...), o)
	return &r.keyValue
}

func looksJSON(head []byte, otherwise bool) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(bom)), " \t\r\n")
	switch {
	case len(head) == 0:
		return otherwise
	case head[0] == '{' || head[0] == '[':
		return true
	case identifier(head, afterBlanks(head, 0)) > 0:
		return false
	}
	return otherwise
}
