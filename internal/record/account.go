package record

import (
	"encoding/binary"

	"github.com/tinylib/msgp/msgp"
)

// maxCode bounds the code of an account: what fits a short string.
const maxCode = 31

// Accounts finds the codes of Mimecast accounts in encoded records.
//
// The records of a file have their fields in the same order, and those before
// the code mostly have the same lengths. So what is where the last code was is
// looked at first. A text of valid UTF-8 can't hold the bytes of a key and a code:
// the byte before the code only goes on with a character, and there is none to go
// on with after the last letter of the key. A text that is not valid, or a number, might hold
// them at just that place. All that comes of it is that a code which was found
// before is taken for found again.
type Accounts struct {
	key  string // of the field with the code, as it is encoded
	at   int    // where the key of the last code was, from the start of the record
	last []byte // that key and that code, as they are encoded; empty before the first
}

// NewAccounts returns what finds the codes in a field of a name, which has at most
// 31 bytes.
func NewAccounts(field string) Accounts {
	return Accounts{key: string(msgp.AppendString(nil, field))}
}

// Code returns the code of a record, nil if it has none; again if it is that of
// the last record that had one. The code is a part of the record.
func (a *Accounts) Code(rec []byte) (code []byte, again bool) {
	end := a.at + len(a.last)
	if len(a.last) > 0 && end <= len(rec) && string(rec[a.at:end]) == string(a.last) {
		return rec[a.at+len(a.key)+1 : end], true
	}
	at, end := a.find(rec)
	if end == 0 {
		return nil, false
	}
	field := rec[at:end]
	again = string(field) == string(a.last)
	a.at, a.last = at, append(a.last[:0], field...)
	return field[len(a.key)+1:], again
}

// find returns where the field with the code begins and ends; zero when
// there is none. It goes from field to field: a text "acc" with the next key
// behind it looks like a key and a code.
func (a *Accounts) find(rec []byte) (at, end int) {
	if len(rec) < bodyAt {
		return 0, 0
	}
	at = bodyAt
	for range binary.BigEndian.Uint16(rec[countAt:]) {
		value := skipEncoded(rec, at)
		if value < 0 {
			return 0, 0
		}
		end := skipEncoded(rec, value)
		if end < 0 {
			return 0, 0
		}
		if string(rec[at:value]) == a.key {
			if short := rec[value] &^ maxCode; short != 0xa0 || end-value == 1 {
				return 0, 0
			}
			return at, end
		}
		at = end
	}
	return 0, 0
}

// skipEncoded returns the end of the value that begins at b[i]; -1 when there is
// none.
func skipEncoded(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	var size int
	switch c := b[i]; {
	case c&^maxCode == 0xa0:
		size = 1 + int(c&maxCode)
	case c <= 0x7f, c >= 0xe0, c == 0xc0, c == 0xc2, c == 0xc3:
		size = 1
	case c == 0xd9 && i+1 < len(b):
		size = 2 + int(b[i+1])
	default:
		rest, err := msgp.Skip(b[i:])
		if err != nil {
			return -1
		}
		return len(b) - len(rest)
	}
	if i+size > len(b) {
		return -1
	}
	return i + size
}
