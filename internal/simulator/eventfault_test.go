package simulator

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestStore(t *testing.T) {
	c := newBearerClient(t, Config{LinkLife: time.Minute})
	if err := c.server.AddFiles("av", 2, 5); err != nil {
		t.Fatal(err)
	}
	c.server.SetLinkHost("store.example:8080")
	p := c.linkPage()
	l := p.Value[0]
	at, err := url.Parse(l.URL)
	if err != nil || at.Host != "store.example:8080" || at.Scheme != "http" || !strings.HasPrefix(at.Path, PathLinks) || l.Expiry != "2021-10-19T07:07:40.000Z" {
		t.Fatalf("got %+v %v", l, err)
	}
	other, err := url.Parse(p.Value[1].URL)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*url.URL)) string {
		changed := *at
		change(&changed)
		return changed.String()
	}
	for _, test := range []struct {
		name, url, header, code string
		status                  int
	}{
		{"good", l.URL, "", "", 200},
		{"again", l.URL, "", "", 200},
		{"bearer", l.URL, "Authorization", "InvalidArgument", 400},
		{"cookie", l.URL, "Cookie", "InvalidArgument", 400},
		{"another's signature", with(func(u *url.URL) { u.RawQuery = other.RawQuery }), "", "SignatureDoesNotMatch", 403},
		{"longer life", with(func(u *url.URL) { u.RawQuery = strings.Replace(u.RawQuery, "Expires=60", "Expires=600", 1) }), "", "SignatureDoesNotMatch", 403},
		{"no query", with(func(u *url.URL) { u.RawQuery = "" }), "", "SignatureDoesNotMatch", 403},
		{"no such file", with(func(u *url.URL) { u.Path = strings.Replace(u.Path, "000000000", "000000009", 1) }), "", "NoSuchKey", 404},
		{"no such folder", with(func(u *url.URL) { u.Path = strings.Replace(u.Path, "/av/", "/spam/", 1) }), "", "NoSuchKey", 404},
		{"no link", with(func(u *url.URL) { u.Path = PathLinks }), "", "NoSuchKey", 404},
	} {
		r := httptest.NewRequest(http.MethodGet, test.url, nil)
		if test.header != "" {
			r.Header.Set(test.header, "Bearer "+c.bearer)
		}
		if w := c.serve(r); w.Code != test.status || !strings.Contains(w.Body.String(), test.code) {
			t.Errorf("%s: got %d %s", test.name, w.Code, w.Body)
		}
	}
	if w := c.serve(httptest.NewRequest(http.MethodPost, l.URL, nil)); w.Code != 405 {
		t.Errorf("got %d", w.Code)
	}
	c.clock.advance(time.Minute)
	if w := c.follow(l); w.Code != 403 || !strings.Contains(w.Body.String(), "<Code>AccessDenied</Code><Message>Request has expired</Message>") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestRefusalsOfWhatWasRight(t *testing.T) {
	for _, test := range []struct {
		fault  Fault
		status int
		body   string // what it begins with
	}{
		{FaultRateLimited, 429, `{"fail":[{"code":"`},
		{FaultServerError, 502, `<!DOCTYPE html>`},
		{FaultHTML, 200, `<!DOCTYPE html>`},
		{FaultForbidden, 403, `{"fail":[{"code":"app_forbidden"`},
		{FaultUnauthorized, 401, `{"fail":[{"code":"Unauthorized Request"`},
		{FaultInvalidClient, 401, `{"fail":[{"code":"InvalidClientIdentifier"`},
		{FaultTokenExpired, 401, `{"fail":[{"code":"token_expired"`},
		{FaultTokenUnverified, 401, `{"fail":[{"code":"token_verification_failed"`},
		{FaultValidation, 400, `{"error":{"code":"Request Validation Failed"`},
	} {
		c := stockedFiles(t, Config{})
		c.server.Next(test.fault)
		if w := c.events(); w.Code != test.status || !strings.HasPrefix(w.Body.String(), test.body) {
			t.Errorf("%s: got %d %s", test.fault, w.Code, w.Body)
		}
		if n := c.server.Requests().Count(PathEvents, Hit(test.fault)); n != 1 {
			t.Errorf("%s: counted %d", test.fault, n)
		}
		c.linkPage()

		c.server.NextAt(PathImpersonation, test.fault)
		w := c.impersonation()
		body := test.body
		if test.fault == FaultValidation {
			body = `{"meta":{"status":400},"data":[],"fail":[{"errors":[{"code":"err_validation_invalid_value"`
		}
		if test.fault == FaultServerError {
			test.status = 503 // in turn
		}
		if w.Code != test.status || !strings.HasPrefix(w.Body.String(), body) {
			t.Errorf("%s: got %d %s", test.fault, w.Code, w.Body)
		}
	}
	c := newBearerClient(t, Config{})
	c.server.Next(FaultServerError, FaultServerError, FaultServerError, FaultServerError)
	var got []int
	for range 4 {
		got = append(got, c.askToken(c.server.Client()).Code)
	}
	if !slices.Equal(got, []int{502, 503, 509, 500}) {
		t.Errorf("got %v", got)
	}
}

func TestFaultsOfLinkPages(t *testing.T) {
	c := newBearerClient(t, Config{})
	if err := c.server.AddFiles("av", 3, 5); err != nil {
		t.Fatal(err)
	}
	want := c.linkPage("pageSize", "2")
	for fault, check := range map[Fault]func(p linkPage) bool{
		FaultNoToken: func(p linkPage) bool { return p.NextPage == "" && slices.Equal(paths(t, p), paths(t, want)) },
		FaultLinkTwice: func(p linkPage) bool {
			list := paths(t, p)
			return len(list) == 3 && list[0] == list[1] && p.Value[0].URL != p.Value[1].URL && slices.Equal(list[1:], paths(t, want))
		},
		FaultFileEmpty: func(p linkPage) bool {
			records, bad := decodeLines(t, c.follow(p.Value[0]).Body.Bytes())
			return len(records)+bad == 0 && slices.Equal(paths(t, p)[1:], paths(t, want))
		},
		FaultPageEmptyWithNext: func(p linkPage) bool {
			return len(p.Value) == 0 && !p.IsCaughtUp && p.NextPage != want.NextPage &&
				slices.Equal(paths(t, c.linkPage("pageSize", "2", "nextPage", p.NextPage)), paths(t, want))
		},
	} {
		c.server.Next(fault)
		if p := c.linkPage("pageSize", "2"); !check(p) {
			t.Errorf("%s: got %+v", fault, p)
		}
		lasting := newBearerClient(t, Config{})
		if err := lasting.server.AddFaultyFiles("av", fault, 3, 5); err != nil {
			t.Fatal(err)
		}
		c := lasting
		for range 2 {
			if p := c.linkPage("pageSize", "2"); c.server.Requests().Count(PathEvents, Hit(fault)) == 0 || len(p.Value) == len(want.Value) && p.NextPage == want.NextPage {
				t.Errorf("%s must stay: %+v", fault, p)
			}
		}
	}
	c.server.Next(FaultInvalidToken)
	c.linkPage()
	if w := c.events("nextPage", want.NextPage); w.Code != 400 || !strings.Contains(w.Body.String(), "nextPage") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	c.linkPage("nextPage", want.NextPage)
	if err := c.server.AddFaultyFiles("av", FaultPageTokenStale, 1, 5); err == nil {
		t.Error("a page of links has no such token")
	}
}

// linesOf unpacks a body.
func linesOf(t testing.TB, body []byte) ([]byte, error) {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}

func TestFaultsOfFiles(t *testing.T) {
	for fault, check := range map[Fault]func(w *httptest.ResponseRecorder, lines []byte, err error) bool{
		FaultNotAZip:        func(_ *httptest.ResponseRecorder, _ []byte, err error) bool { return err == gzip.ErrHeader },
		FaultZipCut:         func(_ *httptest.ResponseRecorder, _ []byte, err error) bool { return err == io.ErrUnexpectedEOF },
		FaultZipBadChecksum: func(_ *httptest.ResponseRecorder, _ []byte, err error) bool { return err == gzip.ErrChecksum },
		FaultZipBomb: func(w *httptest.ResponseRecorder, lines []byte, err error) bool {
			return err == nil && len(lines) > 4<<20 && w.Body.Len() < 40_000
		},
		FaultContentEncoding: func(w *httptest.ResponseRecorder, _ []byte, err error) bool {
			return err == nil && w.Header().Get("Content-Encoding") == "gzip"
		},
		FaultGzipMembers: func(w *httptest.ResponseRecorder, _ []byte, err error) bool {
			return err == nil && bytes.Count(w.Body.Bytes(), []byte("\x1f\x8b\x08")) == 3
		},
		FaultNoLastNewline: func(_ *httptest.ResponseRecorder, lines []byte, err error) bool {
			return err == nil && !bytes.HasSuffix(lines, []byte("\n"))
		},
		FaultBlankLine: func(_ *httptest.ResponseRecorder, lines []byte, err error) bool {
			return err == nil && bytes.Contains(lines, []byte("\n\n"))
		},
		FaultLongLine: func(w *httptest.ResponseRecorder, lines []byte, err error) bool {
			longest := 0
			for line := range bytes.Lines(lines) {
				longest = max(longest, len(line))
			}
			return err == nil && longest == 1_000_001 && w.Body.Len()*20 > len(lines)
		},
		FaultLineBroken: func(_ *httptest.ResponseRecorder, lines []byte, err error) bool {
			return err == nil && bytes.Contains(lines, []byte("\"cut\n"))
		},
		FaultLinkExpired: func(w *httptest.ResponseRecorder, _ []byte, _ error) bool { return w.Code == http.StatusForbidden },
		FaultLinkGone:    func(w *httptest.ResponseRecorder, _ []byte, _ error) bool { return w.Code == http.StatusNotFound },
		FaultServerError: func(w *httptest.ResponseRecorder, _ []byte, _ error) bool { return w.Code >= 500 },
	} {
		t.Run(string(fault), func(t *testing.T) {
			c := newBearerClient(t, Config{BombSize: 4 << 20})
			if err := c.server.AddFiles("receipt", 1, 60); err != nil {
				t.Fatal(err)
			}
			want := slices.Sorted(c.server.Expected())
			l := c.linkPage().Value[0]
			right := c.follow(l).Body.Bytes()
			c.server.Next(fault)
			w := c.follow(l)
			lines, err := linesOf(t, w.Body.Bytes())
			if !check(w, lines, err) {
				t.Errorf("once: got %d %d bytes %v", w.Code, len(lines), err)
			}
			if c.server.PendingFaults() != 0 || !bytes.Equal(c.follow(l).Body.Bytes(), right) {
				t.Error("a transient fault must not stay")
			}
			records, bad := decodeLines(t, w.Body.Bytes())
			if slices.Sort(records); fault.sparesLines() {
				sameRecords(t, records, want)
				if (bad > 0) != (fault == FaultLineBroken) {
					t.Errorf("%d lines cannot be read", bad)
				}
			}

			c.server.ExpireFiles(1)
			if err := c.server.AddFaultyFiles("receipt", fault, 1, 60); err != nil {
				t.Fatal(err)
			}
			l = c.linkPage().Value[0]
			w = c.follow(l)
			lines, err = linesOf(t, w.Body.Bytes())
			if !check(w, lines, err) || !bytes.Equal(c.follow(l).Body.Bytes(), w.Body.Bytes()) {
				t.Errorf("for good: got %d %d bytes %v", w.Code, len(lines), err)
			}
			salvageable := len(slices.Collect(c.server.Salvageable()))
			if fault.sparesLines() != (salvageable == 0) || len(slices.Collect(c.server.Expected()))+salvageable != 120 {
				t.Errorf("%d records salvageable", salvageable)
			}
		})
	}
}

func TestBadUTF8(t *testing.T) {
	c := newBearerClient(t, Config{})
	if err := c.server.AddFaultyFiles("spam", FaultBadUTF8, 1, 9); err != nil {
		t.Fatal(err)
	}
	lines, err := linesOf(t, c.follow(c.linkPage().Value[0]).Body.Bytes())
	if err != nil || utf8.Valid(lines) || bytes.Count(lines, []byte("Ren\xe9")) != 1 {
		t.Errorf("%v, or all is UTF-8", err)
	}
	records, bad := c.gather()
	if bad > 0 {
		t.Error("a line cannot be read")
	}
	sameRecords(t, records, slices.Sorted(c.server.Expected()))
}

// TestEveryEventFaultPasses has a client that asks again until it has each page
// and file, under all faults at once.
func TestEveryEventFaultPasses(t *testing.T) {
	c := newBearerClient(t, Config{BombSize: 1 << 20, EventsLimit: 1 << 30})
	for _, kind := range EventTypes() {
		if err := c.server.AddFiles(kind, 3, 20); err != nil {
			t.Fatal(err)
		}
	}
	faults := slices.DeleteFunc(EventFaults(), func(f Fault) bool { return f == FaultStall })
	if err := c.server.SetFaults(Plan{Rate: 0.5, Faults: faults}); err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(c.server)
	defer listening.Close()
	over := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer over.CloseIdleConnections()
	get := func(at, bearer string) []byte {
		for range 1000 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
			if err != nil {
				t.Fatal(err)
			}
			if bearer != "" {
				r.Header.Set("Authorization", "Bearer "+bearer)
			}
			answer, err := over.Do(r)
			if err != nil {
				continue
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK || bytes.HasPrefix(body, []byte("<!DOCTYPE")) {
				continue
			}
			return body
		}
		t.Fatal("no end")
		return nil
	}
	got := map[string]bool{}
	for cursor, steps := "", 0; ; steps++ {
		if steps > 1000 {
			t.Fatal("no end")
		}
		p := parsePage(t, get(listening.URL+PathEvents+"?pageSize=4"+cursor, c.bearer))
		for _, l := range p.Value {
			for range 1000 {
				records, err := linesOf(t, get(l.URL, ""))
				if err != nil {
					continue
				}
				for line := range bytes.Lines(records) {
					if canonical, err := Canonical(line); err == nil {
						got[canonical] = true
					}
				}
				break
			}
		}
		if p.NextPage == "" {
			continue
		}
		cursor = "&nextPage=" + url.QueryEscape(p.NextPage)
		if p.IsCaughtUp {
			break
		}
	}
	if len(got) != 10*3*20 {
		t.Errorf("got %d records", len(got))
	}
}
