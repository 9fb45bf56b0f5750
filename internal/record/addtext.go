package record

import (
	"encoding/binary"

	"github.com/tinylib/msgp/msgp"
)

// AddText adds a field with a text to the record that starts at buf[start] and ends
// buf. A record that has a field of that name stays as it is. The text may hold bytes
// that are not UTF-8.
func AddText(buf []byte, start int, key string, text []byte) []byte {
	rec := buf[start:]
	n := binary.BigEndian.Uint16(rec[countAt:])
	at := bodyAt
	for range n {
		value := skipEncoded(rec, at)
		if value < 0 {
			return buf
		}
		if name, _, err := msgp.ReadStringZC(rec[at:value]); err != nil || string(name) == key {
			return buf
		}
		if at = skipEncoded(rec, value); at < 0 {
			return buf
		}
	}
	if n == 1<<16-1 {
		return buf
	}
	setFields(rec, int(n)+1)
	buf = msgp.AppendString(buf, key)
	return msgp.AppendStringFromBytes(buf, text)
}
