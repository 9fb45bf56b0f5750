package record

import (
	"bytes"
	"io"

	"github.com/tinylib/msgp/msgp"
)

// KeyValueDecoder splits a key_value log file into records: a line each, of
// fields key=value separated by |.
//
// The format has no escape. What is sure: a line end ends the record, and a part
// that does not begin with identifier= belongs to the value before it. A value
// that opens with a backslash is free text that ends before \|identifier=. The
// text may hold that too. So of several ends the first is taken that leads to a
// field which follows such a text elsewhere in the file, or else that leaves the
// next end to another text, or else the last; and none that makes a field come
// twice, of which the first wins in any case.
//
// So a subject can't change a field that its record has. What it can do: with a
// line end of its own it can begin a record, and in a file where no other subject
// shows what follows one, it can add a field by imitating a text. JSON, the
// default, has no such gap.
type KeyValueDecoder struct {
	window
	json    jsonEncoder
	fields  []field
	ends    []int    // where a text may end, of the one that is being read
	texts   int      // of the line that have several
	follows [][]byte // keys that were seen behind texts in this file
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
	d.source, d.lineEnd, d.any, d.follows = nil, 0, false, d.follows[:0]
}

// Source implements Decoder.
func (d *KeyValueDecoder) Source() []byte { return d.source }

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
		if bytes.IndexByte(d.buf[:min(len(d.buf), windowSize)], '\n') >= 0 {
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
	d.fields, d.texts = d.fields[:0], 0
	for i := 0; i < len(line); {
		eq := identifier(line, i)
		switch {
		case eq < 0:
			return noField
		case len(d.fields) == maxFields:
			return errFields.Error()
		}
		f := field{key: line[i:eq]}
		f.value, i = d.cut(line, eq+1, f.key)
		d.fields = append(d.fields, f)
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

// cut returns the value at i and where the next field begins.
func (d *KeyValueDecoder) cut(line []byte, i int, key []byte) (value []byte, next int) {
	switch {
	case i < len(line) && line[i] == '\\':
		end := d.textEnd(line, i, key)
		return bytes.TrimSuffix(line[i+1:end], []byte("\\")), min(end+1, len(line))
	case i < len(line) && line[i] == '{' && isObject(key):
		if end, err := skipValue(line, i); err == nil && (end == len(line) || (line[end] == '|' && identifier(line, end+1) >= 0)) {
			return line[i:end], min(end+1, len(line))
		}
	}
	end := nextField(line, i)
	return line[i:end], min(end+1, len(line))
}

// nextField returns the place of the next | before an identifier and =, or the
// line's end.
func nextField(line []byte, i int) int {
	for {
		n := bytes.IndexByte(line[i:], '|')
		if n < 0 {
			return len(line)
		}
		if i += n; identifier(line, i+1) >= 0 {
			return i
		}
		i++
	}
}

// Bounds of what is looked into where a text has several ends: real records have
// one text, and hostile ones must not cost more than they are worth.
const (
	maxEnds   = 8 // of one text, and fields up to the next end, and keys behind texts
	maxTexts  = 8 // in one line
	maxLooked = 64 << 10
)

// textEnd returns where the text that opens at i ends: the place of a | behind
// its backslash, or the line's end.
func (d *KeyValueDecoder) textEnd(line []byte, i int, key []byte) int {
	d.ends = d.ends[:0]
	for at := nextField(line, i+1); at < len(line) && len(d.ends) < maxEnds; at = nextField(line, at+1) {
		if line[at-1] == '\\' && at-1 > i {
			d.ends = append(d.ends, at)
		}
	}
	if n := len(line); line[n-1] == '\\' && n-1 > i {
		d.ends = append(d.ends, n)
	}
	switch len(d.ends) {
	case 0:
		return len(line)
	case 1:
		d.learn(line, d.ends[0])
		return d.ends[0]
	}
	last := len(d.ends) - 1
	best := d.ends[last]
	if d.texts++; d.texts > maxTexts || len(line) > maxLooked {
		return best
	}
	for n := last; n >= 0; n-- {
		at, next := d.ends[n], len(line)
		if n < last {
			next = d.ends[n+1]
		}
		if at == len(line) || d.repeats(line, at, next, key) {
			continue
		}
		known := d.known(keyAt(line, at))
		if known || (n < last && endsText(line, at, next) && !d.known(keyAt(line, best))) {
			best = at
		}
	}
	return best
}

// endsText says whether the field that ends at next, one of those from the | at
// i on, is free text too, or an object, which may hold anything as well.
func endsText(line []byte, i, next int) bool {
	for {
		end := nextField(line, i+1)
		if end >= next {
			eq := identifier(line, i+1)
			return eq+2 < next && (line[eq+1] == '\\' || (line[eq+1] == '{' && isObject(keyAt(line, i))))
		}
		i = end
	}
}

// isObject names the fields that hold JSON objects.
func isObject(key []byte) bool {
	return string(key) == "SpamProcessingDetail" || string(key) == "credentialTheft"
}

// keyAt is the key of the field that begins behind the | at i; nil at the end.
func keyAt(line []byte, i int) []byte {
	if i == len(line) {
		return nil
	}
	return line[i+1 : identifier(line, i+1)]
}

// repeats says whether one of the fields from the | at i to next comes twice in
// the line, if a text with the given key ends at i.
func (d *KeyValueDecoder) repeats(line []byte, i, next int, key []byte) bool {
	for n := 0; i < next && n < maxEnds; n++ {
		k := keyAt(line, i)
		if bytes.Equal(k, key) {
			return true
		}
		for _, f := range d.fields {
			if bytes.Equal(f.key, k) {
				return true
			}
		}
		end := nextField(line, i+1)
		for at := end; at < len(line); at = nextField(line, at+1) {
			if bytes.Equal(keyAt(line, at), k) {
				return true
			}
		}
		i = end
	}
	return false
}

// learn notes the key that follows a text whose end at i is certain.
func (d *KeyValueDecoder) learn(line []byte, i int) {
	if i == len(line) || len(d.follows) == maxEnds {
		return
	}
	if key := keyAt(line, i); !d.known(key) {
		d.follows = append(d.follows, bytes.Clone(key))
	}
}

func (d *KeyValueDecoder) known(key []byte) bool {
	if key == nil {
		return false
	}
	for _, k := range d.follows {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}
