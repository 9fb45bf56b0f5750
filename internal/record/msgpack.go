package record

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// Where the parts of a record lie, from its start.
const (
	timeAt  = 4  // eight bytes: seconds, nanoseconds
	countAt = 14 // two bytes: number of fields
	bodyAt  = 16 // the first field
)

// Time is a record's timestamp. Fluent Bit reads seconds of 2^31 and more as
// negative, and negative ones as marks of its own, so those don't exist here.
type Time struct {
	Sec  uint32
	Nsec uint32
}

// TimeOf returns t as a record's timestamp; false when it has none.
func TimeOf(t time.Time) (Time, bool) {
	s := t.Unix()
	if s < 0 || s > math.MaxInt32 {
		return Time{}, false
	}
	return Time{uint32(s), uint32(t.Nanosecond())}, true
}

// Origin is what all records of a log file have in common.
type Origin struct {
	Source    string    // log_source: siem, ttp
	Type      string    // log_type: receipt, process, …
	Time      string    // member of a JSON record that holds its time; empty: those of SIEM logs
	Collected time.Time // timestamp of records that have none of their own
	// Millis has the member Time be a number of milliseconds since 1970.
	Millis bool
	// TypeOf returns the log_type of a JSON record whose field type or eventType has
	// a value, as those of API 2.0 do; empty when the value says nothing. The first
	// of these fields that says something decides. Type is that of all other records,
	// and of all if TypeOf is nil.
	TypeOf func(value []byte) string
	// Bare has every object outside a list be a record: none goes around a list of
	// records. API 2.0 has no such objects, and looking for them takes time.
	Bare bool
	// AccountKey is a field that a record without one of that name gets, with the
	// text Account; empty: none does. It is not one that [IsReserved] names.
	AccountKey, Account string
	// Typed gives [TypedFields] of JSON records their types.
	Typed bool
}

// The fields that name a record's origin.
const (
	keySource = "log_source"
	keyType   = "log_type"
)

// IsReserved reports whether a field has a use of its own, so that it can't be
// [Origin].AccountKey: those that this package adds to records, and those that
// hold Mimecast's code of the account, by which positions are checked.
func IsReserved(field string) bool {
	switch field {
	case keySource, keyType, keyAmbiguous, keyOriginal, keyFile, keyError, keyOffset, keyEncoding, keyRaw, "acc", "accountId":
		return true
	}
	return false
}

// head encodes the start of every record of an origin: its time, its map
// header, and the two fields that name the origin, whose keys it returns.
func (o Origin) head(dst []byte) ([]byte, [2]keyRef) {
	start := len(dst)
	t, _ := TimeOf(o.Collected)
	dst = append(dst, 0x92, 0x92, 0xd7, 0x00)
	dst = binary.BigEndian.AppendUint32(dst, t.Sec)
	dst = binary.BigEndian.AppendUint32(dst, t.Nsec)
	dst = append(dst, 0x80, 0xde, 0, 2)
	var keys [2]keyRef
	dst = msgp.AppendString(dst, keySource)
	keys[0] = keyRef{len(dst) - start - len(keySource), len(dst) - start}
	dst = msgp.AppendString(dst, o.Source)
	dst = msgp.AppendString(dst, keyType)
	keys[1] = keyRef{len(dst) - start - len(keyType), len(dst) - start}
	return msgp.AppendString(dst, o.Type), keys
}

// tail encodes the field with the account, which ends a record, and returns how
// many bytes of it are its key. It is empty if there is none to add.
func (o Origin) tail(dst []byte) (_ []byte, key int) {
	if o.AccountKey == "" {
		return dst, 0
	}
	start := len(dst)
	dst = msgp.AppendString(dst, o.AccountKey)
	key = len(dst) - start
	return msgp.AppendString(dst, o.Account), key
}

// LogType returns the log_type of an encoded record. It is a part of the record.
func LogType(rec []byte) []byte {
	_, rest, _ := msgp.ReadStringZC(rec[bodyAt+1+len(keySource):])
	logType, _, _ := msgp.ReadStringZC(rest[1+len(keyType):])
	return logType
}

// setTime sets the timestamp of the record that starts at rec[0].
func setTime(rec []byte, t Time) {
	binary.BigEndian.PutUint32(rec[timeAt:], t.Sec)
	binary.BigEndian.PutUint32(rec[timeAt+4:], t.Nsec)
}

// setFields sets the number of fields of the record that starts at rec[0].
func setFields(rec []byte, n int) {
	binary.BigEndian.PutUint16(rec[countAt:], uint16(n))
}

// appendNumber appends a number in JSON's spelling: an integer of up to 64 bits
// exactly, a fraction as the nearest float; a larger integer, and a number that
// no float comes near, as the string it was spelled as.
func appendNumber(dst, lit []byte) []byte {
	digits, negative := lit, false
	if digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	if len(digits) <= 18 {
		n := int64(0)
		for _, c := range digits {
			if c < '0' || c > '9' {
				return appendFloat(dst, lit)
			}
			n = n*10 + int64(c-'0')
		}
		if negative {
			n = -n
		}
		return msgp.AppendInt64(dst, n)
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return appendFloat(dst, lit)
		}
	}
	if n, err := strconv.ParseInt(string(lit), 10, 64); err == nil {
		return msgp.AppendInt64(dst, n)
	}
	if n, err := strconv.ParseUint(string(lit), 10, 64); err == nil {
		return msgp.AppendUint64(dst, n)
	}
	return msgp.AppendStringFromBytes(dst, lit)
}

func appendFloat(dst, lit []byte) []byte {
	f, err := strconv.ParseFloat(string(lit), 64)
	if err != nil || (f == 0 && !isZero(lit)) {
		return msgp.AppendStringFromBytes(dst, lit)
	}
	return msgp.AppendFloat64(dst, f)
}

// isZero says whether a number's digits before its exponent are all zero.
func isZero(lit []byte) bool {
	for _, c := range lit {
		switch {
		case c|0x20 == 'e':
			return true
		case '1' <= c && c <= '9':
			return false
		}
	}
	return true
}

// keyRef is where a key lies in the record that is being made.
type keyRef struct{ at, end int }
