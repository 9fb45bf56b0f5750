package record

import (
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

// parseFixed reads the spelling that nearly all records have, and only that.
func parseFixed(b []byte) (Time, bool) {
	const layout = "2006-01-02T15:04:05+0100"
	if len(b) != len(layout) || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return Time{}, false
	}
	var bad byte // above 9 as soon as one digit is none
	two := func(i int) int64 {
		hi, lo := b[i]-'0', b[i+1]-'0'
		bad = max(bad, hi, lo)
		return int64(hi)*10 + int64(lo)
	}
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	offset := two(20)*3600 + two(22)*60
	switch {
	case bad > 9, month < 1 || month > 12, day < 1 || day > daysIn(year, month):
		return Time{}, false
	case hour > 23, minute > 59, second > 59, two(20) > 24, two(22) > 59:
		return Time{}, false
	}
	switch b[19] {
	case '+':
		offset = -offset
	case '-':
	default:
		return Time{}, false
	}
	s := days(year, month, day)*86400 + hour*3600 + minute*60 + second + offset
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
