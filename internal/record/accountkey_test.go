package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
	"testing"
)

// named is an origin whose records get the account's name.
func named(key string) Origin {
	o := origin()
	o.AccountKey, o.Account = key, "Acme"
	return o
}

func TestAccountKeyInJSON(t *testing.T) {
	const head = `"log_source":"siem","log_type":"receipt"`
	many := `"f0":0`
	for i := 1; i < 2*maxOrder; i++ {
		many += fmt.Sprintf(`,"f%d":%d`, i, i)
	}
	check := func(key string, fields ...string) {
		t.Helper()
		var content, want []string
		for _, f := range fields {
			object, has := strings.CutPrefix(f, "has ")
			content = append(content, "{"+object+"}")
			object = head + "," + object
			if !has {
				object += `,"` + key + `":"Acme"`
			}
			want = append(want, "{"+strings.Replace(object, ",,", ",", 1)+"}")
		}
		for how, in := range readers(strings.Join(content, "\n")) {
			var d JSONDecoder
			d.Reset(in, named(key))
			for i := range want {
				rec, err := d.Next(nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := show(t, rec); got != want[i] {
					t.Errorf("%s, record %d:\n%s\nwant\n%s", how, i, got, want[i])
				}
			}
			if _, err := d.Next(nil); err != io.EOF {
				t.Errorf("%s: %v", how, err)
			}
		}
	}
	check("customer", `"a":1`, `"b":"x","a":2`)
	check("customer", `"a":1`, `has "customer":"x","a":1`, `"a":1`, `has "a":1,"customer":null`, `"a":{"customer":1}`)
	check("a", `has "a":1`, `has "a":{}`, `"b":1,"c":{"a":1}`)
	check("timestamp", `"b":1`, `has "timestamp":5`, `"b":1`)
	check("customer", many, `has `+many+`,"customer":1`, many, `has "customer":1,`+many, `"a":1`)
	check(strings.Repeat("k", 64), `"a":1`)
}

// TestAccountKeyWithTypes has records whose head is made anew.
func TestAccountKeyWithTypes(t *testing.T) {
	many := `"f":0`
	for i := range 2 * maxOrder {
		many += fmt.Sprintf(`,"f%d":%d`, i, i)
	}
	o := typed()
	o.AccountKey, o.Account = "customer", "Acme"
	var d JSONDecoder
	d.Reset(strings.NewReader(`{"type":"av"}{`+many+`,"customer":1,"type":"url protect"}{"type":"av"}`), o)
	for i, want := range []string{`"Acme"`, `1`, `"Acme"`} {
		rec, err := d.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		_, body := open(t, rec)
		var fields map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &fields); err != nil {
			t.Fatal(err)
		}
		if string(fields["customer"]) != want || strings.Count(body, `"customer"`) != 1 {
			t.Errorf("record %d: %s", i, body)
		}
	}
}

func TestAccountKeyInKeyValue(t *testing.T) {
	var d KeyValueDecoder
	d.Reset(strings.NewReader("acc=C1|Act=Acc\nacc=C1|customer=|Act=Acc\nacc=C1|Act=Acc\nacc=C1|acc=C2\n"), named("customer"))
	for i, want := range []string{
		`"acc":"C1","Act":"Acc","customer":"Acme"`,
		`"acc":"C1","customer":null,"Act":"Acc"`,
		`"acc":"C1","Act":"Acc","customer":"Acme"`,
		`"acc":"C1","log_ambiguous":"` + fieldTwice + `","log_original":"acc=C1|acc=C2","customer":"Acme"`,
	} {
		rec, err := d.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := show(t, rec); !strings.HasSuffix(got, ","+want+"}") {
			t.Errorf("record %d: %s\nwant %s", i, got, want)
		}
	}
}

func TestAccountKeyOfUnparsed(t *testing.T) {
	for raw, want := range map[string]string{
		"text": `"raw":"text","customer":"Acme"}`,
		"\xff": `"encoding":"base64","raw":"/w==","customer":"Acme"}`,
	} {
		rec := AppendUnparsed(nil, named("customer"), Piece{File: "f", Raw: []byte(raw)})
		if got := show(t, rec); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s", raw, got)
		}
	}
}

// TestAccountKeyChangesNoBound has records of the largest encoded size.
func TestAccountKeyChangesNoBound(t *testing.T) {
	var d JSONDecoder
	tooLong := func(extra int, o Origin) bool {
		// A number of four bytes takes nine when it is encoded.
		object := []byte(`{"a":[` + strings.Repeat("1e5,", maxEncoded/9-1000) + `1],"b":"` + strings.Repeat("x", 9000+extra-150) + `"}`)
		_, err := d.Object(nil, o, object)
		return err != nil
	}
	const most = 200 // the account is shorter
	bound := sort.Search(most, func(extra int) bool { return tooLong(extra, origin()) })
	if bound == 0 || bound == most {
		t.Fatal("no record is at the bound")
	}
	if tooLong(bound-1, named("customer")) || !tooLong(bound, named("customer")) {
		t.Errorf("the bound without the account, %d, is not the one with it", bound)
	}
}

func TestAccountKeyAllocatesLittle(t *testing.T) {
	content := strings.Repeat(`{"a":1,"b":"x"}{"a":1,"customer":"x"}`, 500)
	d := new(JSONDecoder)
	allocatesLittle(t, d, func() { d.Reset(strings.NewReader(content), named("customer")) })
	k := new(KeyValueDecoder)
	lines := bytes.Repeat([]byte("a=1|b=x\na=1|customer=x\n"), 500)
	allocatesLittle(t, k, func() { k.Reset(bytes.NewReader(lines), named("customer")) })
}
