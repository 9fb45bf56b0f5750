package record

import (
	"bytes"
	"encoding/binary"
)

// order is the fields that the records of a file came with so far, in the order
// they came in. Nearly all records of a file have the same, so the next field is
// most often the next one here, and then its key needs no reading, no encoding
// and no comparison with those before it: the keys in an order differ.
type order struct {
	fields []knownField
	text   []byte // what their slices point into
	record uint64 // the number of the one that is being read
	full   bool   // it begins anew with the next record
}

// knownField is a field of an order.
type knownField struct {
	raw   []byte    // as it stands in the file, from the value before it to its own
	words [4]uint64 // its first 32 bytes
	masks [4]uint64 // of which so many
	key   []byte    // as it goes into records
	short [4]uint64 // its first 32 bytes
	text  int       // length of the key itself, without its header
	seen  uint64    // the record that had it last
	first bool      // raw is that of a record's first field
	kind  kind      // of its value
	small bool      // words has all of raw, and short all of key and more
	quick bool      // small, a text, and not first
	long  bool      // raw, and with it maybe key, has more than 16 bytes
}

// Bounds of an order; one that would grow beyond begins anew.
const (
	maxOrder     = 64
	maxOrderText = 16 << 10
)

func (o *order) reset() { o.fields, o.text, o.full = o.fields[:0], o.text[:0], false }

// begin begins with another record.
func (o *order) begin() {
	if o.full {
		o.reset()
	}
	o.record++
}

// begins says whether the i-th field begins at a place, up to its value.
func (o *order) begins(i int, b []byte, at int) bool {
	return i < len(o.fields) && o.fields[i].begins(b, at)
}

// has says whether the record has the field at i already.
func (o *order) has(i int) bool { return o.fields[i].seen == o.record }

// find returns the place of a key, -1 when the order does not have it.
func (o *order) find(key []byte) int {
	for i := range o.fields {
		if bytes.Equal(o.fields[i].key, key) {
			return i
		}
	}
	return -1
}

// findText does the same for a key that is not encoded.
func (o *order) findText(key []byte) int {
	for i := range o.fields {
		if f := &o.fields[i]; f.text == len(key) && bytes.Equal(f.key[len(f.key)-f.text:], key) {
			return i
		}
	}
	return -1
}

// add inserts a field that the order does not have, and that the record has, and
// returns the place behind it; false when there is no room for it.
func (o *order) add(i int, f knownField) (int, bool) {
	size := len(f.raw) + len(f.key)
	if size > maxOrderText/8 {
		return i, false
	}
	if len(o.fields) == maxOrder || len(o.text)+size > maxOrderText {
		o.full = true
		return i, false
	}
	if o.text == nil {
		o.text = make([]byte, 0, maxOrderText+2*shortText)
	}
	o.text = append(o.text, f.raw...)
	f.raw = o.text[len(o.text)-len(f.raw):]
	o.text = append(o.text, f.key...)
	f.key = o.text[len(o.text)-len(f.key):]
	o.fields = append(o.fields, knownField{})
	copy(o.fields[i+1:], o.fields[i:])
	f.seen = o.record
	f.prepare()
	o.fields[i] = f
	return i + 1, true
}

// begins says whether the field begins at i. Nearly always it does, and nearly
// always it is short; words are compared faster than bytes.
func (f *knownField) begins(b []byte, i int) bool {
	end := i + len(f.raw)
	if i+16 > len(b) {
		return end <= len(b) && string(b[i:end]) == string(f.raw)
	}
	if f.differs(b[i:i+16]) != 0 {
		return false
	}
	return len(f.raw) <= 16 || (end <= len(b) && string(b[i+16:end]) == string(f.raw[16:]))
}

// differs is not 0 if the first 16 bytes of raw are others than those of b, as far
// as it has so many.
func (f *knownField) differs(b []byte) uint64 {
	return (binary.LittleEndian.Uint64(b)^f.words[0])&f.masks[0] | (binary.LittleEndian.Uint64(b[8:])^f.words[1])&f.masks[1]
}

// differsOn does the same for the next 16.
func (f *knownField) differsOn(b []byte) uint64 {
	return (binary.LittleEndian.Uint64(b)^f.words[2])&f.masks[2] | (binary.LittleEndian.Uint64(b[8:])^f.words[3])&f.masks[3]
}

// appendKey appends the key.
func (f *knownField) appendKey(dst []byte) []byte {
	at := len(dst)
	if len(f.key) > 16 || cap(dst)-at < 16 {
		return append(dst, f.key...)
	}
	put16(dst[at:at+16], f.short[0], f.short[1])
	return dst[:at+len(f.key)]
}

func put16(to []byte, a, b uint64) {
	binary.LittleEndian.PutUint64(to, a)
	binary.LittleEndian.PutUint64(to[8:], b)
}

// prepare makes what follows from raw and key.
func (f *knownField) prepare() {
	var head, mask, key [32]byte
	copy(key[:], f.key)
	for i := range mask[:copy(head[:], f.raw)] {
		mask[i] = 0xff
	}
	for i := range f.words {
		f.short[i] = binary.LittleEndian.Uint64(key[8*i:])
		f.words[i], f.masks[i] = binary.LittleEndian.Uint64(head[8*i:]), binary.LittleEndian.Uint64(mask[8*i:])
	}
	f.small = len(f.raw) <= 32 && len(f.key) < 32
	f.quick = f.small && f.kind == isText && !f.first
	f.long = len(f.raw) > 16
}

// shortText is how long strings are that are copied whole words at a time: far
// sooner done than looking how many bytes there are. Headers of one byte tell
// lengths up to it.
const shortText = 31

// Words of eight bytes.
const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
	// gather takes the high bits of all bytes into the uppermost one, the first
	// byte's lowest.
	gather = 0x0002040810204081
)

// appendShort appends a byte and a text of at most shortText bytes, if there is
// room to copy more than it has, which is cut off again.
func appendShort(dst []byte, head byte, s []byte) ([]byte, bool) {
	at := len(dst)
	if len(s) > shortText || cap(s) < 32 || cap(dst)-at < 33 {
		return dst, false
	}
	to, from := dst[at:at+33], s[:32]
	a, b := binary.LittleEndian.Uint64(from), binary.LittleEndian.Uint64(from[8:])
	c, d := binary.LittleEndian.Uint64(from[16:]), binary.LittleEndian.Uint64(from[24:])
	to[0] = head
	put16(to[1:], a, b)
	put16(to[17:], c, d)
	return dst[:at+1+len(s)], true
}
