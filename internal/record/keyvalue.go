package record

import (
	"bytes"
	"io"

	"github.com/tinylib/msgp/msgp"
)

// KeyValueDecoder splits a key_value log file into records: a line each, of
// fields key=value separated by |.
//
// The format has no escape. What is sure: a part that does not begin with
// identifier= belongs to the value before it. A value that opens with a
// backslash is free text that ends with one; since the text may hold anything,
// \|identifier= too, it ends at the last such place before the next free text.
// A subject that imitates the end of its own text and the beginning of another
// one can still add fields, though not change one that comes before it, for
// the first of a repeated key wins. JSON, the default, has no such gap.
type KeyValueDecoder struct {
	window
	json    jsonEncoder
	fields  []field
	source  []byte
	lineEnd byte // '\n', or '\r' in a file that has no '\n'
	any     bool // a line has been read
}

// field is one field of a line; both parts point into the line.
type field struct{ key, value []byte }

// Reset makes the decoder ready for another log file.
func (d *KeyValueDecoder) Reset(r io.Reader, o Origin) {
	d.view(r)
	d.json.reset(o)
	d.source, d.lineEnd, d.any = nil, 0, false
}

// Source implements Decoder.
func (d *KeyValueDecoder) Source() []byte { return d.source }

// Rest implements Decoder.
func (d *KeyValueDecoder) Rest() io.Reader { return d.rest() }

// Next implements Decoder. A line that is none, in a file that has others, is
// a damage of one record.
func (d *KeyValueDecoder) Next(dst []byte) ([]byte, error) {
	for {
		line, next, ok := d.line()
		switch {
		case !ok && d.fill():
			continue
		case !ok && d.pos == len(d.buf) && d.err == io.EOF:
			return dst, io.EOF
		case !ok:
			return dst, d.damage(cutShort)
		case d.tooLong(d.pos + len(line)):
			return dst, d.damage(tooLong)
		case len(line) == 0:
			d.pos = next
			continue
		}
		out, reason := d.record(dst, line)
		if reason != "" {
			return dst, d.badLine(line, next, reason)
		}
		d.source, d.pos, d.any = line, next, true
		return out, nil
	}
}

func (d *KeyValueDecoder) badLine(line []byte, next int, reason string) error {
	if !d.any {
		return d.damage(reason)
	}
	err := &Damage{Offset: d.at(), Reason: reason, OneRecord: true}
	d.source, d.pos = line, next
	return err
}

// line finds the next line, without its end, and the place behind it. At the
// end of a file that could be read whole, what is left is a line.
func (d *KeyValueDecoder) line() (line []byte, next int, ok bool) {
	if d.offset == 0 && d.pos == 0 {
		if len(d.buf) < windowSize && d.err == nil {
			return nil, 0, false // the kind of line end is not known yet
		}
		d.lineEnd = '\r'
		if bytes.IndexByte(d.buf, '\n') >= 0 {
			d.lineEnd = '\n'
		}
		if bytes.HasPrefix(d.buf, []byte(bom)) {
			d.pos = len(bom)
		}
	}
	left := d.buf[d.pos:]
	if n := bytes.IndexByte(left, d.lineEnd); n >= 0 {
		return bytes.TrimSuffix(left[:n], []byte("\r")), d.pos + n + 1, true
	}
	if d.err == io.EOF && len(left) > 0 {
		return bytes.TrimSuffix(left, []byte("\r")), len(d.buf), true
	}
	return nil, 0, false
}

// record appends the line as a record, or says why it is none.
func (d *KeyValueDecoder) record(dst, line []byte) ([]byte, string) {
	if reason := d.split(line); reason != "" {
		return dst, reason
	}
	start := len(dst)
	dst = d.json.begin(dst)
	timed := false
	for _, f := range d.fields {
		mark := len(dst)
		dst = msgp.AppendStringFromBytes(dst, f.key)
		ref := keyRef{len(dst) - len(f.key), len(dst)}
		if d.json.repeated(dst, 0, ref) {
			dst = dst[:mark]
			continue
		}
		if len(d.json.keys) == maxFields {
			return dst[:start], errFields.Error()
		}
		d.json.keys = append(d.json.keys, ref)
		at := len(dst)
		dst = d.value(dst, f)
		if !timed && isTimeKey(f.key) {
			timed = stamp(dst[start:], dst[at:])
		}
	}
	setFields(dst[start:], len(d.json.keys))
	return dst, ""
}

// value appends a value with the type that the field has in JSON.
func (d *KeyValueDecoder) value(dst []byte, f field) []byte {
	if len(f.value) == 0 {
		return msgp.AppendNil(dst)
	}
	switch string(f.key) {
	case "AttCnt", "AttSize", "MsgSize", "Size", "SpamLimit", "SpamScore", "Attempt", "Latency", "Snt":
		if isNumber(f.value) {
			return appendNumber(dst, f.value)
		}
	case "Delivered":
		switch string(f.value) {
		case "true":
			return msgp.AppendBool(dst, true)
		case "false":
			return msgp.AppendBool(dst, false)
		}
	case "SpamProcessingDetail", "credentialTheft":
		if f.value[0] == '{' {
			keys := len(d.json.keys)
			out, end, err := d.json.value(dst, f.value, 0, 1)
			if err == nil && end == len(f.value) {
				return out
			}
			d.json.keys = d.json.keys[:keys]
		}
	}
	return msgp.AppendStringFromBytes(dst, f.value)
}

func isNumber(b []byte) bool {
	if b[0] != '-' && (b[0] < '0' || b[0] > '9') {
		return false
	}
	var room [64]byte
	// A number ends where another byte follows.
	end, err := skipNumber(append(append(room[:0], b...), ' '), 0)
	return err == nil && end == len(b)
}

// split cuts a line into fields, or says why it can't.
func (d *KeyValueDecoder) split(line []byte) (reason string) {
	d.fields = d.fields[:0]
	lastEnd := lastTextEnd(line)
	for i := 0; i < len(line); {
		eq := identifier(line, i)
		switch {
		case eq < 0:
			return noField
		case len(d.fields) == maxFields:
			return errFields.Error()
		}
		end, next := valueEnd(line, eq+1, line[i:eq], lastEnd)
		value := line[eq+1 : end]
		if len(value) > 0 && value[0] == '\\' {
			value = bytes.TrimSuffix(value[1:], []byte("\\"))
		}
		d.fields = append(d.fields, field{line[i:eq], value})
		i = next
	}
	return ""
}

const noField = "a line that does not begin with a field"

// identifier returns the place of the = behind an identifier at i, -1 when
// there is none.
func identifier(b []byte, i int) int {
	for k := i; k < len(b) && k-i <= 64; k++ {
		c := b[k]
		switch {
		case c == '=' && k > i:
			return k
		case 'a' <= c|0x20 && c|0x20 <= 'z', c == '_':
		case '0' <= c && c <= '9' && k > i:
		default:
			return -1
		}
	}
	return -1
}

// valueEnd returns where the value at i ends and where the next field begins.
// lastEnd is the line's lastTextEnd.
func valueEnd(line []byte, i int, key []byte, lastEnd int) (end, next int) {
	if i < len(line) && line[i] == '\\' {
		return textEnd(line, i, lastEnd)
	}
	if i < len(line) && line[i] == '{' && (string(key) == "SpamProcessingDetail" || string(key) == "credentialTheft") {
		if end, err := skipValue(line, i); err == nil && (end == len(line) || (line[end] == '|' && identifier(line, end+1) >= 0)) {
			return end, min(end+1, len(line))
		}
	}
	for at := i; ; at++ {
		n := bytes.IndexByte(line[at:], '|')
		if n < 0 {
			return len(line), len(line)
		}
		if at += n; identifier(line, at+1) >= 0 {
			return at, at + 1
		}
	}
}

// textEnd is valueEnd for a value that opens with a backslash, which is at i.
func textEnd(line []byte, i, lastEnd int) (end, next int) {
	end, next = len(line), len(line)
	for at := i + 1; ; at++ {
		n := bytes.IndexByte(line[at:], '|')
		if n < 0 {
			return end, next
		}
		at += n
		eq := identifier(line, at+1)
		if eq < 0 {
			continue
		}
		if line[at-1] == '\\' && at-1 > i {
			end, next = at, at+1
		}
		if next < len(line) && opensText(line, eq+1, lastEnd) {
			return end, next
		}
	}
}

// opensText says whether a value that is free text begins at i: it opens with a
// backslash, does not end at once, and an end comes later.
func opensText(line []byte, i, lastEnd int) bool {
	if i >= len(line) || line[i] != '\\' || lastEnd <= i {
		return false
	}
	return i+1 == len(line) || line[i+1] != '|' || identifier(line, i+2) < 0
}

// lastTextEnd returns the last place in a line where free text can end, -1 when
// there is none.
func lastTextEnd(line []byte) int {
	if n := len(line); n > 0 && line[n-1] == '\\' {
		return n - 1
	}
	for end := len(line); ; {
		end = bytes.LastIndex(line[:end], []byte(`\|`))
		if end < 0 || identifier(line, end+2) >= 0 {
			return end
		}
	}
}
