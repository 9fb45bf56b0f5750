package simulator

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

func TestFourModesTellTheSame(t *testing.T) {
	for _, format := range []string{formatJSON, formatKeyValue} {
		for _, compress := range []bool{true, false} {
			t.Run(fmt.Sprint(format, compress), func(t *testing.T) {
				c := newClient(t, Config{})
				for _, n := range []int{1200, 0, 3, 333} {
					c.server.AddBatch(n)
				}
				got, unreadable := c.collect(format, compress)
				if unreadable > 0 {
					t.Errorf("%d files cannot be read", unreadable)
				}
				sameRecords(t, got, texts(t, c.server.Expected()))
			})
		}
	}
}

func TestJSONIsExact(t *testing.T) {
	c := newClient(t, Config{Types: []string{"receipt"}})
	c.server.AddBatch(500)
	content, err := c.server.RawFile(0, 0, formatJSON)
	if err != nil {
		t.Fatal(err)
	}
	inner := bytes.TrimSuffix(bytes.TrimPrefix(content, []byte(`{"type":"MTA","data":[{`)), []byte(`}]}`))
	wire := strings.Split(string(inner), `},{"datetime"`)
	i := 0
	for want := range c.server.Expected() {
		record := wire[i]
		if i > 0 {
			record = `"datetime"` + record
		}
		got, err := Canonical([]byte("{" + record + `,"log_type":"receipt","log_source":"siem"}`))
		if err != nil || got != want {
			t.Fatalf("record %d: %v\n got %s\nwant %s", i, err, got, want)
		}
		i++
	}
	if i != 500 || i != len(wire) {
		t.Errorf("%d records expected, %d on the wire", i, len(wire))
	}
}

func TestRecordsAreUnique(t *testing.T) {
	c := newClient(t, Config{})
	c.server.AddBatch(15_000)
	c.server.AddBatch(15_000)
	seen := make(map[string]bool)
	for record := range c.server.Expected() {
		if seen[record] {
			t.Fatalf("twice: %s", record)
		}
		seen[record] = true
	}
	if len(seen) != 30_000 {
		t.Errorf("%d records", len(seen))
	}
}

func TestRecordsHaveWhatTrafficHas(t *testing.T) {
	c := newClient(t, Config{})
	c.server.AddBatch(20_000)
	size := 0
	var wire []string
	for i, name := range LogTypes() {
		content, err := c.server.RawFile(0, i, formatJSON)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(content) || bytes.ContainsAny(content, "\r\n") {
			t.Errorf("%s: not UTF-8, or with line ends", name)
		}
		size += len(content)
		wire = append(wire, string(content))
	}
	if mean := size / 20_000; mean < 300 || mean > 560 {
		t.Errorf("%d bytes a record", mean)
	}
	all := strings.Join(wire, "\n")
	for _, want := range []string{
		`"MsgId":null`, `"AttNames":null`, `"Subject":null`, `"subject":null`, `"ReceiptAck":null`, `"Sender":"<>"`,
		`"Delivered":true`, `"Delivered":false`, `"NewDomain":"false"`, `"SpamProcessingDetail":{"spf":{"info":`,
		`"credentialTheft":{"tags":[`, `"AttNames":"\"`, `\u00fc`, `\ud83c\udf89`, `\/`, `🎉`, `ü`, `請求書`, `\\fileserver`,
		`"Subject":"x|Act=Acc"`, `+0100"`, `+0000"`, `-0400"`, `+0530"`, `\"hello\"`, `\t`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no record has %s", want)
		}
	}
	if strings.Contains(all, `:""`) {
		t.Error("an empty text cannot be told from null in key_value")
	}
	ambiguous := regexp.MustCompile(`\\\\\|[A-Za-z_]\w*=`)
	for record := range c.server.Expected() {
		if ambiguous.MatchString(record) {
			t.Fatalf("ambiguous in key_value: %s", record)
		}
	}
}

func TestTimesAreThoseOfTheBatch(t *testing.T) {
	c := newClient(t, Config{})
	c.server.AddBatch(1000)
	stamp := regexp.MustCompile(`"datetime":"([^"]+)"`)
	for record := range c.server.Expected() {
		at, err := time.Parse(timeLayout, stamp.FindStringSubmatch(record)[1])
		if err != nil || at.After(c.clock.Now()) || c.clock.Now().Sub(at) > batchSpan+time.Second {
			t.Fatalf("%v %v", at, err)
		}
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	bodies := make([][]byte, 3)
	for i, seed := range []uint64{1, 1, 2} {
		c := newClient(t, Config{Seed: seed})
		c.server.AddBatch(100)
		bodies[i] = c.siem("", "json", true).Body.Bytes()
	}
	if !bytes.Equal(bodies[0], bodies[1]) || bytes.Equal(bodies[0], bodies[2]) {
		t.Error("the seed must decide the bytes")
	}
}

func TestHeadersOfABatch(t *testing.T) {
	c := newClient(t, Config{})
	c.server.AddBatch(20)
	w := c.siem("", "json", true)
	if w.Header().Get("Content-Type") != "application/octet-stream" ||
		w.Header().Get(headerDisposition) != `attachment; filename="00000000-0000-4000-8000-000000000001"` ||
		!bytes.HasPrefix(w.Body.Bytes(), []byte("PK\x03\x04")) {
		t.Errorf("got %v", w.Header())
	}
	files, _ := unzip(w.Body.Bytes())
	if len(files) != len(LogTypes()) || files["ttp_url_20211019070640123.log"] == nil {
		t.Errorf("got %d files", len(files))
	}
	w = c.siem("", "json", false)
	if w.Header().Get(headerDisposition) != `attachment; filename="receipt_20211019070640123.log"` {
		t.Errorf("got %v", w.Header())
	}
}

func TestTokenChain(t *testing.T) {
	c := newClient(t, Config{Types: []string{"receipt", "jrnl"}})
	c.server.AddBatch(10)
	c.server.AddBatch(10)
	first := c.siem("", "json", true)
	token := first.Header().Get(headerSIEMToken)
	second := c.siem(token, "json", true)
	c.clock.advance(6 * 24 * time.Hour)
	if again := c.siem(token, "json", true); !bytes.Equal(again.Body.Bytes(), second.Body.Bytes()) {
		t.Error("a token must always give the same batch")
	}
	end := second.Header().Get(headerSIEMToken)
	for range 2 {
		if w := c.siem(end, "json", true); !isIdle(w) || w.Header().Get(headerSIEMToken) != "" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("got %v %s", w.Header(), w.Body)
		}
	}
	c.server.AddBatch(10)
	if w := c.siem(end, "json", true); w.Header().Get(headerSIEMToken) == "" {
		t.Error("the last token must lead to the batch that came later")
	}
	if number, file, ok := c.server.Locate(end); number != 2 || file != 0 || !ok {
		t.Errorf("got batch %d file %d %v", number, file, ok)
	}

	c.server.Expire(2)
	if w := c.siem(token, "json", true); code(t, w) != codeSIEMToken || w.Code != 400 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := c.siem(end, "json", true); !bytes.Equal(w.Body.Bytes(), c.siem("", "json", true).Body.Bytes()) {
		t.Error("the first batch still kept must be the one the last token leads to")
	}
}

func TestModesShareTokens(t *testing.T) {
	c := newClient(t, Config{Types: []string{"receipt", "jrnl", "av"}})
	c.server.AddBatch(9)
	c.server.AddBatch(9)
	w := c.siem("", "json", false)
	first, _ := decodeAnswer(t, w, "json", false)
	w = c.siem(w.Header().Get(headerSIEMToken), "key_value", true)
	rest, _ := decodeAnswer(t, w, "key_value", true)
	got := slices.Concat(first, rest)
	slices.Sort(got)
	sameRecords(t, got, texts(t, c.server.ExpectedBatch(0)))
	w = c.siem(w.Header().Get(headerSIEMToken), "json", false)
	if w.Header().Get(headerDisposition) != `attachment; filename="receipt_20211019070640124.log"` {
		t.Errorf("got %v", w.Header())
	}
}

func TestUnknownsOfTheService(t *testing.T) {
	c := newClient(t, Config{IdleToken: true, JSONContentType: "application/json; charset=utf-8"})
	w := c.siem("", "json", true)
	if token := w.Header().Get(headerSIEMToken); token == "" || !isIdle(c.siem(token, "json", true)) {
		t.Errorf("got %v", w.Header())
	}
	if w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("got %v", w.Header())
	}
	c.server.AddBatch(1)
	w = c.post(PathSIEM, `{"data":[{"type":"MTA"}]}`)
	if !strings.HasPrefix(w.Body.String(), "datetime=") || !strings.HasSuffix(w.Body.String(), "\n") {
		t.Errorf("got %s", w.Body)
	}
}

func TestGivenFiles(t *testing.T) {
	c := newClient(t, Config{})
	files := []File{
		{Name: "receipt_1.log", JSON: []byte("\xff\xfe"), KeyValue: []byte("\x00")},
		{Name: "ttp_url_20211018093511655.log", JSON: []byte(`{"type":"MTA","data":[{"a":1.0}]}`), KeyValue: []byte("a=1.0\n"), Records: []string{`{"a":1.0}`}},
	}
	number, err := c.server.AddBatchFiles(files)
	if err != nil || number != 0 {
		t.Fatal(number, err)
	}
	want := []string{`{"a":1.0,"log_source":"siem","log_type":"ttp_url"}`}
	sameRecords(t, slices.Collect(c.server.Expected()), want)
	got, _ := unzip(c.siem("", "json", true).Body.Bytes())
	if len(got) != 2 || string(got["receipt_1.log"]) != "\xff\xfe" {
		t.Errorf("got %v", got)
	}
	if raw, err := c.server.RawFile(0, 0, "key_value"); string(raw) != "\x00" || err != nil {
		t.Errorf("got %q %v", raw, err)
	}
	for _, bad := range [][]File{{{}}, {{Name: "x", Records: []string{"[]"}}}} {
		if _, err := c.server.AddBatchFiles(bad); err == nil {
			t.Errorf("%v must be refused", bad)
		}
	}
	for _, ask := range []struct {
		batch, file int
		format      string
	}{{1, 0, "json"}, {-1, 0, "json"}, {0, 2, "json"}, {0, -1, "json"}, {0, 0, "xml"}} {
		if _, err := c.server.RawFile(ask.batch, ask.file, ask.format); err == nil {
			t.Errorf("%v must be refused", ask)
		}
	}
}

func TestLogTypeOf(t *testing.T) {
	for name, want := range map[string]string{
		"receipt_20211018093511655.log": "receipt",
		"ttp_url_1.log":                 "ttp_url",
		`..\..\jrnl_1.log`:              "jrnl",
		"/etc/av_tse_1.log":             "av_tse",
		"iep.log":                       "iep",
		"sha256":                        "sha256",
	} {
		if got := logTypeOf(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	c := newClient(t, Config{RateLimit: 1 << 30})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 8 {
				c.server.AddBatch(20)
				c.server.AddEvents(10, c.clock.Now(), 3)
				c.server.Next(FaultServerError)
				if w := c.siem("", "json", i%2 == 0); w.Code != http.StatusOK && w.Code < 500 {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
				c.post(PathImpersonation, `{}`)
				c.server.Requests()
			}
		})
	}
	all.Wait()
	for c.server.PendingFaults() > 0 {
		c.siem("", "json", true)
	}
	got, _ := c.collect("json", true)
	var want []string
	for number := range 8 * 8 {
		want = append(want, texts(t, c.server.ExpectedBatch(number))...)
	}
	slices.Sort(want)
	sameRecords(t, got, want)
}

func BenchmarkBatch(b *testing.B) {
	c := newClient(b, Config{})
	c.server.AddBatch(10_000)
	batch := c.server.batches.snapshot().all[0]
	for _, format := range []string{formatJSON, formatKeyValue} {
		b.Run(format, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				size := 0
				for _, f := range batch.files(LogTypes()) {
					size += len(c.server.generator.appendFile(nil, batch, f, format))
				}
				b.SetBytes(int64(size))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/record")
		})
	}
	b.Run("expected", func(b *testing.B) {
		for b.Loop() {
			for range c.server.Expected() {
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/record")
	})
	b.Run("canonical", func(b *testing.B) {
		records := slices.Collect(c.server.Expected())
		for b.Loop() {
			for _, record := range records {
				if _, err := Canonical([]byte(record)); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/record")
	})
}
