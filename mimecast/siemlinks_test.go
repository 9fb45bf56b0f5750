package mimecast

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsForPagesOfLinks(t *testing.T) {
	// A day in UTC, whatever it is elsewhere.
	from := time.Date(2026, 3, 4, 23, 30, 0, 0, time.FixedZone("", -3600))
	for _, test := range []struct {
		r    SIEMPageRequest
		want string
	}{
		{SIEMPageRequest{}, "/siem/v1/batch/events/cg"},
		{SIEMPageRequest{Type: "url protect", PageSize: 100}, "/siem/v1/batch/events/cg?pageSize=100&type=url%20protect"},
		{SIEMPageRequest{Type: "process:Hld", From: from, To: from.AddDate(0, 0, 2)}, "/siem/v1/batch/events/cg?dateRangeEndsAt=2026-03-07&dateRangeStartsAt=2026-03-05&type=process%3AHld"},
		{SIEMPageRequest{Type: "av", From: from, To: from, Cursor: "ND+/Y6&bnVsbA=="}, "/siem/v1/batch/events/cg?nextPage=ND%2B%2FY6%26bnVsbA%3D%3D&type=av"},
		{SIEMPageRequest{Endpoint: SIEMEventsCI(), Type: "mailflow", Cursor: "c"}, "/siem/v1/batch/events/ci?nextPage=c&type=mailflow"},
	} {
		var got *http.Request
		s := &tokenService{t: t}
		s.serve = func(r *http.Request, _ string) (*http.Response, error) {
			got = r
			return answering(200, `{"value":[],"@nextPage":"n","isCaughtUp":true}`)(r)
		}
		if _, err := newTokenClient(t, s, nil).SIEMPage(t.Context(), test.r); err != nil {
			t.Fatal(err)
		}
		if got.Method != http.MethodGet || got.URL.RequestURI() != test.want || got.ContentLength != 0 || got.Header.Get("Content-Type") != "" {
			t.Errorf("got %s %s, want %s", got.Method, got.URL, test.want)
		}
	}
}

// pageOfLinks asks for a page at the cursor old, and gets an answer.
func pageOfLinks(t *testing.T, status int, body string) (SIEMPage, error) {
	t.Helper()
	s := &tokenService{t: t}
	s.serve = func(r *http.Request, _ string) (*http.Response, error) { return answering(status, body)(r) }
	return newTokenClient(t, s, nil).SIEMPage(context.Background(), SIEMPageRequest{Cursor: "old"})
}

func TestPagesOfLinks(t *testing.T) {
	check := func(body string, want SIEMPage) {
		t.Helper()
		got, err := pageOfLinks(t, 200, body)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%.80s: %v, -want +got:\n%s", body, err, diff)
		}
	}
	link := func(u, path string) SIEMLink { return SIEMLink{URL: u, Path: path} }
	check(`{"value":[{"url":"https://s.example.com/a%20b.json.gz?X-Amz-Signature=1","expiry":"2024-06-05T11:50:06.389Z","size":489}],"@nextPage":"NDU1NA==","isCaughtUp":false}`,
		SIEMPage{Next: "NDU1NA==", Links: []SIEMLink{{
			URL: "https://s.example.com/a%20b.json.gz?X-Amz-Signature=1", Path: "/a%20b.json.gz",
			Expiry: time.Date(2024, 6, 5, 11, 50, 6, 389e6, time.UTC), Size: 489,
		}}})
	// A file that is named twice.
	check(`{"value":[{"url":"https://s/a?1"},{"url":"https://s/b?1"},{"url":"https://s/a?2"}],"@nextPage":"n"}`,
		SIEMPage{Next: "n", Links: []SIEMLink{link("https://s/a?1", "/a"), link("https://s/b?1", "/b")}})
	// Caught up, with links and without.
	check(`{"value":[{"url":"https://s/a"}],"@nextPage":"n","isCaughtUp":true}`, SIEMPage{Next: "n", CaughtUp: true, Links: []SIEMLink{link("https://s/a", "/a")}})
	check(`{"value":[],"@nextPage":"n","isCaughtUp":"true"}`, SIEMPage{Next: "n", CaughtUp: true})
	check("\ufeff \n"+`{"value":null,"@nextPage":null,"isCaughtUp":true}`, SIEMPage{Next: "old", CaughtUp: true})
	check(`{"isCaughtUp":false}`, SIEMPage{Next: "old"})
	check(`{"value":[{"url":"https://s/a","expiry":"soon","size":"7"}],"@nextPage":"n","more":1}`, SIEMPage{Next: "n", Links: []SIEMLink{{URL: "https://s/a", Path: "/a", Size: 7}}})
	check(`{"value":[{"url":"https://s/a","expiry":7,"size":-7}],"@nextPage":"n"}`, SIEMPage{Next: "n", Links: []SIEMLink{link("https://s/a", "/a")}})
}

func TestPagesOfLinksThatAreNone(t *testing.T) {
	const next = `],"@nextPage":"n"}`
	for _, body := range []string{
		"", "<html>", "[]", "{}", `{"some":"json"}`, `{"value":{},"@nextPage":"n"}`, `{"value":[],"@nextPage":7}`, `{"value":[],"@nextPage":"n"}x`,
		`{"value":[{"url":"https://s/a?hidden"}]}`,
		`{"value":[{"url":"https://s/a?hidden"}],"@nextPage":""}`,
		`{"value":[{"url":""}` + next, `{"value":[{}` + next, `{"value":["https://s/a?hidden"` + next, `{"value":[{"url":"/a?hidden"}` + next,
		`{"value":[{"url":"https://s/a?hidden","size":7},{"url":"https://s/a?other","size":8}` + next,
		`{"value":[{"url":"https://s/?hidden"}` + next, `{"value":[{"url":"https://s?hidden"}` + next,
		`{"value":[{"url":"https://s/%zz?hidden"}` + next, `{"value":[{"url":"https://s/a?hidden` + "\\u0000" + `"}` + next,
		`{"value":[{"url":"https://s/` + strings.Repeat("a", maxURL) + `"}` + next,
		`{"value":[` + strings.Repeat(`{"url":"https://s/a"},`, maxLinks) + `{"url":"https://s/a"}` + next,
		`{"value":[],"@nextPage":"` + strings.Repeat("n", maxToken+1) + `"}`,
	} {
		page, err := pageOfLinks(t, 200, body)
		var nonsense *ResponseError
		if !errors.As(err, &nonsense) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%.80s: got %+v, %v", body, page, err)
		}
	}
	var refusal *APIError
	if _, err := pageOfLinks(t, 200, `{"value":[],"fail":[{"code":"err_x"}]}`); !errors.As(err, &refusal) || refusal.Code != "err_x" {
		t.Errorf("got %v", err)
	}
}

func TestRefusedCursorsAndDates(t *testing.T) {
	validation := func(message string) string {
		return `{"error":{"code":"Request Validation Failed","message":"` + message + `"}}`
	}
	for _, test := range []struct {
		status       int
		body         string
		cursor, date bool
	}{
		{400, validation("Invalid date: `dateRangeStartsAt` must be within the last 7 days"), false, true},
		{400, validation("Invalid date range: 'from' must be within the 7-day retention period"), false, true},
		{400, validation("Invalid value for nextPage"), true, false},
		{400, `{"fail":[{"errors":[{"code":"err_x","message":"no","field":"nextPage"}]}]}`, true, false},
		{400, `{"fail":[{"code":"invalid_cursor"}]}`, true, false},
		{400, validation("Invalid pageSize"), false, false},
		{400, "", false, false},
		{403, validation("Invalid date"), false, false},
		{500, validation("Invalid nextPage"), false, false},
		{429, validation("Invalid nextPage"), false, false},
	} {
		_, err := pageOfLinks(t, test.status, test.body)
		var refusal *APIError
		if !errors.As(err, &refusal) || refusal.Status != test.status || IsInvalidCursor(err) != test.cursor || IsInvalidDate(err) != test.date {
			t.Errorf("%d %s: got %v, cursor %v, date %v", test.status, test.body, err, IsInvalidCursor(err), IsInvalidDate(err))
		}
	}
}

func TestLinksAreNotPrintedWhole(t *testing.T) {
	l := SIEMLink{URL: "https://s/a?signature=hidden", Path: "/a"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{l, &l, SIEMPage{Links: []SIEMLink{l}}} {
			if text := fmt.Sprintf(format, v); strings.Contains(text, "hidden") {
				t.Errorf("%s: %s", format, text)
			}
		}
	}
}

func TestAPageIsAskedForAgainWithAnotherToken(t *testing.T) {
	var asked []string
	s := &tokenService{t: t}
	s.serve = func(r *http.Request, token string) (*http.Response, error) {
		asked = append(asked, token+" "+r.URL.RawQuery)
		if token == "token-1" {
			return refusing(401, "token_expired")(r)
		}
		return answering(200, `{"value":[],"@nextPage":"n"}`)(r)
	}
	_, err := newTokenClient(t, s, nil).SIEMPage(t.Context(), SIEMPageRequest{Cursor: "old"})
	if diff := cmp.Diff([]string{"token-1 nextPage=old", "token-2 nextPage=old"}, asked); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestSIEMTypes(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range SIEMTypes() {
		if got := SIEMLogType(k.Name); got != k.LogType || seen[got] {
			t.Errorf("%s: got %s, which others have: %v", k.Name, got, seen[got])
		}
		seen[k.LogType] = true
	}
	for _, name := range SIEMTypesCI() {
		if got := SIEMLogType(name); got != name || seen[got] {
			t.Errorf("%s: got %s, which others have: %v", name, got, seen[got])
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d types", len(seen))
	}
	for name, want := range map[string]string{
		"URL protect": "ttp_url", "process:Hld": "process", "url protect:Block": "ttp_url", "DNS  protect-2": "dns_protect_2",
		"": "unknown", ":": "unknown", "2fa": "unknown", " (new) ": "new", "é": "unknown",
		strings.Repeat("a", 32): strings.Repeat("a", 32), strings.Repeat("a", 33): "unknown",
	} {
		if got := SIEMLogType(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// parsedURL is a URL that is known to be one.
func parsedURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
