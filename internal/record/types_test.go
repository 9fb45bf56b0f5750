package record

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// typed is the origin of records with a type of their own.
func typed() Origin {
	o := origin()
	types := map[string]string{"receipt": "receipt", "url protect": "ttp_url", "é": "accent", "av": "av"}
	o.TypeOf = func(value []byte) string { return types[string(value)] }
	return o
}

// TestTypeOfARecord reads all records into one buffer, as they go to the host.
func TestTypeOfARecord(t *testing.T) {
	const long = `"x":"` + "0123456789012345678901234567890123456789012345678901234567890123456789" + `"`
	want := []string{
		`ttp_url {"type":"url protect"}`,
		`ttp_url {"eventType":"url protect",` + long + `}`,
		`av {` + long + `,"type":"av"}`,
		`av @1767323046 {"n":1,"type":"av","eventTime":"2026-01-02T03:04:06Z"}`,
		`receipt {"type":"is not in the table"}`,
		`receipt {}`,
		`accent {"type":"é"}`,
		`av {"type":"no","eventType":"av"}`,
		`av {"eventType":"av","type":"receipt"}`,
		`receipt {"type":null,"in":{"type":"av"}}`,
		`receipt {"type":1,"eventType":["av"]}`,
		`ttp_url {"type":"url protect"}`,
	}
	var content strings.Builder
	for _, w := range want {
		object := w[strings.Index(w, "{"):]
		content.WriteString(strings.ReplaceAll(object, "é", `\u00e9`) + "\n")
	}
	content.WriteString(`{"type":"av","type":"receipt"}`)
	want = append(want, `av {"type":"av"}`)
	for _, room := range []int{0, 64 << 10} {
		for how, in := range readers(content.String()) {
			var d JSONDecoder
			d.Reset(in, typed())
			var got []string
			for dst := make([]byte, 0, room); ; {
				start := len(dst)
				var err error
				if dst, err = d.Next(dst); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				logType := string(LogType(dst[start:]))
				fields := strings.Replace(show(t, dst[start:]), `"log_source":"siem","log_type":"`+logType+`"`, "", 1)
				got = append(got, logType+" "+strings.Replace(fields, "{,", "{", 1))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("read %s with room for %d (-want +got):\n%s", how, room, diff)
			}
		}
	}
}

func TestTypeOfAFile(t *testing.T) {
	const content = `{"type":"av"}`
	var d JSONDecoder
	next := func(o Origin) string {
		d.Reset(strings.NewReader(content), o)
		rec, err := d.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(LogType(rec))
	}
	if got := next(typed()); got != "av" {
		t.Errorf("with types: %s", got)
	}
	if got := next(origin()); got != "receipt" {
		t.Errorf("without types: %s", got)
	}
	rec, err := d.Object(nil, typed(), []byte(content))
	if err != nil || string(LogType(rec)) != "av" {
		t.Errorf("one object: %s, %v", LogType(rec), err)
	}
}

func TestTypesAllocateLittle(t *testing.T) {
	content := strings.Repeat(`{"type":"av","a":1}{"type":"url protect","a":1}`, 500)
	d, o := new(JSONDecoder), typed()
	allocatesLittle(t, d, func() { d.Reset(strings.NewReader(content), o) })
}

func TestTimesInMilliseconds(t *testing.T) {
	o := origin()
	o.Time, o.Millis = "timestamp", true
	for object, want := range map[string]Time{
		`{"timestamp":1715708287466}`:                 {1715708287, 466000000},
		`{"timestamp":0}`:                             {0, 0},
		`{"timestamp":"2026-01-02T03:04:06Z"}`:        {uint32(o.Collected.Unix()), uint32(o.Collected.Nanosecond())},
		`{"timestamp":-1}`:                            {uint32(o.Collected.Unix()), uint32(o.Collected.Nanosecond())},
		`{"timestamp":9223372036854775807}`:           {uint32(o.Collected.Unix()), uint32(o.Collected.Nanosecond())},
		`{"timestamp":1.5}`:                           {uint32(o.Collected.Unix()), uint32(o.Collected.Nanosecond())},
		`{"n":5,"timestamp":1000,"datetime":7}`:       {1, 0},
		`{"datetime":"2026-01-02T03:04:06Z","n":5.5}`: {uint32(o.Collected.Unix()), uint32(o.Collected.Nanosecond())},
	} {
		var d JSONDecoder
		rec, err := d.Object(nil, o, []byte(object))
		if err != nil {
			t.Errorf("%s: %v", object, err)
			continue
		}
		got := Time{binary.BigEndian.Uint32(rec[timeAt:]), binary.BigEndian.Uint32(rec[timeAt+4:])}
		if got != want {
			t.Errorf("%s: got %v, want %v", object, got, want)
		}
	}
}
