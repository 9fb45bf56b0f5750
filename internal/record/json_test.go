package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

func openJSON(r io.Reader) Decoder {
	d := new(JSONDecoder)
	d.Reset(r, origin())
	return d
}

// jsonFiles are whole JSON log files and what comes of them, as read says it.
var jsonFiles = []struct {
	content string
	want    []string
}{
	{`{"type":"MTA","data":[{"a":1},{"b":2}]}`, []string{recordA, recordB}},
	{" {\n\t\"type\" : \"MTA\" ,\r\n \"data\" : [ {\"a\":1} , {\"b\":2} ] } \n", []string{recordA, recordB}},
	{`{"data":[{"a":1}],"type":"MTA","more":{"x":[1,2]}}`, []string{recordA}},
	{`{"data":[{"a":1}],"data":[{"b":2}]}`, []string{recordA, recordB}},
	{`{"type":"MTA","data":[]}`, nil},
	{`[{"a":1},{"b":2}]`, []string{recordA, recordB}},
	{`[]`, nil},
	{``, nil},
	{" \n", nil},
	{"\ufeff[{\"a\":1}]", []string{recordA}},
	{"{\"a\":1}\n{\"b\":2}\n", []string{recordA, recordB}},
	{`{"a":1}{"b":2}`, []string{recordA, recordB}},
	{`{"type":"MTA","data":[{"a":1}]}{"type":"MTA","data":[{"b":2}]}`, []string{recordA, recordB}},
	{`{"type":"MTA","data":[{"a":1}]}` + "\n" + `[{"b":2}] {"a":1}`, []string{recordA, recordB, recordA}},
	{`{"type":"x","data":"text"}`, []string{`{,"type":"x","data":"text"}`}},
	{`{"data":[1,2]}`, []string{`{,"data":[1,2]}`}},
	{`[{}]`, []string{`{}`}},

	// A null in a list stands for no record.
	{`[null]`, nil},
	{`[null,{"a":1}]`, []string{recordA}},
	{`[{"a":1},null]`, []string{recordA}},
	{`[ null , null,{"a":1},null,null ,{"b":2} ]`, []string{recordA, recordB}},
	{`{"type":"MTA","data":[null]}`, nil},
	{`{"type":"MTA","data":[null,{"a":1}]}`, []string{recordA}},
	{`{"type":"MTA","data":[{"a":1},null]}`, []string{recordA}},
	{`{"type":"MTA","data":[null,null,{"a":1},null,{"b":2}]}`, []string{recordA, recordB}},
	{`{"data":[null]}`, nil},
	{`{"data":[null,null,{"a":1}]}`, []string{recordA}},
	{`{"data":[{"a":1},null],"data":[null],"data":null,"data":[{"b":2}]}`, []string{recordA, recordB}},

	// Nor does one between values.
	{`null`, nil},
	{"null\n", nil},
	{`null {"a":1}`, []string{recordA}},
	{`{"a":1}null`, []string{recordA}},
	{"{\"a\":1}\nnull\n{\"b\":2}\nnull", []string{recordA, recordB}},
	{`null[{"a":1}] null null{"b":2}`, []string{recordA, recordB}},
	{`{"type":"MTA","data":[{"a":1}]}null{"type":"MTA","data":null}[{"b":2}]`, []string{recordA, recordB}},

	// Other elements go out by themselves, wherever they stand.
	{`[1,{"a":1}]`, []string{`!a list element that is no object at offset 1: 1`, recordA}},
	{`["x"]`, []string{`!a list element that is no object at offset 1: "x"`}},
	{`{"type":"MTA","data":["x",{"a":1}]}`, []string{`!a list element that is no object at offset 22: "x"`, recordA}},
	{`{"type":"MTA","data":[-1.5,{"a":1},true]}`, []string{`!a list element that is no object at offset 22: -1.5`, recordA, `!a list element that is no object at offset 35: true`}},
	{`{"type":"MTA","data":[[{"b":2}],{"a":1}]}`, []string{`!a list element that is no object at offset 22: [{"b":2}]`, recordA}},
	{`{"type":"MTA","data":[null,"x"]}`, []string{`!a list element that is no object at offset 27: "x"`}},
	{`{"data":["x",null,[1],{"a":1}]}`, []string{`!a list element that is no object at offset 9: "x"`, `!a list element that is no object at offset 18: [1]`, recordA}},
	{`{"type":"MTA","data":["x"]}`, []string{`!a list element that is no object at offset 22: "x"`}},
	{`{"data":["x"],"type":"MTA"}`, []string{`!a list element that is no object at offset 9: "x"`}},
	{`{"meta":{"status":200},"data":["x"]}`, []string{`!a list element that is no object at offset 31: "x"`}},

	// An object around no records at all.
	{`{"type":"MTA","data":null}`, nil},
	{`{"data":null}`, nil},
	{`{"data":null,"type":"MTA"}`, nil},
	{`{"data":[]}`, nil},
	{`{"count":0,"data":[ ],"more":{"x":[1,2]}}`, nil},
	{`{"meta":{"status":200},"data":null,"fail":[]}`, nil},
	{`{"meta":{"status":200},"data":[],"fail":[]}`, nil},
	{`{"type":"MTA","data":null}{"type":"MTA","data":[{"a":1}]}`, []string{recordA}},
	{"{\"type\":\"MTA\",\"data\":null}\n{\"b\":2}\n", []string{recordB}},

	// Members before and after the list.
	{`{"o":{},"data":[{"a":1}]}`, []string{recordA}},
	{`{"meta":{"status":200},"data":[{"a":1},{"b":2}],"fail":[]}`, []string{recordA, recordB}},
	{`{"fail":[],"meta":{"pagination":{"next":[1]}},"data":[null,{"a":1}]}`, []string{recordA}},
	{`{"l":[null,null],"data":[{"a":1}],"l":[null]}`, []string{recordA}},
	{`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"data":[{"a":1}]}`, []string{recordA}},
	{`{"text":"\"data\":","data":[{"a":1}]}`, []string{recordA}},
	{`{"meta":{"data":[{"b":2}]},"data":[{"a":1}]}`, []string{recordA}},
	{`{"data":[{"a":1}],"fail":[{"errors":[]}]}`, []string{recordA, `!a list beside the list of records at offset 18: "fail":[{"errors":[]}]`}},
	{`{"fail":[{"errors":[]}],"data":[{"a":1}]}`, []string{`!a list beside the list of records at offset 1: "fail":[{"errors":[]}]`, recordA}},
	{`{"data":[], "fail" : [null, 1] ,"type":"MTA"}`, []string{`!a list beside the list of records at offset 12: "fail" : [null, 1]`}},
	{`{"data":[{"a":1}],"data":"x","data":{"b":2}}`, []string{recordA, `!data that is no list of records at offset 18: "data":"x"`, `!data that is no list of records at offset 29: "data":{"b":2}`}},
	{`{"data":"x","data":[{"a":1}]}`, []string{`!data that is no list of records at offset 1: "data":"x"`, recordA}},

	// A record that has a field data.
	{`{"type":"MTA","data":{"b":2}}`, []string{`{,"type":"MTA","data":{"b":2}}`}},
	{`{"data":{"data":[{"b":2}]}}`, []string{`{,"data":{"data":[{"b":2}]}}`}},
	{`{"data":[null,1]}`, []string{`{,"data":[null,1]}`}},
	{`{"x":1,"data":[[{"b":2}]]}`, []string{`{,"x":1,"data":[[{"b":2}]]}`}},
	{`{"acc":"C0A0","data":[1,2]}`, []string{`{,"acc":"C0A0","data":[1,2]}`}},
	{`{"aCode":"x","meta":{},"data":["x"]}`, []string{`{,"aCode":"x","meta":{},"data":["x"]}`}},
	{`{"acc":"C0A0","data":null}` + "\n" + `{"data":[],"datetime":""}`, []string{`{,"acc":"C0A0","data":null}`, `{,"data":[],"datetime":""}`}},
	{`{"data":[null],"eventTime":""}{"a":1}`, []string{`{,"data":[null],"eventTime":""}`, recordA}},
	{`[{"type":"MTA","data":[null]},{"data":null}]`, []string{`{,"type":"MTA","data":[null]}`, `{,"data":null}`}},

	// What is cut short or no JSON.
	// What was seen in production: a file cut after its head.
	{`{ "type" : "MTA", "data" : `, []string{`!cut short at offset 0: { "type" : "MTA", "data" : `}},
	{`{"type":"MTA","data":nul`, []string{`!cut short at offset 0: {"type":"MTA","data":nul`}},
	{`{"type":"MTA","data":null`, []string{`!cut short at offset 25: `}},
	{`{"type":"MTA","data":[nul`, []string{`!cut short at offset 22: nul`}},
	{`{"type":"MTA","data":[null`, []string{`!cut short at offset 26: `}},
	{`{"data":[null,`, []string{`!cut short at offset 0: {"data":[null,`}},
	{`{"data":[{"a":1}],"fail":[1`, []string{recordA, `!cut short at offset 18: "fail":[1`}},
	{`[nullx,{"a":1}]`, []string{`!not JSON at offset 1: nullx,{"a":1}]`}},
	{`{"type":"MTA","data":[null_,{"a":1}]}`, []string{`!not JSON at offset 22: null_,{"a":1}]}`}},
	{`[null,]`, []string{`!not JSON at offset 6: ]`}},
	{`[null {"a":1}]`, []string{`!not JSON at offset 6: {"a":1}]`}},
	{`nullify`, []string{`!not JSON at offset 0: nullify`}},
	{"null\x00", []string{"!not JSON at offset 0: null\x00"}},
	{`nil`, []string{`!not JSON at offset 0: nil`}},
	{`{"data":[1,],"data":[{"a":1}]}`, []string{`!not JSON at offset 0: {"data":[1,],"data":[{"a":1}]}`}},
	{`{"data":[{"a":1}],}`, []string{recordA, `!not JSON at offset 18: }`}},
	{`{"data":[{"a":1}]:`, []string{recordA, `!not JSON at offset 17: :`}},
	{`{"data":[{"a":1}],"l":[1}`, []string{recordA, `!not JSON at offset 18: "l":[1}`}},
	{`{"data":null]`, []string{`!not JSON at offset 0: {"data":null]`}},

	// A broken line.
	{"{\"x\" 1}\n{\"a\":1}\n{\"b\":2}\n", []string{`!not JSON at offset 0: {"x" 1}`, recordA, recordB}},
	{"{\"a\":1}\n{\"x\" 1}\n{\"b\":2}\n", []string{recordA, `!not JSON at offset 8: {"x" 1}`, recordB}},
	{"{\"a\":1}\n{\"x\" 1}\n", []string{recordA, "!not JSON at offset 8: {\"x\" 1}\n"}},
	{"{\"a\":1}\n{\"x\":", []string{recordA, `!cut short at offset 8: {"x":`}},
	{"{\"x\" 1}\n{\"y\" 1}\n{\"a\":1}\n{\"z\" 1}", []string{`!not JSON at offset 0: {"x" 1}`, `!not JSON at offset 8: {"y" 1}`, recordA, `!not JSON at offset 24: {"z" 1}`}},
	{"{\"a\":1}\r\n{\"x\" 1}\r\n{\"b\":2}\r\n", []string{recordA, `!not JSON at offset 9: {"x" 1}`, recordB}},
	{"\ufeff{\"x\" 1}\n{\"a\":1}\n", []string{`!not JSON at offset 3: {"x" 1}`, recordA}},
	{"\ufeff\n {\"x\" 1}\n{\"a\":1}\n", []string{`!not JSON at offset 5: {"x" 1}`, recordA}},
	{"\n\n{\"a\":1}\n\n \t\n  {\"x\" 1} \t\n\r\n \n{\"b\":2}\n", []string{recordA, `!not JSON at offset 16: {"x" 1}`, recordB}},
	{"{\"x\":\"\\q\"}\n{\"a\":1}", []string{`!not JSON at offset 0: {"x":"\q"}`, recordA}},
	{"{\"x\":\"\xff\xc3\"}\n{\"a\":1}", []string{"{,\"x\":\"\\ufffd\\ufffd\"}", recordA}},
	{"{\"a\":1}\nnul\n{\"b\":2}", []string{recordA, `!not JSON at offset 8: nul`, recordB}},
	{"{\"a\":1}\nnull\nnul", []string{recordA, `!cut short at offset 13: nul`}},
	{"{\"a\":1}\n}\n{\"b\":2}", []string{recordA, `!not JSON at offset 8: }`, recordB}},
	{"hello\n{\"a\":1}\nhello\n[{\"b\":2}]", []string{`!not JSON at offset 0: hello`, recordA, `!not JSON at offset 14: hello`, recordB}},
	{"5\n\"x\"\nnull\n{\"a\":1}", []string{"!not JSON at offset 0: 5\n\"x\"\nnull", recordA}},
	{"{\"x\":\x00}\n{\"a\":1}", []string{"!not JSON at offset 0: {\"x\":\x00}", recordA}},

	// What a line that is cut short runs on into is not lost.
	{"{\"x\":{\"y\":{\n{\"a\":1}\n{\"b\":2}\n", []string{`!not JSON at offset 0: {"x":{"y":{`, recordA, recordB}},
	{"{\"x\":[\n{\"a\":1}\n{\"b\":2}\n", []string{`!not JSON at offset 0: {"x":[`, recordA, recordB}},
	{"{\"x\":\n{\"a\":1}\n{\"b\":2}\n", []string{`!not JSON at offset 0: {"x":`, recordA, recordB}},
	{"{\"x\":\"cut\n{\"a\":1}\n{\"b\":2}\n", []string{`!not JSON at offset 0: {"x":"cut`, recordA, recordB}},
	{"{\"x\":\"cut\\\n{\"a\":1}\n{\"b\":2}\n", []string{`!not JSON at offset 0: {"x":"cut\`, recordA, recordB}},
	{"{\"a\":1}\n{\"x\":\n{\"b\":2}\n", []string{recordA, `!cut short at offset 8: {"x":`, recordB}},
	{"{\"a\":1}\n{\"x\":[\n{\"b\":2}", []string{recordA, `!cut short at offset 8: {"x":[`, recordB}},
	{"{\"a\":1}\n{\"x\":\n{\"y\":\n", []string{recordA, `!cut short at offset 8: {"x":`, "!cut short at offset 14: {\"y\":\n"}},

	// A record over several lines is one, broken or not.
	{"{\n \"a\":\n  1\n}\n{\"b\":2}", []string{recordA, recordB}},
	{"{\n \"x\":[\n  {\n   \"y\" 1\n  }\n ]\n}\n{\n \"a\":1\n}\n", []string{"!not JSON at offset 0: {\n \"x\":[\n  {\n   \"y\" 1\n  }\n ]\n}", recordA}},
	{"{\n \"x\":[\n  {\n   \"y\":1", []string{"!cut short at offset 0: {\n \"x\":[\n  {\n   \"y\":1"}},
	{" {\"x\" 1}\n  {\"y\":1}\n {\"a\":1}", []string{"!not JSON at offset 1: {\"x\" 1}\n  {\"y\":1}", recordA}},

	// Nothing but a line of its own is.
	{"{\"a\":1} x\n{\"b\":2}\n", []string{recordA, "!not JSON at offset 8: x\n{\"b\":2}\n"}},
	{"{\"a\":1}null{\"x\" 1}\n{\"b\":2}", []string{recordA, "!not JSON at offset 11: {\"x\" 1}\n{\"b\":2}"}},
	{"[\n{\"a\":1},\n{\"x\" 1},\n{\"b\":2}\n]\n", []string{recordA, "!not JSON at offset 11: {\"x\" 1},\n{\"b\":2}\n]\n"}},
	{"{\"type\":\"MTA\",\"data\":[\n{\"x\" 1},\n{\"b\":2}]}\n{\"a\":1}", []string{"!not JSON at offset 23: {\"x\" 1},\n{\"b\":2}]}\n{\"a\":1}"}},
	{"[{\"a\":1}]\n{\"x\" 1}\n{\"b\":2}", []string{recordA, `!not JSON at offset 10: {"x" 1}`, recordB}},
}

const recordA, recordB = `{,"a":1}`, `{,"b":2}`

func TestJSONFiles(t *testing.T) {
	for _, f := range jsonFiles {
		checkFile(t, openJSON, f.content, f.want...)
	}
}

// TestJSONFilesInTwoViews reads files that are cut in two anywhere by what is in
// view.
func TestJSONFilesInTwoViews(t *testing.T) {
	for _, f := range jsonFiles {
		if strings.HasPrefix(f.content, bom) {
			continue
		}
		d := new(JSONDecoder)
		want := comesTo(t, d, strings.NewReader(f.content))
		for at := range len(f.content) {
			if got := comesTo(t, d, inTwoViews(f.content, at))[1:]; !slices.Equal(got, want) {
				t.Errorf("file %s comes to %q, cut at %d to %q", f.content, want, at, got)
			}
		}
	}
}

// inTwoViews gives a file, after a record of such a length that a decoder's
// first view ends at a place in the file.
func inTwoViews(content string, at int) io.Reader {
	first := `{"":"` + strings.Repeat("x", windowSize/2-at-len(`{"":""}`)-1) + `"}` + "\n"
	return io.MultiReader(strings.NewReader(first), strings.NewReader(content[:at]), strings.NewReader(content[at:]))
}

// comesTo says what a file comes to: records and damages as they stand in it.
func comesTo(t testing.TB, d *JSONDecoder, file io.Reader) []string {
	t.Helper()
	var out []string
	room := make([]byte, 0, 2*windowSize)
	d.Reset(file, origin())
	for {
		_, err := d.Next(room)
		var damage *Damage
		switch {
		case err == io.EOF:
			return out
		case err == nil:
			out = append(out, "record "+string(d.Source()))
		case !errors.As(err, &damage):
			t.Fatal(err)
		case damage.OneRecord:
			out = append(out, damage.Reason+" "+string(d.Source()))
		default:
			rest, err := io.ReadAll(d.Rest())
			if err != nil {
				t.Fatal(err)
			}
			return append(out, damage.Reason+" "+string(rest))
		}
	}
}

func TestJSONListBeginsLate(t *testing.T) {
	check := func(content string, want ...string) {
		t.Helper()
		if got := read(t, openJSON(iotest.HalfReader(strings.NewReader(content)))); !slices.Equal(got, want) {
			t.Errorf("file %.30s…: got %.200q, want %.200q", content, got, want)
		}
	}
	// More nulls than one view has, and more than a record may be long.
	for _, n := range []int{windowSize / 5, MaxRecord / 2} {
		nulls := strings.Repeat("null,", n)
		check(`[`+nulls+`{"a":1}]`, recordA)
		check(`{"type":"MTA","data":[`+nulls+`{"a":1}]}`, recordA)
	}
	check(strings.Repeat("null ", MaxRecord/4)+`{"a":1}`, recordA)
	nulls := strings.Repeat("null,", MaxRecord/10)
	check(`{"data":[`+nulls+`{"a":1}]}`, recordA)
	check(`{"data":[`+nulls+`null]}{"a":1}`, recordA)
	check(`{"meta":"`+strings.Repeat("x", MaxRecord-100)+`","data":[{"a":1}]}`, recordA)
	// What can't be told from a record by its first MaxRecord bytes.
	long := `{"data":[` + strings.Repeat("null,", MaxRecord/4) + `{"a":1}]}`
	check(long, `!a record of more than 1048576 bytes at offset 0: `+long)
	long = `"fail":["` + strings.Repeat("x", MaxRecord) + `"]}`
	check(`{"data":[{"a":1}],`+long, recordA, `!a record of more than 1048576 bytes at offset 18: `+long)
}

// TestJSONRecordsWithoutAList has records that are large, many, or speak of data.
func TestJSONRecordsWithoutAList(t *testing.T) {
	var content strings.Builder
	var want []string
	for i := range 3000 {
		record := fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat("x", i%200))
		if i%500 == 7 {
			record = fmt.Sprintf(`{"n":%d,"l":[{"data":[{}]}],"text":"data","data":"data"}`, i)
		}
		content.WriteString(record + "\n")
		want = append(want, `{,`+record[1:])
	}
	content.WriteString(`{"type":"MTA","data":[{"a":1}]}`)
	checkFile(t, openJSON, content.String(), append(want, recordA)...)
}

func TestJSONDamage(t *testing.T) {
	check := func(content string, want ...string) {
		t.Helper()
		checkFile(t, openJSON, content, want...)
	}
	a := `{,"a":1}`
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
	record := `{"datetime":"2021-10-19T07:06:40+0100","Subject":"a \"b\" \u00e9","SpamProcessingDetail":{"spf":{"info":"x","allow":true}},"n":1.5,"l":[1,2]}`
	d := new(JSONDecoder)
	check := func(content string) {
		t.Helper()
		allocatesLittle(t, d, func() { d.Reset(strings.NewReader(content), origin()) })
	}
	check(`{"type":"MTA","data":[` + strings.Repeat(record+",", 999) + `{"a":1}]}`)
	check(`{"type":"MTA","data":[` + strings.Repeat(record+",null,", 999) + `{"a":1}]}`)
	check(strings.Repeat(record+"\n", 1000))
	check(strings.Repeat(record+"\nnull", 999) + `{"data":"x"}`)
}

// TestJSONBrokenLinesOfAnyLength has broken lines that are more than is in view, and
// more than a record may be.
func TestJSONBrokenLinesOfAnyLength(t *testing.T) {
	after := "\n{\"a\":1}\n"
	for _, n := range []int{windowSize, MaxRecord - 8, MaxRecord - 7, MaxRecord, MaxRecord + 3*windowSize} {
		x := strings.Repeat("x", n)
		for broken, reason := range map[string]string{
			`{"x":"` + x + `\q`: "not JSON", // found late
			`{"x" 1` + x + `}`:  "not JSON", // found early
		} {
			if len(broken) > MaxRecord && strings.HasSuffix(broken, `q`) {
				reason = "a record of more than 1048576 bytes"
				if len(broken) == MaxRecord+1 {
					reason = "not JSON" // which is seen first
				}
			}
			want := []string{"!" + reason + " at offset 0: " + broken, recordA}
			if len(broken) > MaxRecord {
				want = []string{"!" + reason + " at offset 0: " + broken + after}
			}
			for how, r := range readers(broken + after) {
				if got := read(t, openJSON(r)); !slices.Equal(got, want) {
					t.Errorf("%d bytes, read %s: got %d results, the first %.60q, want %.60q", len(broken), how, len(got), got[0], want[0])
				}
			}
		}
	}
	// The next line begins beyond what is looked at.
	white := strings.Repeat(" \n", MaxRecord/2)
	check := func(content string, want ...string) {
		t.Helper()
		for how, r := range readers(content) {
			if got := read(t, openJSON(r)); !slices.Equal(got, want) {
				t.Errorf("read %s: got %.100q, want %.100q", how, got, want)
			}
		}
	}
	check("hello\n"+white+`{"a":1}`, "!not JSON at offset 0: hello\n"+white+`{"a":1}`)
	// White space before it is more than is in view.
	check("{\"a\":1}\n"+white[:4*windowSize]+"hello\n{\"b\":2}", recordA, fmt.Sprintf("!not JSON at offset %d: hello", 8+4*windowSize), recordB)
	check("{\"a\":1}\n"+strings.Repeat(" ", 4*windowSize)+"hello\n {\"b\":2}", recordA, fmt.Sprintf("!not JSON at offset %d: hello", 8+4*windowSize), recordB)
	check("{\"a\":1}"+strings.Repeat(" ", 4*windowSize)+"hello\n{\"b\":2}", recordA, fmt.Sprintf("!not JSON at offset %d: hello\n{\"b\":2}", 7+4*windowSize))
	var many strings.Builder
	var want []string
	for range 10000 {
		want = append(want, fmt.Sprintf("!not JSON at offset %d: {\"x\":\"cut", many.Len()), recordA)
		many.WriteString("{\"x\":\"cut\n{\"a\":1}\n")
	}
	check(many.String(), want...)
}

// FuzzJSON holds the decoder to what encoding/json makes of the same value, as an
// element of a list and as a file, and to losing nothing of what neither takes.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":1}`, `{"a":{"b":[1,2.5,"x",null,true]}}`, `{"":"\u00e9\ud83d\ude00","":0}`, `{"a":-0}`, `{"n":123456789012345678901234567890}`,
		`{"datetime":"2021-10-19T07:06:40+0100"}`, `{"a":1e400}`, `{"a":"\ud800"}`, `{"a":"\"}`, `{"a":0.1e-7,"b":[[[]]]}`,
		`{"o":{"log_type":1},"log_type":2}`, `{"data":[{"a":1}]}`, "{\"a\":\"\xff\"}", `{"a":1,}`, `{"a":00}`, `{"a":1.}`, `{"a":-}`,
		`{"a":1}]} {"type":"MTA","data":[{"b":2}`,
	} {
		f.Add([]byte(s))
	}
	for _, file := range jsonFiles {
		f.Add([]byte(file.content))
	}
	d := new(JSONDecoder)
	f.Fuzz(func(t *testing.T, value []byte) {
		fuzzFile(t, d, string(value))
		content := append(append([]byte(`[{"first":0},`), value...), `,{"last":0}]`...)
		records, left, _ := pieces(t, openJSON(bytes.NewReader(content)), content)
		if string(bytes.Trim(value, " \t\r\n")) == "null" && (len(records) != 2 || len(left) != 0) {
			t.Fatalf("%q: %d records, damaged %q", value, len(records), left)
		}
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

// fuzzFile checks what a whole file comes to.
func fuzzFile(t *testing.T, d *JSONDecoder, content string) {
	t.Helper()
	got := comesTo(t, d, strings.NewReader(content))
	for _, r := range []io.Reader{iotest.HalfReader(strings.NewReader(content)), iotest.DataErrReader(strings.NewReader(content))} {
		if again := comesTo(t, d, r); !slices.Equal(got, again) {
			t.Fatalf("%q comes to %q, and read another way to %q", content, got, again)
		}
	}
	checkLines(t, d, content, got)
	if want, ok := fileReference(content); ok && !slices.Equal(got, want) {
		t.Fatalf("%q comes to %q, want %q", content, got, want)
	}
	if len(content) > 0 && len(content) < windowSize/4 && content[0] != bom[0] {
		at := int(content[0]^content[len(content)-1]) % len(content)
		if cut := comesTo(t, d, inTwoViews(content, at))[1:]; !slices.Equal(got, cut) {
			t.Fatalf("%q comes to %q, cut at %d to %q", content, got, at, cut)
		}
	}
}

// checkLines checks that a file between two lines, each a record, costs neither of
// them, unless it begins a list that does not end.
func checkLines(t *testing.T, d *JSONDecoder, content string, alone []string) {
	t.Helper()
	const first, last = `{"first":0}`, `{"last":0}`
	if strings.HasPrefix(content, bom) || strings.ContainsAny(content, "[\n") || strings.Contains(content, `"data"`) {
		return
	}
	indent := len(content) - len(strings.TrimLeft(content, " \t\r"))
	content = content[indent:]
	got := comesTo(t, d, strings.NewReader(first+"\n"+content+"\n"+last+"\n"+last+"\n"))
	if n := len(got); got[0] != "record "+first || got[n-1] != "record "+last || got[n-2] != "record "+last {
		if strings.HasPrefix(content, "null") || len(alone) > 0 && strings.HasPrefix(alone[0], "record ") {
			return // what is broken may come after something else in its line
		}
		t.Fatalf("line %q comes to %q", content, got)
	}
}

// fileReference is comesTo by encoding/json, for files of nothing but valid
// JSON within the bounds of records and without escapes, which keys are not
// looked for behind.
func fileReference(content string) (want []string, ok bool) {
	if !utf8.ValidString(content) || strings.Contains(content, `\`) || len(content) > windowSize/2 {
		return nil, false
	}
	for d := json.NewDecoder(strings.NewReader(content)); ; {
		var v json.RawMessage
		err := d.Decode(&v)
		if err == io.EOF {
			return want, true
		}
		if err != nil {
			return nil, false
		}
		switch v[0] {
		case '{':
			want, ok = objectReference(want, v)
		case '[':
			want, ok = listReference(want, v)
		case 'n':
			ok = strings.Trim(content[d.InputOffset():min(int(d.InputOffset())+1, len(content))], " \t\r\n,:\"[]{}") == ""
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
	}
}

func listReference(want []string, list json.RawMessage) ([]string, bool) {
	var elements []json.RawMessage
	if json.Unmarshal(list, &elements) != nil {
		return nil, false
	}
	for _, v := range elements {
		switch v[0] {
		case 'n':
		case '{':
			if _, ok := reference(v); !ok {
				return nil, false
			}
			want = append(want, "record "+string(v))
		default:
			want = append(want, notObject+" "+string(v))
		}
	}
	return want, true
}

// objectReference decides by all members of an object, and not by as few as
// may be.
func objectReference(want []string, object json.RawMessage) ([]string, bool) {
	if _, ok := reference(object); !ok {
		return nil, false
	}
	type member struct {
		key, source string
		value       json.RawMessage
	}
	var all []member
	is := map[string]bool{} // a key, or a key with a kind of value
	objects, nulls := 0, 0
	d := json.NewDecoder(bytes.NewReader(object))
	for _, _ = d.Token(); d.More(); {
		key, _ := d.Token()
		m := member{key: key.(string)}
		from := d.InputOffset() - int64(len(m.key)) - 2
		if d.Decode(&m.value) != nil {
			return nil, false
		}
		m.source = string(object[from:d.InputOffset()])
		all = append(all, m)
		is[m.key], is[m.key+"\x00"+string(m.value[:1])], is[m.key+"\x00"+string(m.value)] = true, true, true
		var elements []json.RawMessage
		if m.key == "data" && json.Unmarshal(m.value, &elements) == nil {
			for _, e := range elements {
				switch e[0] {
				case '{':
					objects++
				case 'n':
					nulls++
				default:
					is["data\x00others"] = true
				}
			}
		}
	}
	ofRecord := is["datetime"] || is["eventTime"] || is["aCode"] || is["acc"]
	others := is["data\x00others"]
	for key := range is {
		others = others || (strings.HasPrefix(key, "data\x00") && len(key) == len("data\x00x") && key != "data\x00[" && key != "data\x00n")
	}
	list := is["data\x00["] || is["data\x00n"]
	marked := is["type\x00\"MTA\""]
	if objects == 0 && (!list || (!marked && (ofRecord || (others && !is["meta\x00{"])))) {
		return append(want, "record "+string(object)), true
	}
	for _, m := range all {
		var elements []any
		isList := json.Unmarshal(m.value, &elements) == nil
		empty := !slices.ContainsFunc(elements, func(v any) bool { return v != nil })
		switch {
		case m.key == "data" && isList:
			var ok bool
			if want, ok = listReference(want, m.value); !ok {
				return nil, false
			}
		case m.key == "data":
			want = append(want, notList+" "+m.source)
		case !empty:
			want = append(want, besideList+" "+m.source)
		}
	}
	return want, true
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

func TestJSONTimeOfTheOrigin(t *testing.T) {
	o := origin()
	o.Time = "date"
	var d JSONDecoder
	rec, err := d.Object(nil, o, []byte(`{"eventTime":"2001-10-19T07:06:40+0100","date":"2021-10-19T07:06:40+0100"}`))
	if err != nil {
		t.Fatal(err)
	}
	if sec, _ := open(t, rec); sec != 1634623600 {
		t.Errorf("got %d, want the time of the member date", sec)
	}
}

// TestJSONBareObjects are records, whatever their members are called.
func TestJSONBareObjects(t *testing.T) {
	o := origin()
	o.Bare = true
	d := new(JSONDecoder)
	d.Reset(strings.NewReader(`{"type":"MTA","data":[{"a":1}]}`+"\n"+`{"a":1}`+"\n"+`[{"b":2}]`), o)
	if want := []string{`{,"type":"MTA","data":[{"a":1}]}`, recordA, recordB}; !slices.Equal(read(t, d), want) {
		t.Errorf("not %q", want)
	}
}
