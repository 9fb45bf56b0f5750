package record

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	check := func(text string, want int64, nsec uint32) {
		t.Helper()
		got, ok := ParseTime([]byte(text))
		if !ok || int64(got.Sec) != want || got.Nsec != nsec {
			t.Errorf("%q: got %v, %v, want %d.%09d", text, got, ok, want, nsec)
		}
	}
	none := func(text string) {
		t.Helper()
		if got, ok := ParseTime([]byte(text)); ok {
			t.Errorf("%q: got %v, want none", text, got)
		}
	}
	check("2021-10-19T07:06:40+0100", 1634623600, 0)
	check("2021-10-19T06:06:40Z", 1634623600, 0)
	check("2021-10-19T06:06:40+00:00", 1634623600, 0)
	check("2021-10-19T02:06:40.5-0400", 1634623600, 500000000)
	check("2021-10-19T06:06:40.123456789Z", 1634623600, 123456789)
	check("2021-10-19 06:06:40+0000", 1634623600, 0)
	check("1970-01-01T00:00:00+0000", 0, 0)
	check("1970-01-01T01:00:00+0100", 0, 0)
	check("2000-02-29T12:00:00-0330", 951838200, 0)
	check("2038-01-19T03:14:07+0000", 1<<31-1, 0)
	none("2038-01-19T03:14:08+0000")
	none("1970-01-01T00:00:00+0001")
	none("1900-02-29T00:00:00+0000")
	none("2021-13-01T00:00:00+0000")
	none("2021-02-29T00:00:00+0000")
	none("2021-10-19T24:00:00+0000")
	none("2021-10-19T07:06:60+0000")
	none("2021-10-19T07:06:40")
	none("2021-10-19T07:06:4x+0100")
	none("2021-10-19T07:06:40*0100")
	none("/021-10-19T07:06:40+0100")
	none("")
	none("yesterday")
	none("1634623600")
}

// TestParseFixedBytes changes each byte of a time to each other.
func TestParseFixedBytes(t *testing.T) {
	for _, text := range []string{"2021-10-19T07:06:40+0100", "1999-12-31T23:59:59-1159"} {
		for i := range text {
			for c := range 256 {
				changed := []byte(text)
				changed[i] = byte(c)
				got, ok := parseFixed(changed)
				at, err := time.Parse("2006-01-02T15:04:05-0700", string(changed))
				want, good := TimeOf(at)
				if ok && (err != nil || !good || got != want) { // the slow way has the others
					t.Errorf("%q: got %v, %v, want %v, %v", changed, got, ok, want, err)
				}
			}
		}
	}
}

// FuzzTime holds the fast reader to what package time makes of the same text.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2021-10-19T07:06:40+0100", "2000-02-29T23:59:59-1159", "1969-12-31T23:59:59+0000", "2021-04-31T00:00:00+0000", "0000-01-01T00:00:00+2400", "2038-01-19T03:14:08+0000"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, fast := parseFixed(text)
		want, err := time.Parse("2006-01-02T15:04:05-0700", string(text))
		if !fast {
			// The slow way answers for what it leaves.
			return
		}
		slow, ok := TimeOf(want)
		if err != nil || !ok || got != slow {
			t.Fatalf("%q: got %v, package time says %v, %v", text, got, want, err)
		}
	})
}

// FuzzTimeFormats goes the other way: every time, spelled as the service does,
// is read.
func FuzzTimeFormats(f *testing.F) {
	f.Add(int64(1634623600), int16(60))
	f.Add(int64(951782400), int16(-210))
	f.Add(int64(1<<31-1), int16(840))
	f.Fuzz(func(t *testing.T, sec int64, offset int16) {
		if sec < 0 || sec >= 1<<31 || offset <= -24*60 || offset >= 24*60 {
			return
		}
		text := time.Unix(sec, 0).In(time.FixedZone("", int(offset)*60)).Format("2006-01-02T15:04:05-0700")
		got, ok := parseFixed([]byte(text))
		if !ok || int64(got.Sec) != sec || got.Nsec != 0 {
			t.Fatalf("%q: got %v, %v, want %d", text, got, ok, sec)
		}
	})
}
