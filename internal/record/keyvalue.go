package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"

	"github.com/tinylib/msgp/msgp"
)

// KeyValueDecoder splits a key_value log file into records: a line each, of
// fields key=value separated by |.
//
// The format has no escape, so these rules decide:
//
//   - A line feed, a carriage return, or any run of them ends a line. Blanks and
//     bars before the first field of a line are passed over, and so is a single bar
//     after the last.
//   - A part that does not begin with identifier= belongs to the value before it.
//   - A value that opens with a backslash is free text. It ends at a backslash
//     before |identifier= or before the end of its line, at the first of several
//     unless what follows shows that it can't be: see [KeyValueDecoder.textEnd].
//     A text that its line does not close goes on over lines that do not begin as
//     lines do, and a subject also over those that are no whole record.
//   - Of a field that comes twice the first wins.
//   - Where a line end is missing, a value that ends with datetime= and a time
//     ends the record there, if the record has what its type always has. After a
//     text, which may hold that too, it does so only in a file without line ends.
//
// A record whose line can be read in another way too, or of which a value was
// dropped, has the fields log_ambiguous, which says why, and log_original, the
// line's bytes.
//
// So a subject can't change a field that its record has. What it can do is add a
// field that the record lacks, by imitating a text, and with line ends of its own
// add records, by imitating whole lines. JSON, the default, has no such gap.
type KeyValueDecoder struct {
	window
	json      jsonEncoder
	order     order
	strange   []keyAt  // of the line so far, the keys that are not in the order
	rest      []keyAt  // of a way to read the rest of the line
	always    []string // the fields that records of this type always have
	ambiguous string   // why the line can be read in another way too
	texts     bool     // the line so far has a text
	left      bool     // and one that nothing closes
	looked    int      // bytes looked at to find where texts end
	strict    bool     // every end of a subject is to be looked into
	split     bool     // the record ended without a line end
	joined    bool     // so did all before it
	endless   bool     // and none is in view
	source    []byte
}

// keyAt is where a key stands in what is in view.
type keyAt struct{ at, length uint32 }

// Reset makes the decoder ready for another log file.
func (d *KeyValueDecoder) Reset(r io.Reader, o Origin) {
	d.view(r)
	d.json.reset(o)
	d.order.reset()
	d.source, d.always, d.joined = nil, alwaysThere(o.Type), true
}

// Source implements Decoder.
func (d *KeyValueDecoder) Source() []byte { return d.source }

// Next implements Decoder. A line that is no record is a damage of one record.
func (d *KeyValueDecoder) Next(dst []byte) ([]byte, error) {
	for {
		if !d.skipBlanks() {
			switch {
			case d.fill():
				continue
			case d.err == io.EOF:
				return dst, io.EOF
			}
			return dst, d.damage(cutShort)
		}
		b := d.ahead()
		out, end, err := d.record(dst, b)
		switch {
		case err == errShort && d.fill():
			continue
		case err == errShort:
			return dst, d.damage(cutShort)
		case d.tooLong(end):
			return dst, d.damage(tooLong)
		}
		at := d.at()
		d.source, d.pos = b[d.pos:end], end
		d.joined = d.joined && d.split
		if err != nil {
			return dst, &Damage{Offset: at, Reason: err.Error(), OneRecord: true}
		}
		return out, nil
	}
}

// skipBlanks moves to the start of the next line. It returns false when that is
// not in view.
func (d *KeyValueDecoder) skipBlanks() bool {
	if d.offset == 0 && d.pos == 0 {
		if len(d.buf) < len(bom) && d.err == nil {
			return false
		}
		if bytes.HasPrefix(d.buf, []byte(bom)) {
			d.pos = len(bom)
		}
	}
	d.pos = afterBlanks(d.buf, d.pos)
	return d.pos < len(d.buf)
}

// afterBlanks returns the place of the first byte from i on that can begin a line.
func afterBlanks(b []byte, i int) int {
	for i < len(b) && (b[i] == '\n' || b[i] == '\r' || b[i] == ' ' || b[i] == '\t' || b[i] == '|') {
		i++
	}
	return i
}

// lineBreak returns the place of the first line end from i on, or the end of b.
func lineBreak(b []byte, i int) int {
	const block = 1 << 10 // so that what lies beyond is not searched for each line
	for ; i < len(b); i += block {
		part := b[i:min(i+block, len(b))]
		whole := len(part)
		if n := bytes.IndexByte(part, '\n'); n >= 0 {
			part = part[:n]
		}
		if n := bytes.IndexByte(part, '\r'); n >= 0 {
			part = part[:n]
		}
		if len(part) < whole {
			return i + len(part)
		}
	}
	return len(b)
}

func isBreak(c byte) bool { return c == '\n' || c == '\r' }

// complete reports whether nothing that may follow b changes how it is read.
func (d *KeyValueDecoder) complete(b []byte) bool {
	return d.err != nil || len(b)-d.pos >= MaxRecord+slack
}

// line returns b up to the end of the line that i is in, without a bar there. It
// may be more than a record may have.
func (d *KeyValueDecoder) line(b []byte, i int) ([]byte, error) {
	end := lineBreak(b, i)
	if end == len(b) && d.err != io.EOF && (d.err != nil || !d.complete(b)) {
		return nil, errShort
	}
	if end > i+1 && b[end-1] == '|' && b[end-2] != '|' {
		end--
	}
	return b[:end], nil
}

// record appends the line at pos as a record, and returns the place after it. If
// a field comes twice, or a text is left open, the subject may have ended too early.
func (d *KeyValueDecoder) record(dst, b []byte) ([]byte, int, error) {
	d.strict, d.looked = false, 0
	out, end, err := d.fields(dst, b)
	if err == nil && d.texts && (d.left || d.ambiguous == fieldTwice) {
		d.strict = true
		out, end, err = d.fields(dst, b)
	}
	if err == nil {
		out, err = d.json.finish(out, len(dst), d.json.named && d.hasAccount(b))
	}
	return out, end, err
}

// hasAccount reports whether the line that was read last has the field that the
// account goes into.
func (d *KeyValueDecoder) hasAccount(b []byte) bool {
	key := []byte(d.json.origin.AccountKey)
	return d.repeated(b, key, d.order.findText(key))
}

// fields appends the line at pos as a record, and returns the place after it.
// An error other than errShort says why the line is none.
func (d *KeyValueDecoder) fields(dst, b []byte) (_ []byte, end int, err error) {
	begin := d.pos
	line, err := d.line(b, begin)
	if err != nil {
		return dst, 0, err
	}
	start := len(dst)
	dst = append(dst, d.json.head...)
	d.order.begin()
	d.strange, d.ambiguous, d.texts = d.strange[:0], "", false
	d.left = false
	d.split, d.endless = false, d.joined && len(bytes.TrimPrefix(b[len(line):], []byte("|"))) == 0
	timed := false
	next, known := 0, false // in the order, and whether that field is the one at i
	fields, dropped := 0, 0
	i := begin
	for ; i < len(line); fields++ {
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
				return dst[:start], len(line), errNoField
			}
			length = eq - i
			dst = appendPlain(dst, line[i:eq])
			k, next = d.place(next, line, i, eq, dst[mark:])
		}
		if fields >= maxFields {
			return dst[:start], len(line), errFields
		}
		known = false
		key, at := line[i:i+length], i+length+1
		if at < len(line) && line[at] == '{' && kindOf(key) == isObject {
			if out, end, ok := d.object(dst, line, at); ok {
				if dst, i = out, end; k == isRepeated {
					dst, dropped = dst[:mark], dropped+1
				}
				continue
			}
		}
		var value []byte
		if at < len(line) && line[at] == '\\' {
			end, err := d.textEnd(b, line, key, at)
			if err != nil {
				return dst[:start], 0, err
			}
			if end > len(line) {
				if line, err = d.line(b, end); err != nil {
					return dst[:start], 0, err
				}
			}
			value, i, d.texts = line[at+1:end], min(end+2, len(line)), true
		} else {
			value, i, known = d.cut(line, at, next)
			if n := recordStart(value); n >= 0 && i < len(line) {
				d.rest = d.rest[:0]
				d.split = d.missing(line) == 0 && (!d.texts || d.endless)
				if d.texts || !d.split {
					d.doubt(anotherRecord)
				}
				if d.split {
					value, line, i = value[:n], line[:at+n], at+n
				}
			}
		}
		if k == isRepeated {
			dst, dropped = dst[:mark], dropped+1
			continue
		}
		dst = appendValue(dst, k, value)
		if k == isTime && !timed {
			timed = setTimeFrom(dst[start:], value)
		}
	}
	if dropped > 0 {
		d.doubt(fieldTwice)
	}
	if d.ambiguous != "" {
		dst = appendPlain(appendPlain(dst, []byte(keyAmbiguous)), []byte(d.ambiguous))
		dst = appendPlain(appendPlain(dst, []byte(keyOriginal)), line[begin:])
		fields += 2
	}
	setFields(dst[start:], len(d.json.headKeys)+fields-dropped)
	return dst, len(line), nil
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
	d.json.named = d.json.named || d.json.isAccount(key)
	if found >= 0 {
		d.order.fields[found].seen = d.order.record
		return k, max(next, found+1)
	}
	known := false
	if isOwn(key) {
		k = isRepeated
	} else {
		next, known = d.order.add(next, knownField{raw: line[i : eq+1], key: encoded, text: len(key), kind: k})
	}
	if !known {
		d.strange = append(d.strange, keyAt{uint32(i), uint32(len(key))})
	}
	return k, next
}

// isOwn reports whether the plugin has a use of its own for a key.
func isOwn(key []byte) bool {
	switch string(key) {
	case keySource, keyType, keyAmbiguous, keyOriginal:
		return true
	}
	return false
}

// repeated reports whether the line so far has a key, whose place in the order is
// found, or -1.
func (d *KeyValueDecoder) repeated(line, key []byte, found int) bool {
	if found >= 0 {
		return d.order.has(found)
	}
	return among(d.strange, line, key)
}

// among reports whether a key is one of keys, which stand in line.
func among(keys []keyAt, line, key []byte) bool {
	for _, k := range keys {
		if bytes.Equal(line[k.at:k.at+k.length], key) {
			return true
		}
	}
	return false
}

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
		if number := bytes.Trim(value, " "); len(number) > 0 && isNumber(number) {
			return appendNumber(dst, number)
		}
	case isBoolean:
		switch string(bytes.Trim(value, " ")) {
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

var errNoField = errors.New("a line that does not begin with a field")

// maxIdentifier bounds the length of a key.
const maxIdentifier = 64

// identifier returns the place of the = behind an identifier at i, -1 when
// there is none.
func identifier(b []byte, i int) int {
	for k := i; k < len(b) && k-i <= maxIdentifier; k++ {
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

// cut returns the value at i, which is neither an object nor a text, where the
// next field begins, and whether it is known to be the one expected in the order.
func (d *KeyValueDecoder) cut(line []byte, i, expected int) (value []byte, next int, known bool) {
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
