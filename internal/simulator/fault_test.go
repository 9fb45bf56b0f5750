package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// faulty returns a client of a server with two batches and some events.
func faulty(t testing.TB) client {
	t.Helper()
	c := newClient(t, Config{BombSize: 8 << 20})
	c.server.AddBatch(200)
	c.server.AddBatch(200)
	c.server.AddEvents(40, c.clock.Now().Add(-time.Hour), 3)
	return c
}

// token returns a token that leads to the second batch.
func (c client) token() string { return c.siem("", "json", true).Header().Get(headerSIEMToken) }

func TestFaultsOfAnyAnswer(t *testing.T) {
	for _, test := range []struct {
		fault  Fault
		status int
		code   string // "" for a body that is no JSON
		retry  bool
	}{
		{FaultRateLimited, 429, codeRateLimit, true},
		{FaultHTML, 200, "", false},
		{FaultFailRetryable, 200, codeFailRetryable, true},
		{FaultFailFinal, 200, codeForbidden, false},
		{FaultKeyExpired, 418, "err_xdk_binding_expired", false},
		{FaultForbidden, 403, codeForbidden, false},
		{FaultUnauthorized, 401, "err_xdk_invalid_signature", false},
	} {
		for path, body := range map[string]string{
			PathSIEM: siemBody("", "json", true), PathImpersonation: `{}`,
		} {
			c := faulty(t)
			c.server.Next(test.fault)
			w := c.post(path, body)
			if w.Code != test.status {
				t.Errorf("%s: got %d", test.fault, w.Code)
			}
			if test.code == "" {
				if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || !strings.HasPrefix(w.Body.String(), "<!DOCTYPE html>") {
					t.Errorf("%s: got %v %s", test.fault, w.Header(), w.Body)
				}
			} else if got := code(t, w); got != test.code || strings.Contains(w.Body.String(), `"retryable":true`) != test.retry {
				t.Errorf("%s: got %s", test.fault, w.Body)
			}
			if test.fault == FaultRateLimited && (w.Header().Get("x-ratelimit-remaining") != "0" || w.Header().Get("x-ratelimit-reset") != "5000") {
				t.Errorf("got %v", w.Header())
			}
			if w.Header().Get(headerSIEMToken) != "" {
				t.Errorf("%s: there is a token", test.fault)
			}
			if n := c.server.Requests().Count(path, Hit(test.fault)); n != 1 {
				t.Errorf("%s: counted %d", test.fault, n)
			}
		}
	}
}

func TestServerErrorsTakeTurns(t *testing.T) {
	c := faulty(t)
	c.server.Next(FaultServerError, FaultServerError, FaultServerError, FaultServerError)
	var got []int
	for range 5 {
		got = append(got, c.siem("", "json", true).Code)
	}
	if !slices.Equal(got, []int{502, 503, 504, 500, 200}) {
		t.Errorf("got %v", got)
	}
}

// TestBrokenConnections needs a real connection to break.
func TestBrokenConnections(t *testing.T) {
	c := faulty(t)
	listening := httptest.NewServer(c.server)
	defer listening.Close()
	c.base = listening.URL
	ask := func(ctx context.Context) (*http.Response, error) {
		return listening.Client().Do(c.request(PathSIEM, siemBody("", "json", true)).WithContext(ctx))
	}
	want := c.siem("", "json", true).Body.Bytes()
	for _, fault := range []Fault{FaultBodyCut, FaultReset} {
		c.server.Next(fault)
		var got []byte
		answer, err := ask(t.Context())
		if err == nil { // a reset may overtake the headers
			if int(answer.ContentLength) != len(want) {
				t.Errorf("%s: Content-Length %d", fault, answer.ContentLength)
			}
			got, err = io.ReadAll(answer.Body)
			answer.Body.Close()
		}
		if len(got) > len(want)/2 || !bytes.HasPrefix(want, got) {
			t.Errorf("%s: got %d bytes of %d", fault, len(got), len(want))
		}
		isCut := errors.Is(err, io.ErrUnexpectedEOF) && len(got) == len(want)/2
		if fault == FaultBodyCut && !isCut || fault == FaultReset && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: got %d bytes, %v", fault, len(got), err)
		}
	}

	c.server.Next(FaultStall)
	ctx, cancel := context.WithCancel(t.Context())
	answer, err := ask(ctx)
	if err != nil || int(answer.ContentLength) != len(want) || answer.Header.Get(headerSIEMToken) == "" {
		t.Fatalf("a stall sends headers: %v %v", answer, err)
	}
	cancel()
	if got, err := io.ReadAll(answer.Body); len(got) > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	answer.Body.Close()

	c.server.Next(FaultStall)
	if answer, err = ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.server.Close()
	if got, err := io.ReadAll(answer.Body); len(got) > 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	answer.Body.Close()

	if answer, err = ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the answer after the faults must be right: %v", err)
	}
}

func TestFaultsOfArchives(t *testing.T) {
	for fault, check := range map[Fault]func(t *testing.T, body []byte, files map[string][]byte, unreadable int){
		FaultNotAZip: func(t *testing.T, body []byte, files map[string][]byte, unreadable int) {
			if unreadable != 1 || bytes.HasPrefix(body, []byte("PK")) {
				t.Error("it is a zip")
			}
		},
		FaultZipCut: func(t *testing.T, body []byte, files map[string][]byte, unreadable int) {
			if unreadable != 1 || !bytes.HasPrefix(body, []byte("PK\x03\x04")) {
				t.Error("it is whole, or no zip")
			}
		},
		FaultZipBadChecksum: func(t *testing.T, body []byte, files map[string][]byte, unreadable int) {
			if unreadable != 1 || len(files) != 9 {
				t.Errorf("%d entries cannot be read, %d can", unreadable, len(files))
			}
		},
		FaultZipBomb: func(t *testing.T, body []byte, files map[string][]byte, unreadable int) {
			if len(files) != 11 || len(body) > 200_000 || slices.Max(lengths(files)) < 8<<20 {
				t.Errorf("%d entries, %d bytes", len(files), len(body))
			}
		},
		FaultZipEmpty: func(t *testing.T, body []byte, files map[string][]byte, unreadable int) {
			if len(files) != 0 || unreadable != 0 {
				t.Errorf("%d entries", len(files))
			}
		},
		FaultFileEmpty: func(t *testing.T, body []byte, files map[string][]byte, unreadable int) {
			if len(files) != 11 || slices.Min(lengths(files)) != 0 {
				t.Errorf("%d entries", len(files))
			}
		},
		FaultFilePoisoned: func(t *testing.T, body []byte, files map[string][]byte, unreadable int) {
			if len(files) != 11 || slices.Min(lengths(files)) != len(`{ "type" : "MTA", "data" : `) {
				t.Errorf("%d entries", len(files))
			}
		},
		FaultZipHostileNames: func(t *testing.T, body []byte, files map[string][]byte, unreadable int) {
			for _, name := range []string{"../../../tmp/receipt_", "/etc/process_", `..\..\delivery_`, `C:\jrnl_`} {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(entry string) bool { return strings.HasPrefix(entry, name) }) {
					t.Errorf("no %s", name)
				}
			}
		},
	} {
		t.Run(string(fault), func(t *testing.T) {
			c := faulty(t)
			right := c.siem("", "json", true)
			c.server.Next(fault)
			w := c.siem("", "json", true)
			if !strings.HasPrefix(w.Header().Get(headerDisposition), "attachment") || w.Header().Get("Content-Type") != "application/octet-stream" || w.Header().Get(headerSIEMToken) == "" {
				t.Errorf("headers of a batch: %v", w.Header())
			}
			files, unreadable := unzip(w.Body.Bytes())
			check(t, w.Body.Bytes(), files, unreadable)
			if again := c.siem("", "json", true); !bytes.Equal(again.Body.Bytes(), right.Body.Bytes()) {
				t.Error("a transient fault must not stay")
			}

			number, err := c.server.AddFaultyBatch(fault, 200)
			if err != nil {
				t.Fatal(err)
			}
			c.server.Expire(number)
			lasting := c.siem("", "json", true)
			files, unreadable = unzip(lasting.Body.Bytes())
			check(t, lasting.Body.Bytes(), files, unreadable)
			raw, err := c.server.RawZip(number, "json")
			if err != nil || !bytes.Equal(raw, lasting.Body.Bytes()) || !bytes.Equal(raw, c.siem("", "json", true).Body.Bytes()) {
				t.Errorf("a persistent fault must stay, byte for byte: %v", err)
			}
		})
	}
}

func lengths(files map[string][]byte) (lengths []int) {
	for _, content := range files {
		lengths = append(lengths, len(content))
	}
	return lengths
}

func TestFaultsOfTokens(t *testing.T) {
	c := faulty(t)
	token := c.token()
	c.server.Next(FaultInvalidToken, FaultNoToken)
	if w := c.siem("", "json", true); w.Header().Get(headerSIEMToken) != "" || w.Body.Len() == 0 {
		t.Errorf("the first fault needs a token, the second must go first: %v", w.Header())
	}
	if w := c.siem(token, "json", true); code(t, w) != codeSIEMToken || c.server.PendingFaults() != 0 {
		t.Errorf("got %s", w.Body)
	}
	if w := c.siem(token, "json", true); w.Header().Get(headerSIEMToken) == "" {
		t.Errorf("got %s", w.Body)
	}
}

func TestFaultsOfPages(t *testing.T) {
	c := faulty(t)
	want := c.turn(oldest, 15)
	c.server.Next(FaultPageTokenStale, FaultPageEmptyWithNext, FaultPageEmptyWithNext)
	p := c.page(oldest, 15, "")
	if len(p.events()) != 0 || p.Meta.Pagination.Next == "" {
		t.Fatalf("got %+v", p)
	}
	if w := c.post(PathImpersonation, pageBody(oldest, 15, p.Meta.Pagination.Next)); code(t, w) != codePageToken {
		t.Errorf("got %s", w.Body)
	}
	again := c.page(oldest, 15, p.Meta.Pagination.Next)
	if len(again.events()) != 0 || again.Meta.Pagination.Next == p.Meta.Pagination.Next {
		t.Errorf("got %+v", again)
	}
	c.server.Next(FaultPageEmptyWithNext)
	sameRecords(t, c.turn(oldest, 15), want)

	none := map[string]any{"actions": []string{"none of them"}}
	c.server.Next(FaultPageEmptyWithNext)
	if p = c.page(none, 5, ""); p.Meta.Pagination.Next == "" {
		t.Errorf("got %+v", p)
	}
	if p = c.page(none, 5, p.Meta.Pagination.Next); len(p.events()) != 0 || p.Meta.Pagination.Next != "" {
		t.Errorf("got %+v", p)
	}
}

func TestFaultyBatchesAreAccountedFor(t *testing.T) {
	for _, format := range []string{formatJSON, formatKeyValue} {
		for _, compress := range []bool{true, false} {
			c := newClient(t, Config{BombSize: 4 << 20})
			for _, fault := range Faults() {
				if !fault.inArchive() && !fault.addsFile() {
					continue
				}
				c.server.AddBatch(30)
				if _, err := c.server.AddFaultyBatch(fault, 50); err != nil {
					t.Fatal(err)
				}
			}
			c.server.AddBatch(30)
			got, unreadable := c.collect(format, compress)
			want := texts(t, c.server.Expected())
			if !compress { // where faults of archives do not show
				want = slices.Concat(want, texts(t, c.server.Salvageable()))
				slices.Sort(want)
			}
			sameRecords(t, got, want)
			if unreadable == 0 {
				t.Errorf("%s, compress %v: nothing was unreadable", format, compress)
			}
		}
	}
}

func TestBatchesThatHoldUp(t *testing.T) {
	c := newClient(t, Config{})
	if _, err := c.server.AddFaultyBatch(FaultServerError, 50); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if w := c.siem("", "json", true); w.Code != 500 || code(t, w) != codeServer {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
	if n := len(slices.Collect(c.server.Expected())); n != 0 {
		t.Errorf("%d records expected of a batch that cannot be had", n)
	}
	if _, err := c.server.AddFaultyBatch(FaultPageTokenStale, 50); err == nil {
		t.Error("a batch has no pages")
	}
}

// TestTransientFilesLoseNothing follows the tokens without asking twice.
func TestTransientFilesLoseNothing(t *testing.T) {
	for _, fault := range []Fault{FaultFileEmpty, FaultFilePoisoned, FaultZipEmpty, FaultZipHostileNames, FaultZipBomb} {
		for _, compress := range []bool{true, false} {
			c := newClient(t, Config{BombSize: 4 << 20})
			c.server.AddBatch(100)
			c.server.AddBatch(100)
			c.server.Next(fault, fault)
			got, _ := c.collect(formatJSON, compress)
			sameRecords(t, got, texts(t, c.server.Expected()))
		}
	}
}

func TestPlanHitsItsShare(t *testing.T) {
	outcomes := func() (hit []Fault) {
		c := newClient(t, Config{RateLimit: 1 << 30})
		c.server.AddBatch(1)
		err := c.server.SetFaults(Plan{Rate: 0.25, Faults: []Fault{FaultHTML, FaultZipCut, FaultPageTokenStale}, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			c.siem("", "json", true)
		}
		r := c.server.Requests()
		html, cut := r.Count(PathSIEM, Hit(FaultHTML)), r.Count(PathSIEM, Hit(FaultZipCut))
		if html < 200 || cut < 200 || html+cut > 600 || html+cut+r.Count(PathSIEM, OutcomeBatch) != 2000 {
			t.Errorf("got %v", r)
		}
		c.server.Next(slices.Repeat([]Fault{FaultForbidden}, 3)...)
		for range 40 {
			hit = append(hit, Fault(c.siem("", "json", true).Header().Get("Content-Type")))
		}
		return hit
	}
	if one, other := outcomes(), outcomes(); !slices.Equal(one, other) {
		t.Error("the seed must decide which answers are hit")
	}
	c := newClient(t, Config{})
	for _, p := range []Plan{{Rate: 1.5}, {Rate: -1}, {Rate: 1, Faults: []Fault{"typhoon"}}} {
		if err := c.server.SetFaults(p); err == nil {
			t.Errorf("%v must be refused", p)
		}
	}
}

// TestEveryFaultPasses has a client that asks again until it gets a batch it can
// read, under all faults at once.
func TestEveryFaultPasses(t *testing.T) {
	c := newClient(t, Config{RateLimit: 1 << 30, BombSize: 1 << 20})
	for range 30 {
		c.server.AddBatch(50)
	}
	faults := slices.DeleteFunc(Faults(), func(f Fault) bool { return f == FaultStall })
	if err := c.server.SetFaults(Plan{Rate: 0.5, Faults: faults}); err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(c.server)
	defer listening.Close()
	c.base = listening.URL
	got := map[string]bool{}
	for token, tries := "", 0; ; tries++ {
		w := fetch(c, listening.Client(), siemBody(token, "json", true))
		if w != nil && isIdle(w) {
			break
		}
		if tries > 2000 {
			t.Fatal("no end")
		}
		if w == nil || w.Code != 200 || w.Header().Get(headerSIEMToken) == "" || !strings.HasPrefix(w.Header().Get(headerDisposition), "attachment") {
			continue
		}
		records, unreadable := decodeAnswer(t, w, "json", true)
		if unreadable > 0 {
			continue
		}
		for _, record := range records {
			got[record] = true
		}
		token = w.Header().Get(headerSIEMToken)
	}
	for _, record := range texts(t, c.server.Expected()) {
		if !got[record] {
			t.Fatalf("lost %s", record)
		}
	}
	if len(got) != 30*50 {
		t.Errorf("got %d records", len(got))
	}
}

// fetch posts over a connection, and returns nil for an answer that did not come
// whole.
func fetch(c client, over *http.Client, body string) *httptest.ResponseRecorder {
	answer, err := over.Do(c.request(PathSIEM, body))
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	w := httptest.NewRecorder()
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.StatusCode)
	if _, err := io.Copy(w.Body, answer.Body); err != nil {
		return nil
	}
	return w
}

func TestParseFaults(t *testing.T) {
	got, err := ParseFaults(" html, ,zip_cut,")
	if err != nil || !slices.Equal(got, []Fault{FaultHTML, FaultZipCut}) {
		t.Errorf("got %v %v", got, err)
	}
	if _, err := ParseFaults("html,typhoon"); err == nil {
		t.Error("an unknown fault must be refused")
	}
	for _, f := range Faults() {
		if url.PathEscape(string(f)) != string(f) || !json.Valid([]byte(`"`+f+`"`)) {
			t.Errorf("%q is no plain word", f)
		}
	}
}
