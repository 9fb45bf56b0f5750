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
}

// knownField is a field of an order.
type knownField struct {
	raw    []byte    // as it stands in the file, from the value before it to its own
	words  [2]uint64 // its first 16 bytes
	masks  [2]uint64 // of which so many
	key    []byte    // as it goes into records
	short  [2]uint64 // the same, if it has at most 16 bytes
	text   int       // length of the key itself, without its header
	first  bool      // raw is that of a record's first field
	isTime bool      // it may hold the record's time
	kind   kind      // of its value
}

// Bounds of an order; one that would grow beyond begins anew.
const (
	maxOrder     = 64
	maxOrderText = 16 << 10
)

func (o *order) reset() { o.fields, o.text = o.fields[:0], o.text[:0] }

// at returns the i-th field, nil behind the last.
func (o *order) at(i int) *knownField {
	if i < len(o.fields) {
		return &o.fields[i]
	}
	return nil
}

// find returns the place of a key, -1 when the order does not have it.
func (o *order) find(key []byte) int {
	for i := range o.fields {
		if bytes.Equal(o.fields[i].key, key) {
			return i
		}
	}
	return -1
}

// add inserts a field that the order does not have, and returns the place
// behind it.
func (o *order) add(i int, f knownField) int {
	size := len(f.raw) + len(f.key)
	if size > maxOrderText/8 {
		return i
	}
	if len(o.fields) == maxOrder || len(o.text)+size > maxOrderText {
		o.reset()
		i = 0
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
	f.prepare()
	o.fields[i] = f
	return i + 1
}

// begins says whether the field begins at i, up to its value. Nearly always it
// does, and nearly always it is short; words are compared faster than bytes.
func (f *knownField) begins(b []byte, i int) bool {
	end := i + len(f.raw)
	if i+16 > len(b) {
		return end <= len(b) && string(b[i:end]) == string(f.raw)
	}
	head := b[i : i+16]
	if (binary.LittleEndian.Uint64(head)^f.words[0])&f.masks[0] != 0 || (binary.LittleEndian.Uint64(head[8:])^f.words[1])&f.masks[1] != 0 {
		return false
	}
	return len(f.raw) <= 16 || (end <= len(b) && string(b[i+16:end]) == string(f.raw[16:]))
}

// appendKey appends the key.
func (f *knownField) appendKey(dst []byte) []byte {
	at := len(dst)
	if len(f.key) > 16 || cap(dst)-at < 16 {
		return append(dst, f.key...)
	}
	to := dst[at : at+16]
	binary.LittleEndian.PutUint64(to, f.short[0])
	binary.LittleEndian.PutUint64(to[8:], f.short[1])
	return dst[:at+len(f.key)]
}

// prepare makes words, masks and short.
func (f *knownField) prepare() {
	var head, mask, key [16]byte
	copy(key[:], f.key)
	for i := range mask[:copy(head[:], f.raw)] {
		mask[i] = 0xff
	}
	for i := range f.words {
		f.short[i] = binary.LittleEndian.Uint64(key[8*i:])
		f.words[i], f.masks[i] = binary.LittleEndian.Uint64(head[8*i:]), binary.LittleEndian.Uint64(mask[8*i:])
	}
}

// shortText is how long strings are that are copied whole words at a time: far
// sooner done than looking how many bytes there are. Headers of one byte tell
// lengths up to it.
const shortText = 31

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
	binary.LittleEndian.PutUint64(to[1:], a)
	binary.LittleEndian.PutUint64(to[9:], b)
	binary.LittleEndian.PutUint64(to[17:], c)
	binary.LittleEndian.PutUint64(to[25:], d)
	return dst[:at+1+len(s)], true
}
