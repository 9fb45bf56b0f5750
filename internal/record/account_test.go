package record

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// encodeObject encodes one record.
func encodeObject(t testing.TB, object string) []byte {
	t.Helper()
	var d JSONDecoder
	out, err := d.Object(nil, Origin{Source: "siem", Type: "acc", Collected: time.Unix(1.7e9, 0)}, []byte(object))
	if err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	return out
}

func TestAccounts(t *testing.T) {
	a := NewAccounts("acc")
	check := func(object, want string, wantAgain bool) {
		t.Helper()
		code, again := a.Code(encodeObject(t, object))
		if string(code) != want || again != wantAgain {
			t.Errorf("%.200s: got %q, %v, want %q, %v", object, code, again, want, wantAgain)
		}
	}
	check(`{"n":1}`, "", false)
	check(`{"datetime":"2026-01-02T03:04:05+0000","acc":"C1A1","n":1}`, "C1A1", false)
	check(`{"datetime":"2026-01-02T03:04:06+0000","acc":"C1A1","n":2}`, "C1A1", true)
	check(`{"datetime":"2026-01-02T03:04:06+0000","acc":"C1A12","n":2}`, "C1A12", false)
	check(`{"datetime":"2026-01-02T03:04:06+0000","acc":"C1A1","n":2}`, "C1A1", false)
	check(`{"acc":"C1A1"}`, "C1A1", true) // at another place
	check(`{"acc":"C1A1"}`, "C1A1", true)
	check(`{"n":1}`, "", false)
	check(`{"acc":"C1A1"}`, "C1A1", true)

	// What looks like one.
	check(`{"Act":"acc","Dir":"Inbound"}`, "", false)
	check(`{"Act":"acc","Dir":"Inbound","acc":"C2"}`, "C2", false)
	check(`{"Subject":"£acc","Dir":"acc"}`, "", false)
	check(`{"detail":{"acc":"C3"},"list":["acc","C4"],"n":1}`, "", false)
	check(`{"detail":{"acc":"C3"},"acc":"C4"}`, "C4", false)
	check(`{"Subject":"`+"\xa3acc\xa2C5"+`","acc":"C4"}`, "C4", true)

	// What is none.
	check(`{"acc":7}`, "", false)
	check(`{"acc":null}`, "", false)
	check(`{"acc":""}`, "", false)
	check(`{"acc":{"acc":"C6"}}`, "", false)
	check(`{"acc":"`+strings.Repeat("C", 31)+`"}`, strings.Repeat("C", 31), false)
	check(`{"acc":"`+strings.Repeat("C", 32)+`"}`, "", false)

	// Behind each kind of value.
	check(`{"a":null,"b":true,"c":false,"d":-1,"e":1,"f":200,"g":-200,"h":70000,"i":5000000000,"j":1.5,"k":"`+strings.Repeat("x", 40)+`","l":"`+strings.Repeat("x", 400)+`","m":"`+strings.Repeat("x", 70000)+`","n":[],"o":{},"p":[[{"q":1}]],"`+strings.Repeat("r", 40)+`":1,"acc":"C7"}`, "C7", false)
	raw := AppendUnparsed(nil, Origin{Source: "siem", Type: Unparsed}, Piece{File: "x", Raw: []byte("\xa3acc\xa2C8")})
	if code, _ := a.Code(raw); code != nil {
		t.Errorf("what can't be read has the code %q", code)
	}

	// No part of a record makes it panic, and none has another code.
	whole := encodeObject(t, `{"n":300,"text":"`+strings.Repeat("x", 40)+`","acc":"C9","m":{"a":[1,2]}}`)
	for n := range whole {
		a := NewAccounts("acc")
		if code, _ := a.Code(whole[:n]); code != nil && string(code) != "C9" {
			t.Errorf("%d bytes of a record have the code %q", n, code)
		}
	}
}

func TestAccountsOfALogFile(t *testing.T) {
	a := NewAccounts("acc")
	records, again := 0, 0
	for i := range 1000 {
		rec := encodeObject(t, fmt.Sprintf(`{"datetime":"2026-01-02T03:04:05+0000","aCode":"%022d","acc":"C%d","n":%d}`, i, i/100, i))
		code, same := a.Code(rec)
		if string(code) != fmt.Sprint("C", i/100) {
			t.Fatalf("record %d: got %q", i, code)
		}
		records++
		if same {
			again++
		}
	}
	if records-again != 10 {
		t.Errorf("%d codes", records-again)
	}
	rec := encodeObject(t, `{"acc":"C1"}`)
	if n := testing.AllocsPerRun(100, func() { a.Code(rec) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkAccounts is to be held against BenchmarkEncode.
func BenchmarkAccounts(b *testing.B) {
	in := makeBatch(b, "json")
	var r Reader
	var records [][]byte
	for _, f := range in.files {
		d := r.Open(bytes.NewReader(f.content), Origin{Source: "siem", Type: f.logType, Collected: collected}, true)
		for {
			rec, err := d.Next(nil)
			if err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			records = append(records, rec)
		}
	}
	b.Run("alike", func(b *testing.B) {
		a := NewAccounts("acc")
		for b.Loop() {
			for _, rec := range records {
				if code, _ := a.Code(rec); code == nil {
					b.Fatal("no code")
				}
			}
		}
		in.report(b)
	})
	b.Run("each anew", func(b *testing.B) {
		a := NewAccounts("acc")
		for b.Loop() {
			for _, rec := range records {
				if _, end := a.find(rec); end == 0 {
					b.Fatal("no code")
				}
			}
		}
		in.report(b)
	})
}
