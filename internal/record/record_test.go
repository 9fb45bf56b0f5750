package record

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // the tests allocate much and keep little
	os.Exit(m.Run())
}

// collected is the time of collection in all tests of the package.
var collected = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func origin() Origin { return Origin{Source: "siem", Type: "receipt", Collected: collected} }

// show returns a record as its seconds and its body as JSON, in its order.
func show(t testing.TB, rec []byte) string {
	t.Helper()
	sec, body := open(t, rec)
	when := ""
	if int64(sec) != collected.Unix() {
		when = fmt.Sprintf("@%d ", sec)
	}
	return when + body
}

func open(t testing.TB, rec []byte) (sec uint32, body string) {
	t.Helper()
	if len(rec) < bodyAt || !bytes.Equal(rec[:4], []byte{0x92, 0x92, 0xd7, 0}) || rec[12] != 0x80 {
		t.Fatalf("not a record's head: %x", rec[:min(len(rec), bodyAt)])
	}
	var b bytes.Buffer
	rest, err := msgp.UnmarshalAsJSON(&b, rec[countAt-1:])
	if err != nil || len(rest) != 0 {
		t.Fatalf("body is not msgpack: %v, %d bytes left, after %s", err, len(rest), b.String())
	}
	return binary.BigEndian.Uint32(rec[timeAt:]), b.String()
}

// body cuts the fields of the origin off a shown record.
func body(shown string) string {
	return strings.Replace(shown, `"log_source":"siem","log_type":"receipt"`, "", 1)
}

// read decodes a whole file and returns what came of it, a line each: records
// as JSON, damages as !reason, with what Source or Rest gave for them.
func read(t testing.TB, d Decoder) []string {
	t.Helper()
	return readInto(t, d, 64<<10)
}

// readInto does it with so much room for each record.
func readInto(t testing.TB, d Decoder, room int) []string {
	t.Helper()
	var out []string
	prefix := append(make([]byte, 0, room), "kept"...)
	for {
		dst, err := d.Next(prefix)
		if !bytes.HasPrefix(dst, prefix) {
			t.Fatalf("what was in dst is gone: %q", dst[:min(len(dst), 10)])
		}
		var damage *Damage
		switch {
		case err == io.EOF:
			return out
		case errors.As(err, &damage) && damage.OneRecord:
			out = append(out, fmt.Sprintf("!%v: %s", err, d.Source()))
			continue
		case errors.As(err, &damage):
			rest, err := io.ReadAll(d.Rest())
			if err != nil {
				t.Fatalf("Rest failed: %v", err)
			}
			return append(out, fmt.Sprintf("!%v: %s", damage, rest))
		case err != nil:
			t.Fatalf("Next: %v, which is neither EOF nor a damage", err)
		}
		out = append(out, body(show(t, dst[len(prefix):])))
	}
}

// readers are the ways a file may arrive in.
func readers(content string) map[string]io.Reader {
	return map[string]io.Reader{
		"whole":            strings.NewReader(content),
		"byte by byte":     iotest.OneByteReader(strings.NewReader(content)),
		"data with EOF":    iotest.DataErrReader(strings.NewReader(content)),
		"in halves":        iotest.HalfReader(strings.NewReader(content)),
		"with empty reads": &stuttering{r: strings.NewReader(content)},
	}
}

type stuttering struct {
	r   io.Reader
	odd bool
}

func (s *stuttering) Read(p []byte) (int, error) {
	if s.odd = !s.odd; s.odd {
		return 0, nil
	}
	return s.r.Read(p)
}

func checkFile(t *testing.T, open func(io.Reader) Decoder, content string, want ...string) {
	t.Helper()
	rooms := []int{0, 64 << 10}
	if testing.Short() && len(content) > MaxRecord/2 {
		rooms = rooms[:1]
	}
	for _, room := range rooms {
		for how, r := range readers(content) {
			if diff := cmp.Diff(want, readInto(t, open(r), room)); diff != "" {
				t.Errorf("file %.100q, read %s with room for %d (-want +got):\n%s", content, how, room, diff)
			}
		}
	}
}

func TestHeadIsWhatFluentBitReads(t *testing.T) {
	dst, err := openJSON(strings.NewReader(`[{"datetime":"2021-10-19T07:06:40+0100","a":1}]`)).Next(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "\x92\x92\xd7\x00" + "\x61\x6e\x60\x70" + "\x00\x00\x00\x00" + "\x80" + "\xde\x00\x04" +
		"\xaalog_source\xa4siem" + "\xa8log_type\xa7receipt" +
		"\xa8datetime\xb82021-10-19T07:06:40+0100" + "\xa1a\x01"
	if diff := cmp.Diff(fmt.Sprintf("%q", want), fmt.Sprintf("%q", dst)); diff != "" {
		t.Error(diff)
	}
}

func TestUnparsed(t *testing.T) {
	check := func(raw, want string) {
		t.Helper()
		got := show(t, AppendUnparsed(nil, origin(), Piece{File: "a_1.log", Error: "cut short", Offset: 7, Raw: []byte(raw)}))
		if got != want {
			t.Errorf("%q: got %s, want %s", raw, got, want)
		}
	}
	check("téxt", `{"log_source":"siem","log_type":"unparsed","file":"a_1.log","error":"cut short","offset":7,"raw":"téxt"}`)
	check("\xff\x00", `{"log_source":"siem","log_type":"unparsed","file":"a_1.log","error":"cut short","offset":7,"encoding":"base64","raw":"/wA="}`)
}

func TestCutText(t *testing.T) {
	for raw, want := range map[string]int{
		"": 0, "a": 1, "abc": 3, "ab\xc3": 2, "ab\xe2\x82": 2, "ab\xf0\x9f\x98": 2, "é": 2, "aé": 3,
		"\xc3": 1, "\x80\x80\x80\x80\x80": 5, "a\x80": 2,
	} {
		if got := CutText([]byte(raw)); got != want {
			t.Errorf("CutText(%q) = %d, want %d", raw, got, want)
		}
	}
}

func TestTypeOf(t *testing.T) {
	const id = "3d796b76-4180-40e5-8f7c-9a1b2c3d4e5f"
	for name, want := range map[string]string{
		"receipt_20211018093511655.log":    "receipt",
		"av_tse_20211018.log":              "av_tse",
		"avtse_20211018.log":               "avtse",
		"av_20211018.log":                  "av",
		"ttp_url_1.json":                   "ttp_url",
		"ttp_ap_1.log.gz":                  "ttp_ap",
		"siem_receipt_20211018.json":       "siem_receipt",
		"logs/delivery_20160705.log":       "delivery",
		`..\..\x\jrnl_1.log`:               "jrnl",
		"/2021_10/iep_1.log":               "iep",
		"Process_1.log":                    "process",
		"spameventthread":                  "spameventthread",
		"impersonation.json":               "impersonation",
		"sha256_1.log":                     "sha256",
		strings.Repeat("a", 32) + "_1.log": strings.Repeat("a", 32),

		// What follows the first part that begins with a digit is no type.
		"receipt_20211018093511655_1.json":   "receipt",
		"receipt_20211018_093329.json":       "receipt",
		"receipt_20211018T093329Z.log":       "receipt",
		"receipt_2021-10-18_part_2 (1).json": "receipt",
		"ttp_url_1_av_2.log":                 "ttp_url",
		"receipt__1.log":                     "receipt",
		"receipt_.log":                       "receipt",
		"receipt-20211018.json":              "receipt",
		"TTP-URL-20211018.log.gz":            "ttp_url",

		"":                                 UnknownType,
		"_":                                UnknownType,
		"0.json":                           UnknownType,
		"20211018_receipt.log":             UnknownType,
		"_20160705162902600.log":           UnknownType,
		"_receipt_1.log":                   UnknownType,
		"-1.log":                           UnknownType,
		".log":                             UnknownType,
		"receipt/":                         UnknownType,
		"3d796b76-4180-40e5-8f7c":          UnknownType,
		id:                                 UnknownType,
		"d" + id[1:] + ".zip":              UnknownType,
		"D" + id[1:] + "_1.log":            UnknownType,
		strings.ReplaceAll(id, "-", ""):    UnknownType,
		"été_1.log":                        UnknownType,
		"log type_1.log":                   UnknownType,
		strings.Repeat("a", 33) + "_1.log": UnknownType,
		"log_type\n_1.log":                 UnknownType,
	} {
		if got := TypeOf(name); got != want {
			t.Errorf("TypeOf(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestCleanName(t *testing.T) {
	if got := CleanName("a\x1b[31m\n\xff" + strings.Repeat("é", 300)); got != "a?[31m??"+strings.Repeat("é", 192) {
		t.Errorf("got %q", got)
	}
}

func TestReaderTellsTheFormat(t *testing.T) {
	check := func(content string, askedJSON bool, want ...string) {
		t.Helper()
		var r Reader
		checkFile(t, func(in io.Reader) Decoder { return r.Open(in, origin(), askedJSON) }, content, want...)
	}
	check(`{"a":1}`, false, `{,"a":1}`)
	check("\ufeff [{\"a\":1}]", false, `{,"a":1}`)
	check("a=1|b=2", true, `{,"a":"1","b":"2"}`)
	check(" |a=1|b=2", true, `{,"a":"1","b":"2"}`)
	check("\ufeffa=1", true, `{,"a":"1"}`)
	check("", true)
	check("", false)
	check("\x00\x01", true, "!not JSON at offset 0: \x00\x01")
	check("\x00\x01", false, "!a line that does not begin with a field at offset 0: \x00\x01")
	check(" \n ", true)
}

func TestReaderPassesAnErrorOn(t *testing.T) {
	broken := errors.New("broken pipe")
	for _, size := range []int{0, 1, 20, 511, 512, 513, 2000} {
		content := `[{"a":"` + strings.Repeat("x", size) + `"},`
		var r Reader
		got := read(t, r.Open(io.MultiReader(strings.NewReader(content), iotest.ErrReader(broken)), origin(), true))
		want := []string{fmt.Sprintf(`{,"a":"%s"}`, strings.Repeat("x", size)), fmt.Sprintf("!broken pipe at offset %d: ", len(content))}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("size %d (-want +got):\n%s", size, diff)
		}
	}
}

// allocatesLittle checks that a decoder allocates nothing for each record of the
// file that reset gives it.
func allocatesLittle(t *testing.T, d Decoder, reset func()) {
	t.Helper()
	dst := make([]byte, 0, 1<<10)
	perFile := testing.AllocsPerRun(10, func() {
		reset()
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

// compact spells JSON without white space and without HTML's escapes.
func compact(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
