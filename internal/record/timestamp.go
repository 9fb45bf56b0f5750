package record

import (
	"encoding/binary"
	"math"
	"time"
)

// ParseTime reads a timestamp as Mimecast spells it, 2021-10-19T07:06:40+0100,
// and the other spellings of RFC 3339, with or without a fraction. A time
// without an offset is not one: nobody knows which zone it is in.
func ParseTime(b []byte) (Time, bool) {
	if t, ok := parseFixed(b); ok {
		return t, true
	}
	if len(b) > 64 {
		return Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02 15:04:05-0700"} {
		if t, err := time.Parse(layout, string(b)); err == nil {
			return TimeOf(t)
		}
	}
	return Time{}, false
}

// parseFixed reads the spelling that nearly all records have, and only that. It
// takes eight bytes at a time: digits become their numbers, marks become nought.
func parseFixed(b []byte) (Time, bool) {
	const layout = "2006-01-02T15:04:05+0100"
	if len(b) != len(layout) {
		return Time{}, false
	}
	date := binary.LittleEndian.Uint64(b) ^ 0x2d30302d30303030      // 0000-00-
	clock := binary.LittleEndian.Uint64(b[8:]) ^ 0x30303a3030543030 // 00T00:00
	rest := binary.LittleEndian.Uint64(b[16:]) ^ 0x303030302b30303a // :00+0000
	behind := b[19] == '-'
	if behind {
		rest ^= ('+' ^ '-') << 24
	}
	// A digit above 9 and a mark that is another come to 0x80 or more.
	if (date|(date+0x7f76767f76767676)|clock|(clock+0x76767f76767f7676)|rest|(rest+0x767676767f76767f))&highBits != 0 {
		return Time{}, false
	}
	// Each two digits make one number, in the place of the first.
	date, clock, rest = date*10+date>>8, clock*10+clock>>8, rest*10+rest>>8
	two := func(w uint64, i int) int64 { return int64(byte(w >> (8 * i))) }
	year, month, day := two(date, 0)*100+two(date, 2), two(date, 5), two(clock, 0)
	hour, minute, second := two(clock, 3), two(clock, 6), two(rest, 1)
	zoneHour, zoneMinute := two(rest, 4), two(rest, 6)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour > 23 || minute > 59 || second > 59 || zoneHour > 24 || zoneMinute > 59 {
		return Time{}, false
	}
	ahead := zoneHour*3600 + zoneMinute*60
	if behind {
		ahead = -ahead
	}
	s := days(year, month, day)*86400 + hour*3600 + minute*60 + second - ahead
	if s < 0 || s > math.MaxInt32 {
		return Time{}, false
	}
	return Time{Sec: uint32(s)}, true
}

func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// days counts the days from 1970-01-01 to a date of the Gregorian calendar,
// with years that begin in March so that the leap day comes last.
func days(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719468
}
