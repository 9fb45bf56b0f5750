package record

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"

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
	order   order
	strange []keyAt  // of the line so far, the keys that are not in the order
	ends    []int    // where a text may end, of the one that is being read
	texts   int      // of the line that have several
	follows [][]byte // keys that were seen behind texts in this file
	source  []byte
	lineEnd byte // '\n', or '\r' in a file that has no '\n'
	any     bool // a line has been read
}

// keyAt is where a key stands in its line.
type keyAt struct{ at, length uint32 }

// Reset makes the decoder ready for another log file.
func (d *KeyValueDecoder) Reset(r io.Reader, o Origin) {
	d.view(r)
	d.json.reset(o)
	d.order.reset()
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
	start := len(dst)
	dst = append(dst, d.json.head...)
	d.order.begin()
	d.strange, d.texts = d.strange[:0], 0
	timed := false
	next, known := 0, false // in the order, and whether that field is the one at i
	fields, dropped := 0, 0
	for i := 0; i < len(line); fields++ {
		if known || d.order.begins(next, line, i) {
			from := next
			dst, i, next = d.usual(dst, line, i, next)
			fields, known = fields+next-from, true
		}
		mark := len(dst)
		var length int
		var k kind
		if known {
			f := &d.order.fields[next]
			dst = f.appendKey(dst)
			k, length, f.seen = f.kind, f.text, d.order.record
			next++
		} else {
			eq := identifier(line, i)
			if eq < 0 {
				return dst[:start], noField
			}
			length = eq - i
			dst = appendPlain(dst, line[i:eq])
			k, next = d.place(next, line, i, eq, dst[mark:])
		}
		if fields >= maxFields {
			return dst[:start], errFields.Error()
		}
		known = false
		at := i + length + 1
		if at < len(line) && line[at] == '{' && kindOf(line[i:i+length]) == isObject {
			if out, end, ok := d.object(dst, line, at); ok {
				if dst, i = out, end; k == isRepeated {
					dst, dropped = dst[:mark], dropped+1
				}
				continue
			}
		}
		var value []byte
		value, i, known = d.cut(line, at, next)
		if k == isRepeated {
			dst, dropped = dst[:mark], dropped+1
			continue
		}
		dst = appendValue(dst, k, value)
		if k == isTime && !timed {
			timed = setTimeFrom(dst[start:], value)
		}
	}
	setFields(dst[start:], len(d.json.headKeys)+fields-dropped)
	return dst, ""
}

// usual appends the fields from i on, where the next of the order begins, as long
// as they are of the usual kind: a short text that ends at a | before the one that
// is after it in the order. It returns the place of the first that is not, and
// where that is in the order.
//
// Nearly all the time goes by here. Texts are looked at and copied 32 bytes at a
// time whatever their length, and nothing is called, so that what the loop needs
// stays in registers.
func (d *KeyValueDecoder) usual(dst, line []byte, i, next int) ([]byte, int, int) {
	record, src, fields := d.order.record, line[:cap(line)], d.order.fields[next:]
	value := i + len(fields[0].raw)
	for len(fields) > 1 && fields[0].quick {
		at := len(dst)
		if value+64 > len(src) || at+65 > cap(dst) {
			break
		}
		in, out, f, follows := src[value:value+64], dst[at:at+65], &fields[0], &fields[1]
		w, x := binary.LittleEndian.Uint64(in), binary.LittleEndian.Uint64(in[8:])
		y, z := binary.LittleEndian.Uint64(in[16:]), binary.LittleEndian.Uint64(in[24:])
		n := bits.TrailingZeros32(bars(w) | bars(x)<<8 | bars(y)<<16 | bars(z)<<24)
		if n > shortText || byte(w) == '\\' || !follows.small || value+n+1+len(follows.raw) > len(line) {
			break
		}
		head := in[n+1 : n+33]
		differ := follows.differs(head)
		put16(out, f.short[0], f.short[1])
		if f.long || follows.long {
			differ |= follows.differsOn(head[16:])
			put16(out[16:], f.short[2], f.short[3])
		}
		if differ != 0 {
			break
		}
		key := len(f.key) & 31
		text := out[key : key+33]
		text[0] = 0xa0 | byte(n)
		if n == 0 {
			text[0] = 0xc0
		}
		put16(text[1:], w, x)
		put16(text[17:], y, z)
		f.seen = record
		dst = dst[:at+key+1+n]
		value += n + 1 + len(follows.raw)
		fields = fields[1:]
	}
	return dst, value - len(fields[0].raw), len(d.order.fields) - len(fields)
}

// setTimeFrom sets the time of the record at rec if value is one.
func setTimeFrom(rec, value []byte) bool {
	t, ok := ParseTime(value)
	if ok {
		setTime(rec, t)
	}
	return ok
}

// place looks where the field from i to its = at eq, which is not the next of the
// order, stands in it, or puts it there. It returns its kind and the place behind.
func (d *KeyValueDecoder) place(next int, line []byte, i, eq int, encoded []byte) (kind, int) {
	key := line[i:eq]
	found := d.order.find(encoded)
	if d.repeated(line, key, found) {
		return isRepeated, next
	}
	k := kindOf(key)
	if found >= 0 {
		d.order.fields[found].seen = d.order.record
		return k, max(next, found+1)
	}
	known := false
	if string(key) == keySource || string(key) == keyType {
		k = isRepeated // of the record's own
	} else {
		next, known = d.order.add(next, knownField{raw: line[i : eq+1], key: encoded, text: len(key), kind: k})
	}
	if !known {
		d.strange = append(d.strange, keyAt{uint32(i), uint32(len(key))})
	}
	return k, next
}

// repeated says whether the line so far has a key, whose place in the order is
// found, or -1.
func (d *KeyValueDecoder) repeated(line, key []byte, found int) bool {
	if found >= 0 {
		return d.order.has(found)
	}
	for _, k := range d.strange {
		if bytes.Equal(line[k.at:k.at+k.length], key) {
			return true
		}
	}
	return false
}

// kind is what a field's value is in JSON.
type kind byte

const (
	isText kind = iota
	isTime
	isNumeric
	isBoolean
	isObject
	isRepeated // the field is there already
)

func kindOf(key []byte) kind {
	switch string(key) {
	case "AttCnt", "AttSize", "MsgSize", "Size", "SpamLimit", "SpamScore", "Attempt", "Latency", "Snt":
		return isNumeric
	case "Delivered":
		return isBoolean
	case "SpamProcessingDetail", "credentialTheft":
		return isObject
	}
	if isTimeKey(key) {
		return isTime
	}
	return isText
}

// object appends the object at i and returns where the next field begins; false
// when it is none, or more than that.
func (d *KeyValueDecoder) object(dst, line []byte, i int) ([]byte, int, bool) {
	d.json.keys = d.json.keys[:0]
	out, end, err := d.json.value(dst, line, i, 1)
	if err != nil {
		// It may still be one, beyond the bounds of what goes out as such.
		if end, err = skipValue(line, i); err == nil {
			out = appendPlain(dst, line[i:end])
		}
	}
	if err != nil || (end < len(line) && (line[end] != '|' || identifier(line, end+1) < 0)) {
		return dst, 0, false
	}
	return out, min(end+1, len(line)), true
}

// appendValue appends a value with the type that the field has in JSON.
func appendValue(dst []byte, k kind, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, 0xc0)
	}
	switch k {
	case isNumeric:
		if n, ok := smallInt(value); ok {
			return msgp.AppendInt64(dst, n)
		}
		if isNumber(value) {
			return appendNumber(dst, value)
		}
	case isBoolean:
		switch string(value) {
		case "true":
			return append(dst, 0xc3)
		case "false":
			return append(dst, 0xc2)
		}
	}
	return appendPlain(dst, value)
}

// smallInt reads the plainest numbers, and only those.
func smallInt(b []byte) (n int64, ok bool) {
	if b[0] == '0' || len(b) > 18 {
		return 0, len(b) == 1 // a nought, or for others to look at
	}
	for _, c := range b {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
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

// cut returns the value at i, which is no object, where the next field begins,
// and whether it is known to be the one expected in the order.
func (d *KeyValueDecoder) cut(line []byte, i, expected int) (value []byte, next int, known bool) {
	if i < len(line) && line[i] == '\\' {
		end := d.textEnd(line, i)
		return bytes.TrimSuffix(line[i+1:end], []byte("\\")), min(end+1, len(line)), false
	}
	end := i + bytes.IndexByte(line[i:], '|')
	switch {
	case end < i:
		return line[i:], len(line), false
	case d.order.begins(expected, line, end+1):
		return line[i:end], end + 1, true
	case identifier(line, end+1) < 0:
		end = nextField(line, end+1)
	}
	return line[i:end], min(end+1, len(line)), false
}

// bars has a bit for each | among the eight bytes of a word, the first byte's
// lowest. Behind a | it may have one for a } as well.
func bars(w uint64) uint32 {
	w ^= '|' * eachByte
	return uint32((w - eachByte) &^ w & highBits * gather >> 56)
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
func (d *KeyValueDecoder) textEnd(line []byte, i int) int {
	d.ends = d.ends[:0]
	for at := i + 1; len(d.ends) < maxEnds; {
		n := bytes.IndexByte(line[at:], '\\') + 1
		if n == 0 || at+n == len(line) {
			break
		}
		if at += n; line[at] == '|' && identifier(line, at+1) >= 0 {
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
		if at == len(line) || d.repeats(line, at, next) {
			continue
		}
		known := d.known(keyBehind(line, at))
		if known || (n < last && endsText(line, at, next) && !d.known(keyBehind(line, best))) {
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
			return eq+2 < next && (line[eq+1] == '\\' || (line[eq+1] == '{' && kindOf(keyBehind(line, i)) == isObject))
		}
		i = end
	}
}

// keyBehind is the key of the field that begins behind the | at i; nil at the end.
func keyBehind(line []byte, i int) []byte {
	if i == len(line) {
		return nil
	}
	return line[i+1 : identifier(line, i+1)]
}

// repeats says whether one of the fields from the | at i to next comes twice in
// the line, if the last text ends at i.
func (d *KeyValueDecoder) repeats(line []byte, i, next int) bool {
	for n := 0; i < next && n < maxEnds; n++ {
		k := keyBehind(line, i)
		if d.repeated(line, k, d.order.findText(k)) {
			return true
		}
		end := nextField(line, i+1)
		for at := end; at < len(line); at = nextField(line, at+1) {
			if bytes.Equal(keyBehind(line, at), k) {
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
	if key := keyBehind(line, i); !d.known(key) {
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
