package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

func openJSON(r io.Reader) Decoder {
	d := new(JSONDecoder)
	d.Reset(r, origin())
	return d
}

func TestJSONShapes(t *testing.T) {
	check := func(content string, want ...string) {
		t.Helper()
		checkFile(t, openJSON, content, want...)
	}
	a, b := `{,"a":1}`, `{,"b":2}`
	check(`{"type":"MTA","data":[{"a":1},{"b":2}]}`, a, b)
	check(" {\n\t\"type\" : \"MTA\" ,\r\n \"data\" : [ {\"a\":1} , {\"b\":2} ] } \n", a, b)
	check(`{"data":[{"a":1}],"type":"MTA","more":{"x":[1,2]}}`, a)
	check(`{"data":[{"a":1}],"data":[{"b":2}]}`, a, b)
	check(`{"type":"MTA","data":[]}`)
	check(`[{"a":1},{"b":2}]`, a, b)
	check(`[]`)
	check(``)
	check(" \n")
	check("\ufeff[{\"a\":1}]", a)
	check("{\"a\":1}\n{\"b\":2}\n", a, b)
	check(`{"a":1}{"b":2}`, a, b)
	check(`{"type":"MTA","data":[{"a":1}]}{"type":"MTA","data":[{"b":2}]}`, a, b)
	check(`{"type":"MTA","data":[{"a":1}]}`+"\n"+`[{"b":2}] {"a":1}`, a, b, a)
	check(`{"o":{},"data":[{"a":1}]}`, `{,"o":{},"data":[{"a":1}]}`)
	check(`{"type":"x","data":"text"}`, `{,"type":"x","data":"text"}`)
	check(`{"data":[1,2]}`, `{,"data":[1,2]}`)
	check(`[{}]`, `{}`)
}

func TestJSONDamage(t *testing.T) {
	check := func(content string, want ...string) {
		t.Helper()
		checkFile(t, openJSON, content, want...)
	}
	a := `{,"a":1}`
	// What was seen in production: a file cut after its head.
	check(`{ "type" : "MTA", "data" : `, `!cut short at offset 0: { "type" : "MTA", "data" : `)
	check(`{"type":"MTA","data":[{"a":1},{"b`, a, `!cut short at offset 30: {"b`)
	check(`{"type":"MTA","data":[{"a":1},`, a, `!cut short at offset 30: `)
	check(`{"type":"MTA","data":[{"a":1}`, a, `!cut short at offset 29: `)
	check(`{"type":"MTA","data":[{"a":1}]`, a, `!cut short at offset 30: `)
	check(`[{"a":1},x{"b":2}]`, a, `!not JSON at offset 9: x{"b":2}]`)
	check(`[{"a":1}{"b":2}]`, a, `!not JSON at offset 8: {"b":2}]`)
	check(`[{"a":1},]`, a, `!not JSON at offset 9: ]`)
	check(`[,{"a":1}]`, `!not JSON at offset 1: ,{"a":1}]`)
	check(`[{"a":1}]]`, a, `!not JSON at offset 9: ]`)
	check(`[{"a":1}] nonsense`, a, `!not JSON at offset 10: nonsense`)
	check("[{\"a\":1}]\x00\x00", a, "!not JSON at offset 9: \x00\x00")
	check(`[{"a":01}]`, `!not JSON at offset 1: {"a":01}]`)
	check("[{\"a\":\"\n\"}]", "!not JSON at offset 1: {\"a\":\"\n\"}]")
	check(`{"a" 1}`, `!not JSON at offset 0: {"a" 1}`)
	check(`<html>`, `!not JSON at offset 0: <html>`)
	// A list element that is no record does not hide the next.
	check(`[{"a":1},null,[1,{"x":"]"}],"s",-1.5e3 ,{"a":1}]`, a,
		`!a list element that is no object at offset 9: null`,
		`!a list element that is no object at offset 14: [1,{"x":"]"}]`,
		`!a list element that is no object at offset 28: "s"`,
		`!a list element that is no object at offset 32: -1.5e3`, a)
}

func TestJSONValues(t *testing.T) {
	check := func(value, want string) {
		t.Helper()
		checkFile(t, openJSON, `[{"v":`+value+`}]`, `{,"v":`+want+`}`)
	}
	for _, v := range []string{
		"0", "-1", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
		"9007199254740993", "1.5", "true", "false", "null", `""`, `"x"`, "[]", "{}", `[1,"a",null,{"b":[]}]`,
		`"` + strings.Repeat("x", 31) + `"`, `"` + strings.Repeat("x", 32) + `"`,
		`"` + strings.Repeat("x", 255) + `"`, `"` + strings.Repeat("x", 256) + `"`, `"` + strings.Repeat("x", 70000) + `"`,
	} {
		check(v, v)
	}
	check("-0", "0")
	check("1e3", "1000")
	check("18446744073709551616", `"18446744073709551616"`)
	check("-9223372036854775809", `"-9223372036854775809"`)
	check("1e999", `"1e999"`)
	check("1e-999", `"1e-999"`)
	check("0e-999", "0")
	check("-0.00", "-0")
	check(`"\u00e9\ud83d\ude00\/\\"`, `"é😀/\\"`)
	check(`"\ud83d"`, `"`+"\ufffd"+`"`)
	check(`"\ud83dx\ude00"`, `"`+"\ufffdx\ufffd"+`"`)
	check(`"`+strings.Repeat(`\u0041`, 40)+`"`, `"`+strings.Repeat("A", 40)+`"`)
	check(`"`+strings.Repeat(`\u0041`, 12000)+`"`, `"`+strings.Repeat("A", 12000)+`"`)
	long := `[` + strings.Repeat("1,", 70000) + `1]`
	check(long, long)
	wide := make([]string, 100)
	for i := range wide {
		wide[i] = fmt.Sprintf(`"k%d":%d`, i, i)
	}
	check("{"+strings.Join(wide, ",")+"}", "{"+strings.Join(wide, ",")+"}")
}

func TestJSONFields(t *testing.T) {
	check := func(content string, want ...string) {
		t.Helper()
		checkFile(t, openJSON, content, want...)
	}
	check(`[{"a":1,"b":2,"a":3}]`, `{,"a":1,"b":2}`)
	check(`[{"a":1,"\u0061":{"x":3}}]`, `{,"a":1}`)
	check(`[{"":1,"":2,"b":3}]`, `{,"":1,"b":3}`)
	check(`[{"o":{"a":1,"a":2},"a":{"o":1}}]`, `{,"o":{"a":1},"a":{"o":1}}`)
	check(`[{"log_type":"forged","log_source":"forged","a":1}]`, `{,"a":1}`)
	check(`[{"o":{"log_type":"kept"}}]`, `{,"o":{"log_type":"kept"}}`)
	// The first readable time is the record's.
	check(`[{"datetime":"2021-10-19T07:06:40+0100","eventTime":"2001-10-19T07:06:40+0100"}]`,
		`@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","eventTime":"2001-10-19T07:06:40+0100"}`)
	check(`[{"datetime":"yesterday","eventTime":"2021-10-19T06:06:40Z"}]`,
		`@1634623600 {,"datetime":"yesterday","eventTime":"2021-10-19T06:06:40Z"}`)
	check(`[{"datetime":7,"o":{"datetime":"2021-10-19T06:06:40Z"}}]`, `{,"datetime":7,"o":{"datetime":"2021-10-19T06:06:40Z"}}`)
}

func TestJSONBounds(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"o":`, n-1) + `{}` + strings.Repeat(`}`, n-1) }
	deepest := nested(MaxDepth)
	checkFile(t, openJSON, `[`+deepest+`]`, `{,`+deepest[1:])
	tooDeep := nested(MaxDepth + 1)
	checkFile(t, openJSON, `[`+tooDeep+`,{"a":1}]`, `!objects and lists nest too deep at offset 1: `+tooDeep, `{,"a":1}`)

	many := make([]string, maxFields+1)
	for i := range many {
		many[i] = fmt.Sprintf(`"%d":0`, i)
	}
	tooMany := `{` + strings.Join(many, ",") + `}`
	checkFile(t, openJSON, `[`+tooMany+`,{"a":1}]`, `!too many fields at offset 1: `+tooMany, `{,"a":1}`)

	again := `{"k":0` + strings.Repeat(`,"k":0`, maxFields) + `}`
	checkFile(t, openJSON, `[`+again+`,{"a":1}]`, `!too many fields at offset 1: `+again, `{,"a":1}`)
	floats := `{"l":[` + strings.Repeat("1e1,", 200000) + `0]}`
	checkFile(t, openJSON, `[`+floats+`,{"a":1}]`, `!a record that is too long when it is encoded at offset 1: `+floats, `{,"a":1}`)

	// What is wrong behind the bound does not matter, however much is in view.
	bad := `{"a":"` + strings.Repeat("x", MaxRecord+10) + `"x}`
	checkFile(t, openJSON, `[`+bad+`]`, `!a record of more than 1048576 bytes at offset 1: `+bad+`]`)
	for _, size := range []int{MaxRecord, MaxRecord + 1, MaxRecord + 2, MaxRecord + 3} {
		edge := `{"a":"` + strings.Repeat("x", size-8) + `"}`
		want := []string{`{,` + edge[1:], `{,"a":1}`}
		if size > MaxRecord {
			want = []string{`!a record of more than 1048576 bytes at offset 1: ` + edge + `,{"a":1}]`}
		}
		checkFile(t, openJSON, `[`+edge+`,{"a":1}]`, want...)
	}

	long := `{"a":"` + strings.Repeat("x", MaxRecord+3*windowSize) + `"}`
	got := read(t, openJSON(strings.NewReader(`[{"a":1},`+long+`]`)))
	if len(got) != 2 || got[1] != `!a record of more than 1048576 bytes at offset 9: `+long+`]` {
		t.Errorf("got %d results, the last %.200s", len(got), got[len(got)-1])
	}
}

func TestJSONKeepsInvalidUTF8(t *testing.T) {
	dst, err := openJSON(strings.NewReader("[{\"k\":\"a\xffb\"}]")).Next(nil)
	if err != nil || !bytes.HasSuffix(dst, []byte("\xa1k\xa3a\xffb")) {
		t.Errorf("got %q, %v", dst, err)
	}
}

func TestJSONAllocatesNothingPerRecord(t *testing.T) {
	content := `{"type":"MTA","data":[` + strings.Repeat(`{"datetime":"2021-10-19T07:06:40+0100","Subject":"a \"b\" \u00e9","SpamProcessingDetail":{"spf":{"info":"x","allow":true}},"n":1.5,"l":[1,2]},`, 999) + `{"a":1}]}`
	d := new(JSONDecoder)
	dst := make([]byte, 0, 1<<10)
	perFile := testing.AllocsPerRun(10, func() {
		d.Reset(strings.NewReader(content), origin())
		for {
			out, err := d.Next(dst[:0])
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			dst = out
		}
	})
	if perFile > 5 && !raceDetector {
		t.Errorf("%v allocations for a file of 1000 records", perFile)
	}
}

// FuzzJSON holds the decoder to what encoding/json makes of the same value,
// and to losing nothing of what neither takes.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":1}`, `{"a":{"b":[1,2.5,"x",null,true]}}`, `{"":"\u00e9\ud83d\ude00","":0}`, `{"a":-0}`, `{"n":123456789012345678901234567890}`,
		`{"datetime":"2021-10-19T07:06:40+0100"}`, `{"a":1e400}`, `{"a":"\ud800"}`, `{"a":"\"}`, `{"a":0.1e-7,"b":[[[]]]}`,
		`{"o":{"log_type":1},"log_type":2}`, `{"data":[{"a":1}]}`, "{\"a\":\"\xff\"}", `{"a":1,}`, `{"a":00}`, `{"a":1.}`, `{"a":-}`,
		`{"a":1}]} {"type":"MTA","data":[{"b":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		content := append(append([]byte(`[{"first":0},`), value...), `,{"last":0}]`...)
		records, left, _ := pieces(t, openJSON(bytes.NewReader(content)), content)
		want, ok := reference(value)
		if !ok {
			return
		}
		if len(records) != 3 || len(left) != 0 {
			t.Fatalf("%q: %d records, damaged %q", value, len(records), left)
		}
		if got := generic(t, records[1]); got != want {
			t.Fatalf("%q:\n got %s\nwant %s", value, got, want)
		}
	})
}

// pieces decodes a file, checks that what comes of it lies in the file in its
// order, and returns its records, what was damaged, and what was passed over.
func pieces(t *testing.T, d Decoder, content []byte) (records [][]byte, left []string, passed string) {
	t.Helper()
	room := make([]byte, 0, 64<<10)
	for rest := content; ; {
		rec, err := d.Next(room)
		var damage *Damage
		var source []byte
		switch {
		case err == io.EOF:
			return records, left, passed + string(rest)
		case err == nil:
			source = d.Source()
			records = append(records, bytes.Clone(rec))
		case !errors.As(err, &damage):
			t.Fatalf("%q: %v", content, err)
		case damage.OneRecord:
			source = d.Source()
			left = append(left, string(source))
		default:
			all, err := io.ReadAll(d.Rest())
			if err != nil || !bytes.Equal(all, content[damage.Offset:]) {
				t.Fatalf("%q: damage at %d, but %q is left (%v)", content, damage.Offset, all, err)
			}
			return records, append(left, string(all)), passed
		}
		at := bytes.Index(rest, source)
		if at < 0 {
			t.Fatalf("%q: %q is not in what is left: %q", content, source, rest)
		}
		passed += string(rest[:at])
		rest = rest[at+len(source):]
	}
}

// generic decodes a record's body, without the fields of its origin, to JSON
// in the spelling of reference.
func generic(t *testing.T, rec []byte) string {
	t.Helper()
	v, rest, err := msgp.ReadIntfBytes(rec[countAt-1:])
	if err != nil || len(rest) > 0 {
		t.Fatalf("%x: %v, %d bytes left", rec, err, len(rest))
	}
	m := v.(map[string]any)
	if n := int(rec[countAt])<<8 | int(rec[countAt+1]); n != len(m) {
		t.Fatalf("%d fields, but only %d different ones", n, len(m))
	}
	if m["log_source"] != "siem" || m["log_type"] != "receipt" {
		t.Fatalf("origin is gone: %v", m)
	}
	delete(m, "log_source")
	delete(m, "log_type")
	b, err := json.Marshal(spell(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func spell(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = spell(v[k])
		}
	case []any:
		for i := range v {
			v[i] = spell(v[i])
		}
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case uint64:
		return json.Number(strconv.FormatUint(v, 10))
	case float64:
		return fmt.Sprintf("float %v", v)
	}
	return v
}

// reference decodes one object with encoding/json, with the first of repeated
// fields; false when it is none, or beyond the bounds of records.
func reference(value []byte) (string, bool) {
	if !json.Valid(value) || !utf8.Valid(value) {
		return "", false
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	v, ok := referenceValue(d, 1, map[string]bool{"log_source": true, "log_type": true})
	if _, isMap := v.(map[string]any); !ok || !isMap {
		return "", false
	}
	b, err := json.Marshal(v)
	return string(b), err == nil
}

func referenceValue(d *json.Decoder, depth int, taken map[string]bool) (any, bool) {
	token, err := d.Token()
	if err != nil || depth > MaxDepth+1 {
		return nil, false
	}
	switch token {
	case json.Delim('{'):
		m := map[string]any{}
		n := 0
		for ; d.More(); n++ {
			key, _ := d.Token()
			v, ok := referenceValue(d, depth+1, map[string]bool{})
			if !ok {
				return nil, false
			}
			if k := key.(string); !taken[k] {
				m[k], taken[k] = v, true
			}
		}
		_, err := d.Token()
		return m, err == nil && depth <= MaxDepth && n <= maxFields
	case json.Delim('['):
		l := []any{}
		for d.More() {
			v, ok := referenceValue(d, depth+1, map[string]bool{})
			if !ok {
				return nil, false
			}
			l = append(l, v)
		}
		_, err := d.Token()
		return l, err == nil && depth <= MaxDepth
	}
	if n, ok := token.(json.Number); ok {
		return normalNumber(n), true
	}
	return token, true
}

// normalNumber spells a number the way two equal ones are spelled alike: what
// fits an integer as one, what is out of all range as a string.
func normalNumber(n json.Number) any {
	s := n.String()
	if i, ok := new(big.Int).SetString(s, 10); ok {
		if i.IsInt64() || i.IsUint64() {
			return json.Number(i.String())
		}
		return s
	}
	f, err := n.Float64()
	if err != nil {
		return s
	}
	return fmt.Sprintf("float %v", f)
}
