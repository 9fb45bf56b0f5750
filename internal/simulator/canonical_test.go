package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:                                       `{}`,
		" { \"b\" : 1 ,\n\"a\":[ ] } ":             `{"a":[],"b":1}`,
		`{"B":1,"a":2,"é":3,"Z":{"y":1,"x":2}}`:    `{"B":1,"Z":{"x":2,"y":1},"a":2,"é":3}`,
		`{"a":"\u00e9\/\ud83c\udf89\t\u2028<"}`:    "{\"a\":\"é/🎉\\u0009\u2028<\"}",
		`{"a":"\\\"\u0000"}`:                       `{"a":"\\\"\u0000"}`,
		`{"\u0061":null}`:                          `{"a":null}`,
		`{"a":123456789012345678901234567890}`:     `{"a":123456789012345678901234567890}`,
		`{"a":-0,"b":1.50,"c":1e3,"d":5.0,"e":-7}`: `{"a":0,"b":1.5,"c":1000.0,"d":5.0,"e":-7}`,
		`{"a":[true,false,null,{"b":[1,"2"]}]}`:    `{"a":[true,false,null,{"b":[1,"2"]}]}`,
		"{\"a\":\"\xff\"}":                         "{\"a\":\"\ufffd\"}",
	} {
		if got, err := Canonical([]byte(in)); got != want || err != nil {
			t.Errorf("%s:\n got %s %v\nwant %s", in, got, err, want)
		}
	}
	for _, in := range []string{
		``, `[]`, `1`, `{"a":1,"a":2}`, `{"a":{"b":1,"\u0062":2}}`, `{"a":1} {}`, `{"a":01}`, `{"a":1e999}`,
		`{`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a":1 "b":2}`, `{a:1}`, `{"a":1]`, `}`,
		`{"a":[`, `{"a":[1`, `{"a":[1,`, `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":[}`, `{"a":nul}`, `{"a":"\q"}`, `{"a":"\`, "{\"a\":\"\n\"}", "{\"a\":1\x00}", "{}\x00",
	} {
		if got, err := Canonical([]byte(in)); err == nil {
			t.Errorf("%s must be refused, got %s", in, got)
		}
	}
}

func TestCanonicalText(t *testing.T) {
	decoded := `{"n":1,"b":true,"z":null,"o":{"y":[1],"x":null},"s":"text","a":[]}`
	split := `{"n":"1","b":"true","z":"","o":"{\"x\" : null, \"y\":[1]}","s":"text","a":"[]"}`
	one, err := CanonicalText([]byte(decoded))
	if err != nil {
		t.Fatal(err)
	}
	other, err := CanonicalText([]byte(split))
	if err != nil || one != other {
		t.Errorf("\n got %s\nwant %s %v", other, one, err)
	}
	if got, err := CanonicalText([]byte(`{"s":"[EXTERNAL] {"}`)); got != `{"s":"[EXTERNAL] {"}` || err != nil {
		t.Errorf("got %s %v", got, err)
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,"\u00e9",null,true,{"b":{}}],"c":-1e-7}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Canonical(in)
		if valid := json.Valid(in); valid && errors.Is(err, errInvalid) || !valid && err == nil {
			t.Fatalf("%q: %v", in, err)
		}
		if err != nil {
			return
		}
		again, err := Canonical([]byte(got))
		if err != nil || again != got {
			t.Fatalf("not stable: %q, then %q %v", got, again, err)
		}
		if a, b := decoded(t, in), decoded(t, []byte(got)); !reflect.DeepEqual(a, b) {
			t.Fatalf("%q means %v, its canonical form %v", in, a, b)
		}
	})
}

func decoded(t *testing.T, in []byte) (v map[string]any) {
	if err := json.NewDecoder(bytes.NewReader(in)).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
