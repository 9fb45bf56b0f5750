package simulator

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // the tests allocate much and keep little
	os.Exit(m.Run())
}

// clock is a time that moves when it is told to.
type clock struct {
	now atomic.Int64
}

func newClock() *clock {
	c := &clock{}
	c.now.Store(time.Date(2021, 10, 19, 7, 6, 40, 123e6, time.UTC).UnixNano())
	return c
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.now.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

// client asks a server by the book. Safe for concurrent use once made.
type client struct {
	t       testing.TB
	server  *Server
	clock   *clock
	lastID  *atomic.Int64
	base    string              // of a listening server; empty calls the handler
	spoiled func(*http.Request) // changes a request after it was signed
}

func newClient(t testing.TB, config Config) client {
	t.Helper()
	c := client{t: t, clock: newClock(), lastID: new(atomic.Int64)}
	config.Now = c.clock.Now
	config.Seed = orDefault(config.Seed, 7)
	server, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c.server = server
	return c
}

func (c client) changing(change func(*http.Request)) client {
	c.spoiled = change
	return c
}

func (c client) request(path, body string) *http.Request {
	c.t.Helper()
	r := httptest.NewRequest(http.MethodPost, c.base+path, strings.NewReader(body))
	r.RequestURI = ""
	keys := c.server.Credentials()
	secret, err := base64.StdEncoding.DecodeString(keys.SecretKey)
	if err != nil {
		c.t.Fatal(err)
	}
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", c.lastID.Add(1))
	date := c.server.clock().UTC().Format(dateLayout)
	r.Header.Set("x-mc-app-id", keys.AppID)
	r.Header.Set("x-mc-req-id", id)
	r.Header.Set("x-mc-date", date)
	r.Header.Set("Authorization", authorize(keys.AccessKey, secret, keys.AppKey, date, id, path))
	if c.spoiled != nil {
		c.spoiled(r)
	}
	return r
}

func (c client) post(path, body string) *httptest.ResponseRecorder {
	c.t.Helper()
	w := httptest.NewRecorder()
	c.server.ServeHTTP(w, c.request(path, body))
	return w
}

// siem asks for log files; an empty token is left out.
func (c client) siem(token, format string, compress bool) *httptest.ResponseRecorder {
	c.t.Helper()
	return c.post(PathSIEM, siemBody(token, format, compress))
}

func siemBody(token, format string, compress bool) string {
	ask := map[string]any{"type": "MTA", "fileFormat": format, "compress": compress}
	if token != "" {
		ask["token"] = token
	}
	return bodyOf(map[string]any{"data": []any{ask}})
}

func bodyOf(v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// code returns the code of an answer's fail, "" for none.
func code(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var e envelope
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("not an envelope: %v: %.200q", err, w.Body)
	}
	if len(e.Fail) == 0 {
		return ""
	}
	if len(e.Fail[0].Errors) != 1 || len(e.Data) != 0 {
		t.Fatalf("a fail has one error and no data: %s", w.Body)
	}
	return e.Fail[0].Errors[0].Code
}

func isIdle(w *httptest.ResponseRecorder) bool {
	return w.Code == http.StatusOK && w.Body.String() == `{"meta":{"isLastToken":true,"status":200},"data":[],"fail":[]}`
}

// collect follows the chain of tokens from its beginning to its end and returns
// the canonical text of every record, sorted. Files it cannot read it counts.
func (c client) collect(format string, compress bool) (records []string, unreadable int) {
	c.t.Helper()
	for token, steps := "", 0; ; steps++ {
		w := c.siem(token, format, compress)
		if isIdle(w) {
			slices.Sort(records)
			return records, unreadable
		}
		if w.Code != http.StatusOK || w.Header().Get(headerSIEMToken) == "" || steps > 1000 {
			c.t.Fatalf("step %d: %d %.300q", steps, w.Code, w.Body)
		}
		token = w.Header().Get(headerSIEMToken)
		more, bad := decodeAnswer(c.t, w, format, compress)
		records, unreadable = append(records, more...), unreadable+bad
	}
}

func decodeAnswer(t testing.TB, w *httptest.ResponseRecorder, format string, compress bool) (records []string, unreadable int) {
	t.Helper()
	files := map[string][]byte{}
	if compress {
		files, unreadable = unzip(w.Body.Bytes())
	} else {
		name := strings.TrimPrefix(w.Header().Get(headerDisposition), `attachment; filename="`)
		files[strings.TrimSuffix(name, `"`)] = w.Body.Bytes()
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		more, err := decodeFile(name, files[name], format)
		if err != nil {
			unreadable++
		}
		records = append(records, more...)
	}
	return records, unreadable
}

func unzip(body []byte) (files map[string][]byte, unreadable int) {
	files = map[string][]byte{}
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return files, 1
	}
	for _, entry := range archive.File {
		r, err := entry.Open()
		if err != nil {
			unreadable++
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			unreadable++
			continue
		}
		files[entry.Name] = content
	}
	return files, unreadable
}

// decodeFile reads a log file without any of the package's own decoding.
func decodeFile(name string, content []byte, format string) ([]string, error) {
	base := name[strings.LastIndexAny(name, `/\`)+1:]
	labels := map[string]any{"log_source": "siem", "log_type": stampOfFile.ReplaceAllString(base, "")}
	var records []string
	add := func(record map[string]any) error {
		maps.Copy(record, labels)
		spelt, err := json.Marshal(record)
		if err != nil {
			return err
		}
		text, err := CanonicalText(spelt)
		records = append(records, text)
		return err
	}
	if format == formatKeyValue {
		for text := range strings.Lines(string(content)) {
			record, err := splitLine(strings.TrimSuffix(text, "\n"))
			if err == nil {
				err = add(record)
			}
			if err != nil {
				return records, err
			}
		}
		return records, nil
	}
	var file struct {
		Type string
		Data []map[string]any
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if err := decoder.Decode(&file); err != nil {
		return nil, err
	}
	if file.Type != "MTA" {
		return nil, fmt.Errorf("type %q", file.Type)
	}
	for _, record := range file.Data {
		if err := add(record); err != nil {
			return records, err
		}
	}
	return records, nil
}

var (
	keyAtStart   = regexp.MustCompile(`^\w+=`)
	endOfValue   = regexp.MustCompile(`\|[A-Za-z_]\w*=`)
	endOfSubject = regexp.MustCompile(`\\\|[A-Za-z_]\w*=|\\$`)
	stampOfFile  = regexp.MustCompile(`_\d+\.log$`)
)

// splitLine reads one key_value line the way the documentation has it.
func splitLine(text string) (map[string]any, error) {
	record := map[string]any{}
	for text != "" {
		key := keyAtStart.FindString(text)
		if key == "" {
			return nil, fmt.Errorf("no key at %q", text)
		}
		text = text[len(key):]
		end, trim := endOfValue, 0
		if strings.EqualFold(key, "subject=") && strings.HasPrefix(text, `\`) {
			end, trim = endOfSubject, 1
			text = text[1:]
		}
		value, rest := text, ""
		if at := end.FindStringIndex(text); at != nil {
			value = text[:at[0]]
			rest = strings.TrimPrefix(text[at[0]+trim:], "|")
		}
		if _, twice := record[strings.TrimSuffix(key, "=")]; twice {
			return nil, fmt.Errorf("key %s twice", key)
		}
		record[strings.TrimSuffix(key, "=")] = value
		text = rest
	}
	return record, nil
}

// texts returns records as [CanonicalText], sorted.
func texts(t testing.TB, records func(func(string) bool)) []string {
	t.Helper()
	var out []string
	for record := range records {
		text, err := CanonicalText([]byte(record))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// sameRecords fails unless both lists are equal, and shows the first difference.
func sameRecords(t testing.TB, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("record %d:\n got %s\nwant %s", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %d records, want %d", len(got), len(want))
	}
}
