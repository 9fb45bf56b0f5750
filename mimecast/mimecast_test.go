package mimecast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// transport answers requests in the place of the network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering always answers the same.
func answering(status int, body string, header ...string) transport {
	return func(*http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return w.Result(), nil
	}
}

func testKeys() Keys {
	return Keys{AppID: "app-id", AppKey: "app-key-secret", AccessKey: "access-key-secret", SecretKey: "c2VjcmV0LWtleQ=="}
}

func testAuth() Auth {
	return NewHMAC(func() (Keys, error) { return testKeys(), nil })
}

func newTestClient(t testing.TB, via http.RoundTripper) *Client {
	t.Helper()
	base, err := url.Parse("https://eu-api.mimecast.com")
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(Options{
		BaseURL: base, Timeout: 10 * time.Second, Transport: via,
		Auth: testAuth(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// siem makes a request and returns what the batch holds.
func siem(c *Client, token string) (content string, batch *SIEMBatch, err error) {
	batch, err = c.SIEMLogs(context.Background(), SIEMRequest{Token: token, Format: JSON, Compress: true})
	if batch == nil {
		return "", nil, err
	}
	defer batch.Body.Close()
	b, err := io.ReadAll(batch.Body)
	return string(b), batch, err
}

func TestRequests(t *testing.T) {
	var got *http.Request
	var body string
	c := newTestClient(t, transport(func(r *http.Request) (*http.Response, error) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		return answering(200, `{"meta":{"status":200},"data":[],"fail":[]}`)(r)
	}))
	check := func(uri, want string) {
		t.Helper()
		if got.Method != http.MethodPost || got.URL.String() != "https://eu-api.mimecast.com"+uri {
			t.Errorf("got %s %s", got.Method, got.URL)
		}
		var have, wanted any
		if json.Unmarshal([]byte(body), &have) != nil || json.Unmarshal([]byte(want), &wanted) != nil || !cmp.Equal(have, wanted) {
			t.Errorf("%s: got %s, want %s", uri, body, want)
		}
		h := got.Header
		if h.Get("X-Mc-App-Id") != "app-id" || !strings.HasPrefix(h.Get("Authorization"), "MC access-key-secret:") || len(h.Get("X-Mc-Req-Id")) != 36 {
			t.Errorf("headers: %v", h)
		}
		if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 UTC", h.Get("X-Mc-Date")); err != nil {
			t.Error(err)
		}
	}
	ctx := context.Background()
	_, _ = c.SIEMLogs(ctx, SIEMRequest{Format: KeyValue})
	check("/api/audit/get-siem-logs", `{"data":[{"type":"MTA","fileFormat":"key_value","compress":false}]}`)
	first := got.Header.Get("X-Mc-Req-Id")
	_, _ = c.SIEMLogs(ctx, SIEMRequest{Token: "a&<b>", Format: JSON, Compress: true})
	check("/api/audit/get-siem-logs", `{"data":[{"type":"MTA","token":"a&<b>","fileFormat":"json","compress":true}]}`)
	if got.Header.Get("X-Mc-Req-Id") == first {
		t.Error("two requests have one id")
	}

	from := time.Date(2016, 10, 1, 15, 49, 18, 0, time.FixedZone("", 3600))
	page := PageRequest{From: from, To: from.Add(time.Hour), Size: 500}
	_, _ = c.Page(ctx, Impersonation(), page)
	check("/api/ttp/impersonation/get-logs", `{"meta":{"pagination":{"pageSize":500}},
		"data":[{"oldestFirst":true,"from":"2016-10-01T14:49:18+0000","to":"2016-10-01T15:49:18+0000"}]}`)
	yes := true
	page.Token = "t"
	page.Filter = ImpersonationFilter{
		TaggedMalicious: &yes, SearchField: "subject", Query: "q", Identifiers: []string{"i", "j"}, Actions: []string{"hold"},
	}
	_, _ = c.Page(ctx, Impersonation(), page)
	check("/api/ttp/impersonation/get-logs", `{"meta":{"pagination":{"pageSize":500,"pageToken":"t"}},
		"data":[{"oldestFirst":true,"from":"2016-10-01T14:49:18+0000","to":"2016-10-01T15:49:18+0000",
		"taggedMalicious":true,"searchField":"subject","query":"q","identifiers":["i","j"],"actions":["hold"]}]}`)
}

const nothingNew = `{"meta":{"isLastToken":true,"status":200},"data":[],"fail":[]}`

func TestSIEMAnswers(t *testing.T) {
	const (
		kind, disposition, token = "Content-Type", "Content-Disposition", "Mc-Siem-Token"
		file                     = `attachment; filename="delivery_20160705162902600.log"`
	)
	log := `{"type":"MTA","data":[{"a":1}]}`
	batch := func(body string, header ...string) {
		t.Helper()
		content, b, err := siem(newTestClient(t, answering(200, body, header...)), "old")
		if err != nil || b == nil || content != body || b.NextToken != "next" {
			t.Errorf("%v: %.40q: got %q, %+v, %v, want a batch", header, body, content, b, err)
		}
	}
	nothing := func(body string, header ...string) {
		t.Helper()
		if _, b, err := siem(newTestClient(t, answering(200, body, header...)), "old"); err != nil || b != nil {
			t.Errorf("%v: %.40q: got %+v, %v, want nothing new", header, body, b, err)
		}
	}
	fails := func(want, body string, header ...string) {
		t.Helper()
		_, b, err := siem(newTestClient(t, answering(200, body, header...)), "old")
		if b != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %.40q: got %+v, %v, want an error with %q", header, body, b, err, want)
		}
	}
	// What is documented, and what differs from it in one sign.
	batch("PK\x03\x04rest", kind, "application/octet-stream", disposition, `attachment; filename="id"`, token, "next")
	batch("PK\x03\x04rest", kind, "application/json", token, "next")
	batch("PK\x05\x06rest", token, "next")
	batch(log, kind, "application/octet-stream", disposition, file, token, "next")
	batch(log, kind, "application/json; charset=utf-8", disposition, file, token, "next")
	batch(log, kind, "application/json", token, "next")
	batch("a=1|b=2\n", kind, "application/octet-stream", token, "next")
	batch("a=1|b=2\n", kind, "text/plain", disposition, "attachment; filename=x; filename=y", token, "next")
	batch("a=1|b=2\n", kind, "text/plain", token, "next")
	batch(`{"fields":1}`, disposition, file, token, "next")
	batch(`{"data":[{"a":1}],"type":"MTA"}`, kind, "application/json", token, "next")
	batch("{\"a\":1}\n{\"b\":2}", kind, "text/plain", token, "next")
	batch(`{"meta":1}`, disposition, file, token, "next")
	batch("", kind, "application/octet-stream", disposition, file, token, "next")
	nothing(nothingNew, kind, "application/json")
	nothing(nothingNew, kind, "application/json;charset=utf-8", token, "next")
	nothing(nothingNew, kind, "application/octet-stream")
	nothing(nothingNew, disposition, file)
	nothing("\ufeff \n" + nothingNew)
	nothing(`{"data":[],"meta":{"status":200}}`, kind, "application/json", token, "next")

	fails("without the token", "PK\x03\x04", kind, "application/octet-stream")
	fails("more than 16 KiB", "PK\x03\x04", token, strings.Repeat("t", 16<<10+1))
	fails("err_some_code", `{"meta":{"status":200},"data":[],"fail":[{"errors":[{"code":"err_some_code","message":"m","retryable":true}]}]}`, kind, "application/json")
	fails("err_some_code", `{"fail":[{"errors":[{"code":"err_some_code"}]}]}`, disposition, file, token, "next")
	fails("err_some_code", `{"data":[],"meta":{"status":200},"fail":[{"errors":[{"code":"err_some_code"}]}]}`, kind, "application/octet-stream", token, "next")
	fails("err_some_code", `{"fail":[{"code":"err_some_code","message":7}]}`, kind, "application/json")
	fails("err_some_code", `{"fail":{"errors":[{"code":"err_some_code","retryable":"false"}]},"meta":{}}`, kind, "application/json")
	fails("status 200", `{"fail":[7]}`, kind, "application/json")
	fails("not the API's", `{"meta":{},"data":[`+strings.Repeat("0,", maxElements)+`0]}`, kind, "application/json")
	fails("not the API's (text/html, ", "<html>", kind, "text/html")
	fails("not the API's (no media type, 0 bytes", "")
	fails("not the API's", `{"some":"json"}`, kind, "application/json")
	fails("not the API's", `{"meta":`, kind, "application/json")
	fails("not the API's", nothingNew+"x", kind, "application/json")
}

func TestSIEMFileName(t *testing.T) {
	c := newTestClient(t, answering(200, "a=1", "Mc-Siem-Token", "n", "Content-Disposition", "attachment; filename=\"receipt_1.log\""))
	if _, b, err := siem(c, ""); err != nil || b.FileName != "receipt_1.log" {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestRefusals(t *testing.T) {
	fail := func(code, message string, retryable bool) string {
		b, _ := json.Marshal(map[string]any{"meta": map[string]int{"status": 1}, "data": []int{}, "fail": []any{
			map[string]any{"errors": []any{map[string]any{"code": code, "message": message, "retryable": retryable}}},
		}})
		return string(b)
	}
	for _, test := range []struct {
		status                                      int
		body                                        string
		header                                      []string
		credentials, rateLimited, badToken, retries bool
		wait                                        time.Duration
		cause                                       Cause
	}{
		{status: 200, body: fail("err_developer_key", "App ID is invalid: INVALID", false), credentials: true, cause: CauseApplication},
		{status: 401, body: fail("err_xdk_invalid_signature", "0004 Invalid Signature", false), credentials: true, cause: CauseKeys},
		{status: 401, body: "", credentials: true, cause: CauseKeys},
		{status: 418, body: fail("err_xdk_binding_expired", "", false), credentials: true, cause: CauseExpiredKey},
		{status: 418, body: "teapot", credentials: true, cause: CauseExpiredKey},
		{status: 403, body: "", credentials: true, cause: CausePermission},
		{status: 401, body: fail("err_developer_key", "", false), credentials: true, cause: CauseApplication},
		{status: 401, body: fail("err_xdk_binding_expired", "", false), credentials: true, cause: CauseExpiredKey},
		{status: 403, body: fail("err_xdk_invalid_signature", "", false), credentials: true, cause: CausePermission},
		{status: 418, body: fail("err_xdk_invalid_signature", "", false), credentials: true, cause: CauseExpiredKey},
		{status: 200, body: fail("err_xdk_invalid_signature", "", false), credentials: true, cause: CauseKeys},
		{status: 429, body: fail("err_xdk_invalid_signature", "", false), rateLimited: true, retries: true},
		{status: 429, body: fail("err_audit_siem_invalid_token", "", false), rateLimited: true, retries: true},
		{status: 500, body: fail("err_developer_key", "", false), retries: true},
		{status: 503, body: fail("err_audit_siem_invalid_token", "", false), retries: true},
		{status: 502, body: fail("err_audit_log_incorrect_region", "", false), retries: true},
		{status: 404, body: "<html>", cause: CausePath},
		{status: 302, body: "", header: []string{"Location", "https://evil.example.com"}, cause: CauseRedirect},
		{status: 400, body: fail("err_audit_siem_invalid_token", "", false), badToken: true},
		{status: 200, body: fail("err_audit_siem_invalid_token", "", false), badToken: true},
		{status: 400, body: fail("err_audit_log_incorrect_region", "", false), cause: CauseRegion},
		{status: 400, body: fail("err_validation_null", "", false)},
		{status: 400, body: fail("err_validation_null", "", true), retries: true},
		{status: 429, body: "", header: []string{"X-Ratelimit-Reset", "4851"}, rateLimited: true, retries: true, wait: 4851 * time.Millisecond},
		{status: 429, body: "", header: []string{"Retry-After", "7"}, rateLimited: true, retries: true, wait: 7 * time.Second},
		{status: 429, body: "", header: []string{"X-Ratelimit-Reset", "-5"}, rateLimited: true, retries: true},
		{status: 429, body: "", header: []string{"X-Ratelimit-Reset", "9223372036854775807"}, rateLimited: true, retries: true, wait: 24 * time.Hour},
		{status: 500, body: "oops", retries: true},
		{status: 503, body: fail("x", "", false), retries: true},
		{status: 408, body: "", retries: true},
	} {
		_, _, err := siem(newTestClient(t, answering(test.status, test.body, test.header...)), "token")
		var refusal *APIError
		if !errors.As(err, &refusal) {
			t.Errorf("%d %s: got %v, want an *APIError", test.status, test.body, err)
			continue
		}
		if refusal.Status != test.status || refusal.Endpoint != SIEM() || IsAccessRefused(err) != test.credentials || IsRateLimited(err) != test.rateLimited ||
			IsInvalidToken(err) != test.badToken || refusal.Retryable != test.retries || refusal.Wait != test.wait {
			t.Errorf("%d %s: got %+v", test.status, test.body, refusal)
		}
		if cause := refusal.Cause(); cause != test.cause {
			t.Errorf("%d %s: got cause %d, want %d", test.status, test.body, cause, test.cause)
		}
	}
}

func TestErrorsHoldNoSecretsAndNoControlCharacters(t *testing.T) {
	c := testKeys()
	said := "key " + c.AppKey + " and " + c.AccessKey + " and " + c.SecretKey + "\x1b[31m\r\n[error] forged line " + strings.Repeat("long ", 200)
	message, _ := json.Marshal(said)
	for _, body := range []string{`{"fail":[{"errors":[{"code":"x","message":` + string(message) + `,"field":` + string(message) + `}]}]}`, said} {
		for _, status := range []int{200, 400} {
			_, _, err := siem(newTestClient(t, answering(status, body)), "")
			text := err.Error()
			for _, secret := range []string{c.AppKey, c.AccessKey, c.SecretKey, "\x1b", "\n", "\r"} {
				if strings.Contains(text, secret) {
					t.Errorf("%d: %q holds %q", status, text, secret)
				}
			}
			if len(text) > 700 {
				t.Errorf("%d: an error of %d bytes", status, len(text))
			}
		}
	}
	// The beginning of a secret that is cut off, and a secret in JSON's spelling.
	c.SecretKey = "c2VjcmV0L2tleS93aXRoL3NsYXNoZXM//w=="
	echo := newTestClient(t, transport(func(r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("malformed answer \x1b %s %s", c.AccessKey, c.AppKey)
	}))
	echo.auth = NewHMAC(func() (Keys, error) { return c, nil })
	_, _, err := siem(echo, "")
	texts := []string{err.Error()}
	for _, body := range []string{strings.Repeat(" x", 35) + c.AccessKey, `{"some":"` + strings.ReplaceAll(c.SecretKey, "/", `\/`) + `"}`} {
		echo.http.Transport = answering(200, body)
		_, _, err := siem(echo, "")
		texts = append(texts, err.Error())
	}
	for _, text := range texts {
		for _, secret := range []string{c.AppKey[:6], c.AccessKey[:6], "c2Vjcm", "\x1b"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q holds %q", text, secret)
			}
		}
	}
}

func TestPages(t *testing.T) {
	get := func(body string) (Page, error) {
		return newTestClient(t, answering(200, body)).Page(context.Background(), Impersonation(), PageRequest{})
	}
	page, err := get(`{"meta":{"status":200,"pagination":{"pageSize":2,"next":"n","totalCount":9}},"fail":[],
		"data":[{"resultCount":2,"impersonationLogs":[{"id":"MTOKEN:a","eventTime":"2021-10-15T17:10:46+0100","x":[1]},{"id":7},"odd"]}]}`)
	want := Page{Next: "n", Events: []Event{
		{ID: "MTOKEN:a", Time: time.Date(2021, 10, 15, 16, 10, 46, 0, time.UTC), JSON: []byte(`{"id":"MTOKEN:a","eventTime":"2021-10-15T17:10:46+0100","x":[1]}`)},
		{JSON: []byte(`{"id":7}`)},
		{JSON: []byte(`"odd"`)},
	}}
	if diff := cmp.Diff(want, page, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for body, next := range map[string]string{
		`{"meta":{"pagination":{"next":"n"}},"data":[{"impersonationLogs":[]}]}`: "n",
		`{"meta":{"pagination":{}},"data":[{}]}`:                                 "",
		`{"meta":{},"data":[]}`:                                                  "",
	} {
		if page, err := get(body); err != nil || len(page.Events) != 0 || page.Next != next {
			t.Errorf("%s: got %+v, %v, want an empty page", body, page, err)
		}
	}
	many := `{"meta":{},"data":[{"impersonationLogs":[` + strings.Repeat("0,", maxElements) + `0]}]}`
	for _, body := range []string{many, `{"meta":{},"data":[{"impersonationLogs":7}]}`, `{"meta":{},"data":[7]}`, `<html>`, `{}`, `{"meta":{},"data":[{"impersonationLogs":[{]}]}`} {
		if page, err := get(body); err == nil {
			t.Errorf("%s: got %+v, want an error", body, page)
		}
	}
	if _, err := get(`{"meta":{"pagination":{"next":"` + strings.Repeat("x", 16<<10+1) + `"}},"data":[{"impersonationLogs":[{"id":"a"}]}]}`); err == nil {
		t.Error("a page token of more than 16 KiB is taken")
	}
}
