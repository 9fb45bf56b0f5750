package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"fluent-bit-mimecast/internal/simulator"
)

// siem2 is the origin of records of API 2.0, with types or without.
func siem2(withTypes bool) Origin {
	o := typed()
	o.Time, o.Millis, o.Bare, o.Typed = "timestamp", true, true, withTypes
	return o
}

func TestTypedValues(t *testing.T) {
	const text = "stays as it is"
	check := func(field, sent, want string) {
		t.Helper()
		if want == text {
			want = sent
		}
		var d JSONDecoder
		rec, err := d.Object(nil, siem2(true), []byte(`{"x":"1","`+field+`":`+sent+`,"y":"true"}`))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := show(t, rec), `"x":"1","`+field+`":`+want+`,"y":"true"}`; !strings.HasSuffix(got, want) {
			t.Errorf("%s: got %s, want %s", sent, got, want)
		}
		if len(d.encoder.keys) != 2 || d.encoder.lossless {
			t.Errorf("%s: the encoder is left with %d keys", sent, len(d.encoder.keys))
		}
	}
	for sent, want := range map[string]string{
		`"0"`: `0`, `"7"`: `7`, `"-12"`: `-12`, `"9223372036854775807"`: `9223372036854775807`, `"-9223372036854775808"`: `-9223372036854775808`,
		`"1.5"`: `1.5`, `"-0.25"`: `-0.25`, `"1.50"`: `1.5`, `"0.1"`: `0.1`, `"0.9999998807907104"`: `0.9999998807907104`, `"100.0"`: `100`,
		`"\u0031"`: `1`, `7`: `7`, `1.5`: `1.5`, `null`: `null`, `true`: `true`, `[1]`: `[1]`,
		`"9223372036854775808"`: text, `"-9223372036854775809"`: text, `"18446744073709551615"`: text,
		`"0.1234567890123456789"`: text, `"0.10000000000000000555"`: text, `"123456789.123456789012"`: text,
		`""`: text, `"-"`: text, `"."`: text, `"1."`: text, `".5"`: text, `"007"`: text, `"-0"`: text, `"+1"`: text, `" 1"`: text, `"1 "`: text,
		`"1e5"`: text, `"1E5"`: text, `"1.0e1"`: text, `"0x1"`: text, `"1_0"`: text, `"NaN"`: text, `"Inf"`: text, `"many"`: text, `"1,5"`: text,
		`"` + strings.Repeat("9", 500) + `"`: text, `"0.` + strings.Repeat("0", 400) + `1"`: text,
	} {
		check("emailSize", sent, want)
	}
	for sent, want := range map[string]string{
		`"true"`: `true`, `"false"`: `false`, `true`: `true`, `null`: `null`, `1`: `1`,
		`""`: text, `"True"`: text, `"Yes"`: text, `"1"`: text, `"null"`: text,
	} {
		check("delivered", sent, want)
	}
	check("tlsUsed", `"true"`, text)
	check("rejectionCode", `"550"`, text)
	deep := strings.Repeat(`{"a":`, MaxDepth-2) + `{}` + strings.Repeat("}", MaxDepth-2)
	many := `{"a0":1`
	for i := 1; i < maxFields; i++ {
		many += fmt.Sprintf(`,"a%d":1`, i)
	}
	for inner, want := range map[string]string{
		`{}`: `{}`, `{"a":{"b":[1,"x",null,true,0.5]}}`: `{"a":{"b":[1,"x",null,true,0.5]}}`, ` {"a" : 1 } `: `{"a":1}`,
		`null`: `null`, ` null `: `null`, `{"a":"\u2603 \ud83d\ude00"}`: `{"a":"☃ 😀"}`, `{"a":1.0,"b":1e2}`: `{"a":1,"b":100}`,
		`{"a":123456789012345678901}`: `{"a":"123456789012345678901"}`, `{"a":"\\ud800"}`: `{"a":"\\ud800"}`,
		deep: deep, many + "}": many + "}",
		``: text, ` `: text, `[]`: text, `[{}]`: text, `1`: text, `true`: text, `x`: text, `nul`: text, `{`: text, `{}{}`: text, `{}x`: text,
		`{"a":1,"a":2}`: text, `{"b":{"a":1,"a":2}}`: text, `{"a":0.1234567890123456789}`: text, `{"a":1e-400}`: text, `{"a":1e999}`: text,
		`{"a":"\ud800"}`: text, `{"a":"\ud800\u0041"}`: text, `{"\udc00":1}`: text, `{"a":"\x"}`: text, `{"a":01}`: text,
		`{"a":` + deep + `}`: text, many + `,"b":1}`: text,
	} {
		once := quoted(inner)
		if want == text {
			check("analysis", once, text)
			check("analysis", quoted(once), text)
			continue
		}
		check("spamProcessingDetail", once, want)
		check("spamProcessingDetail", quoted(once), want)
		check("analysis", quoted(quoted(once)), text)
	}
	check("spamProcessingDetail", `{"a":1}`, text)
	check("spamProcessingDetail", `null`, text)
}

// quoted is the JSON of a text, without HTML's escapes.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// TestTypedGolden holds the records of the fixtures to what they always were.
func TestTypedGolden(t *testing.T) {
	content, err := os.ReadFile("testdata/siem2.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	for how, in := range readers(string(content)) {
		t.Run(how, func(t *testing.T) {
			var r Reader
			checkGolden(t, "siem2.typed.msgpack", encode(t, r.Open(in, siem2(true), true)))
		})
	}
}

// TestTypedDiffersInTypesAlone has the fixtures, and files of all types.
func TestTypedDiffersInTypesAlone(t *testing.T) {
	content, err := os.ReadFile("testdata/siem2.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	changed := sameButForTypes(t, content)
	for _, f := range TypedFields() {
		if changed[f.Name] == 0 {
			t.Errorf("no fixture has a text that becomes a %s in %s", f.Type(), f.Name)
		}
	}
	server, err := simulator.New(simulator.Config{Seed: 1, Now: func() time.Time { return collected }})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for n, kind := range simulator.EventTypes() {
		if err := server.AddFiles(kind, 1, 500); err != nil {
			t.Fatal(err)
		}
		packed, err := server.RawEventFile(n)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		sameButForTypes(t, content)
	}
}

// sameButForTypes reads a file with types and without, and holds the records to
// each other. It returns how many values have another type, by field.
func sameButForTypes(t *testing.T, content []byte) map[string]int {
	t.Helper()
	var with, without JSONDecoder
	with.Reset(bytes.NewReader(content), siem2(true))
	without.Reset(bytes.NewReader(content), siem2(false))
	changed := map[string]int{}
	for {
		a, errA := with.Next(nil)
		b, errB := without.Next(nil)
		if fmt.Sprint(errA) != fmt.Sprint(errB) || !bytes.Equal(with.Source(), without.Source()) {
			t.Fatalf("with types: %v, %q; without: %v, %q", errA, with.Source(), errB, without.Source())
		}
		var damage *Damage
		switch {
		case errors.As(errA, &damage) && damage.OneRecord:
			continue
		case errA != nil:
			return changed
		}
		if !bytes.Equal(a[:bodyAt], b[:bodyAt]) {
			t.Fatalf("the heads differ: %x, %x", a[:bodyAt], b[:bodyAt])
		}
		got, want := bodyOf(t, a), bodyOf(t, b)
		for name, sent := range want {
			value, have := got[name]
			if !have || len(got) != len(want) {
				t.Fatalf("a field is missing: %s", show(t, a))
			}
			if reflect.DeepEqual(value, sent) {
				continue
			}
			changed[name]++
			if text, ok := sent.(string); !ok || typedKind([]byte(name)) == isText || !standsFor(text, value, 0) {
				t.Fatalf("%s: %v became %v", name, sent, value)
			}
		}
	}
}

func bodyOf(t *testing.T, rec []byte) map[string]any {
	t.Helper()
	_, body := open(t, rec)
	fields, ok := decoded(body).(map[string]any)
	if !ok {
		t.Fatalf("not an object: %s", body)
	}
	return fields
}

// decoded reads JSON with its numbers as they are spelled; an error for what is none.
func decoded(text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than a value")
	}
	return v
}

// standsFor reports whether a text says what a value is: a number, a boolean, or an
// object or null as JSON, encoded at most twice.
func standsFor(text string, value any, encodings int) bool {
	switch v := value.(type) {
	case json.Number:
		return sameNumber(text, v.String())
	case bool:
		return text == strconv.FormatBool(v)
	}
	switch inner := decoded(text).(type) {
	case string:
		return encodings == 0 && standsFor(inner, value, 1)
	case map[string]any, nil:
		return sameValue(inner, value)
	}
	return false
}

func sameNumber(a, b string) bool {
	x, ok1 := new(big.Rat).SetString(a)
	y, ok2 := new(big.Rat).SetString(b)
	return ok1 && ok2 && x.Cmp(y) == 0
}

// sameValue compares JSON values, with numbers of any spelling. A whole number
// beyond 64 bits is a text in records.
func sameValue(sent, got any) bool {
	switch s := sent.(type) {
	case json.Number:
		switch g := got.(type) {
		case json.Number:
			return sameNumber(s.String(), g.String())
		case string:
			return s.String() == g
		}
		return false
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(s) {
			return false
		}
		for name, value := range s {
			if other, have := g[name]; !have || !sameValue(value, other) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(s) {
			return false
		}
		for i := range s {
			if !sameValue(s[i], g[i]) {
				return false
			}
		}
		return true
	}
	return sent == got
}

// TestTypedChangesNoBound has texts whose objects are longer than they are.
func TestTypedChangesNoBound(t *testing.T) {
	for _, n := range []int{1000, maxEncoded/9 - 100, maxEncoded / 9, MaxRecord/4 - 100} {
		long := quoted(`{"a":[` + strings.Repeat("1e5,", n) + `1]}`)
		content := `{"emailSize":"1"}` + "\n" + `{"emailSize":"5","analysis":` + long + "}\n" + `{"emailSize":"6","new":"x"}`
		changed := sameButForTypes(t, []byte(content))
		if small := n < maxEncoded/9; (changed["analysis"] == 1) != small || changed["emailSize"] < 2 {
			t.Errorf("%d numbers: %v became other types", n, changed)
		}
	}
}

func TestTypedAllocatesLittle(t *testing.T) {
	content, err := os.ReadFile("testdata/siem2.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	content = bytes.Repeat(content, 70)
	d, o := new(JSONDecoder), siem2(true)
	o.TypeOf = func([]byte) string { return "" }
	allocatesLittle(t, d, func() { d.Reset(bytes.NewReader(content), o) })
}

// FuzzTyped holds records with types to those without.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{
		`{"emailSize":"12","spamScore":"-1.50","delivered":"true"}`, `{"analysis":"null"}`, `{"analysis":"{\"a\":[1.5,{\"b\":\"\\u2603\"}]}"}`,
		`{"spamProcessingDetail":"\"{\\\"a\\\":1}\"","analysis":"{\"a\":1,\"a\":2}"}`, `{"analysis":"{\"a\":\"\\ud800\"}"}`, `{"analysis":"{\"\":1e400}"}`,
		`{"analysis":{"a":1},"emailSize":5,"analysis":"{}"}`, `{"emailSize":"0.30000000000000004","deliveryTime":"9223372036854775808"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		sameButForTypes(t, content)
		value := append(append([]byte(`{"analysis":`), quoted(string(content))...), '}')
		sameButForTypes(t, value)
	})
}

// BenchmarkTyped decodes files of API 2.0 of all types.
func BenchmarkTyped(b *testing.B) {
	server, err := simulator.New(simulator.Config{Seed: 1, Now: func() time.Time { return collected }})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	in := batch{records: 1000 * len(simulator.EventTypes())}
	for n, kind := range simulator.EventTypes() {
		if err := server.AddFiles(kind, 1, 1000); err != nil {
			b.Fatal(err)
		}
		packed, err := server.RawEventFile(n)
		if err != nil {
			b.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			b.Fatal(err)
		}
		file := batchFile{content: readAll(b, z)}
		in.files = append(in.files, file)
		in.size += int64(len(file.content))
	}
	for _, on := range []bool{false, true} {
		b.Run(fmt.Sprint(on), func(b *testing.B) {
			var r Reader
			out, o := make([]byte, 0, 256<<10), siem2(on)
			b.ReportAllocs()
			for b.Loop() {
				for _, f := range in.files {
					d := r.Open(bytes.NewReader(f.content), o, true)
					for {
						var err error
						if out, err = d.Next(out); err == io.EOF {
							break
						} else if err != nil {
							b.Fatal(err)
						}
						if len(out) > 192<<10 {
							out = out[:0]
						}
					}
				}
			}
			in.report(b)
		})
	}
}
