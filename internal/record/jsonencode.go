package record

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// jsonEncoder turns one JSON object into one record. Its buffers are reused.
//
// It is a scanner of its own because the record path is what this plugin is for,
// and none of the libraries comes near: for a record of BenchmarkScanners,
// jsontext takes 1880 ns, json-iterator's Iterator 2090, fastjson 1790, and this
// 750 with timestamps, bounds and repeated keys seen to.
type jsonEncoder struct {
	origin   Origin
	head     []byte    // the start of every record
	logType  string    // in head: that of the record before, as it is mostly the same
	headKeys [2]keyRef // its keys
	keys     []keyRef  // those of head, those that are not in the order, those of objects inside
	order    order     // of the records' own fields
	tail     []byte    // the end of every record that lacks its field
	tailKey  int       // how many bytes of it are the key
	named    bool      // a record of the file had that field
	typed    bool      // fields get their types
	lossless bool      // a value that would not be kept whole is an error
}

func (e *jsonEncoder) reset(o Origin) {
	e.origin = o
	e.setType(o.Type)
	e.order.reset()
	e.tail, e.tailKey = o.tail(e.tail[:0])
	e.named, e.typed = false, o.Typed
}

// setType makes the start of records of a log_type.
func (e *jsonEncoder) setType(logType string) {
	o := e.origin
	o.Type, e.logType = logType, logType
	e.head, e.headKeys = o.head(e.head[:0])
}

// begin appends the start of a record.
func (e *jsonEncoder) begin(dst []byte) []byte {
	e.order.begin()
	e.keys = append(e.keys[:0], e.headKeys[:]...)
	for i := range e.keys {
		e.keys[i].at += len(dst)
		e.keys[i].end += len(dst)
	}
	return append(dst, e.head...)
}

// record appends the object at b[i] to dst as a record and returns the place
// behind it. errShort says that the object does not end within b.
func (e *jsonEncoder) record(dst, b []byte, i int) ([]byte, int, error) {
	start, begin := len(dst), i
	dst = e.begin(dst)
	i++
	timed, typed, logType := false, false, e.origin.Type
	next, kept := 0, len(e.headKeys) // in the order, and fields of the record
	for n := 0; ; n++ {
		known := e.order.begins(next, b, i) && e.order.fields[next].first == (n == 0)
		if known {
			from := next
			dst, i, next = e.usual(dst, b, i, next)
			n, kept = n+next-from, kept+next-from
		}
		mark := len(dst)
		var k kind
		keep := true
		if known && n < maxFields {
			f := &e.order.fields[next]
			i += len(f.raw)
			next++
			dst = f.appendKey(dst)
			k, f.seen = f.kind, e.order.record
		} else {
			at, end, err := memberAt(b, i, n)
			if err != nil {
				return dst[:start], 0, err
			}
			if end {
				if e.typed && len(dst)-start > maxEncoded {
					return e.untyped(dst[:start], b, begin)
				}
				has := e.named && e.hasAccount(dst)
				setFields(dst[start:], kept)
				if logType != e.logType {
					dst = e.retype(dst, start, logType)
				}
				dst, err = e.finish(dst, start, has)
				return dst, at, err
			}
			behind := i
			if dst, i, err = appendKey(dst, b, at); err != nil {
				return dst[:start], 0, err
			}
			k, next, keep = e.place(next, b[behind:i], dst, mark, n == 0)
		}
		at := len(dst)
		var err error
		if dst, i, err = e.value(dst, b, i, 1); err != nil {
			return dst[:start], 0, err
		}
		if !keep {
			dst = dst[:mark]
			continue
		}
		kept++
		switch {
		case k == isTime && !timed:
			timed = e.stamp(dst[start:], dst[at:])
		case k == isType && !typed:
			text, _, _ := msgp.ReadStringZC(dst[at:])
			if t := e.origin.TypeOf(text); t != "" {
				logType, typed = t, true
			}
		case k >= isNumeric && e.typed:
			dst = e.convert(dst, at, k)
		}
	}
}

// untyped appends a record whose types make it too long, without them: what becomes
// a record must not depend on options.
func (e *jsonEncoder) untyped(dst, b []byte, i int) ([]byte, int, error) {
	e.typed = false
	defer func() { e.typed = true }()
	return e.record(dst, b, i)
}

// retype gives the record at start another log_type, which the next begins with.
func (e *jsonEncoder) retype(dst []byte, start int, logType string) []byte {
	end := start + len(e.head)
	e.setType(logType)
	return slices.Replace(dst, start+bodyAt, end, e.head[bodyAt:]...)
}

// hasAccount reports whether the record has the field of the tail, which another
// record of the file may have had.
func (e *jsonEncoder) hasAccount(dst []byte) bool {
	if i := e.order.find(e.tail[:e.tailKey]); i >= 0 && e.order.has(i) {
		return true
	}
	return slices.ContainsFunc(e.keys, func(k keyRef) bool { return string(dst[k.at:k.end]) == e.origin.AccountKey })
}

// finish ends the record at start, which has all its fields, with the account
// unless it has such a field. The account does not count for whether a record is
// too long: what becomes a record must not depend on options.
func (e *jsonEncoder) finish(dst []byte, start int, has bool) ([]byte, error) {
	if len(dst)-start > maxEncoded {
		return dst[:start], errEncoded
	}
	if has || len(e.tail) == 0 {
		return dst, nil
	}
	setFields(dst[start:], int(binary.BigEndian.Uint16(dst[start+countAt:]))+1)
	return append(dst, e.tail...), nil
}

// place looks where the field whose key was appended to dst at mark, and which is
// not the next of the order, stands in it, or puts it there. It returns its kind,
// the place behind it, and whether the record does not have it yet.
func (e *jsonEncoder) place(next int, raw, dst []byte, mark int, first bool) (kind, int, bool) {
	ref := keyRef{len(dst) - textLen(dst[mark:]), len(dst)}
	k := isText
	switch key := dst[ref.at:ref.end]; {
	case e.isTime(key):
		k = isTime
	case e.origin.TypeOf != nil && (string(key) == "type" || string(key) == "eventType"):
		k = isType
	case e.origin.Typed:
		k = typedKind(key)
	}
	e.named = e.named || e.isAccount(dst[ref.at:ref.end])
	found := e.order.find(dst[mark:])
	switch {
	case found >= 0 && e.order.has(found), found < 0 && e.repeated(dst, 0, ref):
		return k, next, false
	case found >= 0:
		e.order.fields[found].seen = e.order.record
		return k, max(next, found+1), true
	}
	next, ok := e.order.add(next, knownField{raw: raw, key: dst[mark:], text: ref.end - ref.at, first: first, kind: k})
	if !ok {
		e.keys = append(e.keys, ref)
	}
	return k, next, true
}

// usual appends the fields from i on, where the next of the order begins, as long
// as they are of the usual kind: null, or a short string without escapes, before the
// one that is after it in the order. It returns the place of the first that is not,
// and where that is in the order.
//
// Nearly all the time goes by here. Texts are looked at and copied 32 bytes at a
// time whatever their length, and nothing is called, so that what the loop needs
// stays in registers.
func (e *jsonEncoder) usual(dst, b []byte, i, next int) ([]byte, int, int) {
	record, src, fields := e.order.record, b[:cap(b)], e.order.fields[next:]
	value := i + len(fields[0].raw)
loop:
	for len(fields) > 1 && fields[0].quick {
		at := len(dst)
		if value+66 > len(src) || at+65 > cap(dst) {
			break
		}
		in, out, f, follows := src[value:value+66], dst[at:at+65], &fields[0], &fields[1]
		w, x := binary.LittleEndian.Uint64(in[1:]), binary.LittleEndian.Uint64(in[9:])
		y, z := binary.LittleEndian.Uint64(in[17:]), binary.LittleEndian.Uint64(in[25:])
		var n, end int
		var mark byte
		switch {
		case in[0] == '"':
			n = bits.TrailingZeros32(stops(w) | stops(x)<<8 | stops(y)<<16 | stops(z)<<24)
			if n > shortText || in[n+1] != '"' {
				break loop
			}
			mark, end = 0xa0|byte(n), n+2
		case string(in[:4]) == "null":
			mark, end = 0xc0, 4
		default:
			break loop
		}
		if !follows.small || follows.first || value+end+len(follows.raw) > len(b) {
			break
		}
		head := in[end : end+32]
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
		text[0] = mark
		put16(text[1:], w, x)
		put16(text[17:], y, z)
		f.seen = record
		dst = dst[:at+key+1+n]
		value += end + len(follows.raw)
		fields = fields[1:]
	}
	return dst, value - len(fields[0].raw), len(e.order.fields) - len(fields)
}

// stops has a bit for each of the bytes that stopBits finds, the first byte's
// lowest.
func stops(w uint64) uint32 { return uint32(stopBits(w) * gather >> 56) }

// memberAt returns the place of the key of an object's n-th member, i being
// behind the value before it, or the place behind the object at its end.
func memberAt(b []byte, i, n int) (at int, end bool, err error) {
	i = skipSpace(b, i)
	switch {
	case i == len(b):
		return 0, false, errShort
	case b[i] == '}':
		return i + 1, true, nil
	case n >= maxFields:
		return 0, false, errFields
	case n > 0 && b[i] != ',':
		return 0, false, errSyntax
	case n > 0:
		i = skipSpace(b, i+1)
	}
	return i, false, nil
}

// appendKey appends the key at i and returns the place of its value, which may
// be the end of b.
func appendKey(dst, b []byte, i int) ([]byte, int, error) {
	if i == len(b) {
		return dst, 0, errShort
	}
	if b[i] != '"' {
		return dst, 0, errSyntax
	}
	dst, i, err := appendString(dst, b, i)
	if err != nil {
		return dst, 0, err
	}
	i, err = behindColon(b, i)
	return dst, i, err
}

// members appends the members of an object inside a record, i being behind its
// brace, and returns the place behind its end and how many fields it has now.
func (e *jsonEncoder) members(dst, b []byte, i, depth int) ([]byte, int, int, error) {
	first := len(e.keys)
	for n := 0; ; n++ {
		at, end, err := memberAt(b, i, n)
		if err != nil {
			return dst, 0, 0, err
		}
		if end {
			fields := len(e.keys) - first
			e.keys = e.keys[:first]
			return dst, at, fields, nil
		}
		mark := len(dst)
		if dst, i, err = appendKey(dst, b, at); err != nil {
			return dst, 0, 0, err
		}
		ref := keyRef{len(dst) - textLen(dst[mark:]), len(dst)}
		if dst, i, err = e.value(dst, b, i, depth); err != nil {
			return dst, 0, 0, err
		}
		if e.repeated(dst, first, ref) {
			if e.lossless {
				return dst, 0, 0, errLoss
			}
			dst = dst[:mark]
			continue
		}
		e.keys = append(e.keys, ref)
	}
}

// repeated says whether the object has the key already.
func (e *jsonEncoder) repeated(dst []byte, first int, ref keyRef) bool {
	key := dst[ref.at:ref.end]
	for _, k := range e.keys[first:] {
		if k.end-k.at == len(key) && bytes.Equal(dst[k.at:k.end], key) {
			return true
		}
	}
	return false
}

// isAccount reports whether a field has the name of the tail's.
func (e *jsonEncoder) isAccount(key []byte) bool {
	return len(e.tail) > 0 && string(key) == e.origin.AccountKey
}

// isTime reports whether a field holds the time of the record.
func (e *jsonEncoder) isTime(key []byte) bool {
	if e.origin.Time != "" {
		return string(key) == e.origin.Time
	}
	return isTimeKey(key)
}

// stamp sets the time of the record at rec from an encoded value, if it is a
// time.
func (e *jsonEncoder) stamp(rec, value []byte) bool {
	var t Time
	var ok bool
	if e.origin.Millis {
		if ms, _, err := msgp.ReadInt64Bytes(value); err == nil {
			t, ok = TimeOf(time.UnixMilli(ms))
		}
	} else if text, _, err := msgp.ReadStringZC(value); err == nil {
		t, ok = ParseTime(text)
	}
	if ok {
		setTime(rec, t)
	}
	return ok
}

// value appends the value at or behind i.
func (e *jsonEncoder) value(dst, b []byte, i, depth int) ([]byte, int, error) {
	if i < len(b) && b[i] == '"' {
		return appendString(dst, b, i)
	}
	if i = skipSpace(b, i); i == len(b) {
		return dst, 0, errShort
	}
	switch b[i] {
	case '"':
		return appendString(dst, b, i)
	case '{', '[':
		if depth == MaxDepth {
			return dst, 0, errDepth
		}
		return e.container(dst, b, i, depth+1)
	}
	end, err := skipScalar(b, i)
	if err != nil {
		return dst, 0, err
	}
	switch b[i] {
	case 't':
		return append(dst, 0xc3), end, nil
	case 'f':
		return append(dst, 0xc2), end, nil
	case 'n':
		return append(dst, 0xc0), end, nil
	}
	if e.lossless && bytes.ContainsAny(b[i:end], ".eE") {
		if _, exact := exactFloat(b[i:end]); !exact {
			return dst, 0, errLoss
		}
	}
	return appendNumber(dst, b[i:end]), end, nil
}

// appendString appends the string whose quote is at i.
func appendString(dst, b []byte, i int) ([]byte, int, error) {
	i++
	end := plainEnd(b, i)
	if end < len(b) && b[end] == '"' {
		return appendPlain(dst, b[i:end]), end + 1, nil
	}
	end, err := skipString(b, i-1)
	if err != nil {
		return dst, 0, err
	}
	return appendText(dst, b[i:end-1]), end, nil
}

// container appends the object or list at i. Its header is made for few
// members and widened in the rare case of more.
func (e *jsonEncoder) container(dst, b []byte, i, depth int) ([]byte, int, error) {
	start := len(dst)
	dst = append(dst, 0)
	var n int
	var err error
	isMap := b[i] == '{'
	if isMap {
		dst, i, n, err = e.members(dst, b, i+1, depth)
	} else {
		dst, i, n, err = e.elements(dst, b, i+1, depth)
	}
	if err != nil {
		return dst, 0, err
	}
	var header []byte
	if isMap {
		header = msgp.AppendMapHeader(make([]byte, 0, 8), uint32(n))
	} else {
		header = msgp.AppendArrayHeader(make([]byte, 0, 8), uint32(n))
	}
	if grow := len(header) - 1; grow > 0 {
		dst = append(dst, header[:grow]...)
		copy(dst[start+len(header):], dst[start+1:len(dst)-grow])
	}
	copy(dst[start:], header)
	return dst, i, nil
}

// elements appends the elements of a list, i being behind its bracket.
func (e *jsonEncoder) elements(dst, b []byte, i, depth int) ([]byte, int, int, error) {
	for n := 0; ; n++ {
		i = skipSpace(b, i)
		if i == len(b) {
			return dst, 0, 0, errShort
		}
		if b[i] == ']' {
			return dst, i + 1, n, nil
		}
		if n > 0 {
			if b[i] != ',' {
				return dst, 0, 0, errSyntax
			}
			i = skipSpace(b, i+1)
		}
		var err error
		if dst, i, err = e.value(dst, b, i, depth); err != nil {
			return dst, 0, 0, err
		}
	}
}

// appendText appends a string that is spelled as between JSON's quotes and
// that skipString has passed. A half of a surrogate pair becomes U+FFFD, as
// everywhere; other bytes stay as they are.
func appendText(dst, s []byte) []byte {
	i := bytes.IndexByte(s, '\\')
	if i < 0 {
		return appendPlain(dst, s)
	}
	// The header is of the length as spelled; what is shorter moves up.
	start := len(dst)
	dst = appendTextHeader(dst, len(s))
	body := len(dst)
	for i >= 0 {
		dst = append(dst, s[:i]...)
		dst, s = appendEscape(dst, s[i:])
		i = bytes.IndexByte(s, '\\')
	}
	dst = append(dst, s...)
	return fixTextHeader(dst, start, body)
}

// appendEscape appends what the escape at s[0] stands for and returns the rest.
func appendEscape(dst, s []byte) ([]byte, []byte) {
	switch s[1] {
	case 'b':
		return append(dst, '\b'), s[2:]
	case 'f':
		return append(dst, '\f'), s[2:]
	case 'n':
		return append(dst, '\n'), s[2:]
	case 'r':
		return append(dst, '\r'), s[2:]
	case 't':
		return append(dst, '\t'), s[2:]
	case 'u':
		r := hex4(s[2:])
		s = s[6:]
		if utf16.IsSurrogate(r) {
			pair := utf8.RuneError
			if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				pair = utf16.DecodeRune(r, hex4(s[2:]))
			}
			if r = pair; pair != utf8.RuneError {
				s = s[6:]
			}
		}
		return utf8.AppendRune(dst, r), s
	}
	return append(dst, s[1]), s[2:]
}

func hex4(s []byte) rune {
	return hexDigit(s[0])<<12 | hexDigit(s[1])<<8 | hexDigit(s[2])<<4 | hexDigit(s[3])
}

// appendPlain appends a string that is spelled as it is.
func appendPlain(dst, s []byte) []byte {
	out, ok := appendShort(dst, 0xa0|byte(len(s)), s)
	if ok {
		return out
	}
	return append(appendTextHeader(dst, len(s)), s...)
}

// appendTextHeader appends the header of a string of n bytes.
func appendTextHeader(dst []byte, n int) []byte {
	switch {
	case n < 32:
		return append(dst, 0xa0|byte(n))
	case n < 1<<8:
		return append(dst, 0xd9, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
}

// fixTextHeader replaces the header at start by one of the length that the
// string at body came out with, which is never longer.
func fixTextHeader(dst []byte, start, body int) []byte {
	n := len(dst) - body
	var room [5]byte
	header := appendTextHeader(room[:0], n)
	if gap := body - start - len(header); gap > 0 {
		copy(dst[body-gap:], dst[body:])
		dst = dst[:len(dst)-gap]
	}
	copy(dst[start:], header)
	return dst
}

// textLen is the length of the one string that is encoded in b.
func textLen(b []byte) int {
	switch {
	case b[0]&0xe0 == 0xa0:
		return len(b) - 1
	case b[0] == 0xd9:
		return len(b) - 2
	case b[0] == 0xda:
		return len(b) - 3
	}
	return len(b) - 5
}
