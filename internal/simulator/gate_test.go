package simulator

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestAuthorizeKnownAnswer(t *testing.T) {
	got := authorize("AccessKey", []byte("SecretKey"), "ApplicationKey",
		"Sun, 21 Aug 2022 13:49:40 UTC", "3d796b76-4180-40e5-8f7c-6e0fd643b1a9", "/api/test/some-url")
	if want := "MC AccessKey:WOywLsnZlsE+D6bp/ug6uch5kxc="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	good := siemBody("", "json", true)
	for _, test := range []struct {
		name, path, body string
		change           func(*http.Request)
		status           int
		code             string
	}{
		{name: "GET", change: func(r *http.Request) { r.Method = http.MethodGet }, status: 405, code: codeMethod},
		{name: "path", path: "/api/audit/get-siem-log", status: 404, code: codePath},
		{name: "no signature", change: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401, code: codeHeader},
		{name: "no app id", change: func(r *http.Request) { r.Header.Del("x-mc-app-id") }, status: 401, code: codeHeader},
		{name: "no date", change: func(r *http.Request) { r.Header.Del("x-mc-date") }, status: 401, code: codeHeader},
		{name: "no id", change: func(r *http.Request) { r.Header.Del("x-mc-req-id") }, status: 401, code: codeHeader},
		{name: "app id", change: header("x-mc-app-id", "INVALID"), status: 200, code: "err_developer_key"},
		{name: "signature", change: header("Authorization", "MC key:c2lnbmF0dXJl"), status: 401, code: "err_xdk_invalid_signature"},
		{name: "other id signed", change: header("x-mc-req-id", "00000000-0000-4000-8000-ffffffffffff"), status: 401, code: "err_xdk_invalid_signature"},
		{name: "id no UUID", change: header("x-mc-req-id", "12345"), status: 400, code: codeRequestID},
		{name: "zone", change: header("x-mc-date", "Tue, 19 Oct 2021 07:06:40 GMT"), status: 401, code: codeDate},
		{name: "one digit day", change: header("x-mc-date", "Tue, 9 Nov 2021 07:06:40 UTC"), status: 401, code: codeDate},
		{name: "weekday", change: header("x-mc-date", "Mon, 19 Oct 2021 07:06:40 UTC"), status: 401, code: codeDate},
		{name: "early", change: header("x-mc-date", "Tue, 19 Oct 2021 06:51:39 UTC"), status: 401, code: codeDate},
		{name: "late", change: header("x-mc-date", "Tue, 19 Oct 2021 07:21:42 UTC"), status: 401, code: codeDate},
		{name: "no JSON", body: "type=MTA", status: 400, code: codeJSON},
		{name: "two bodies", body: good + good, status: 400, code: codeJSON},
		{name: "no data", body: `{}`, status: 400, code: codeNull},
		{name: "no type", body: `{"data":[{"fileFormat":"json"}]}`, status: 400, code: codeNull},
		{name: "type", body: strings.Replace(good, "MTA", "MTB", 1), status: 400, code: codeValue},
		{name: "format", body: strings.Replace(good, `"json"`, `"xml"`, 1), status: 400, code: codeValue},
		{name: "compress", body: strings.Replace(good, `true`, `"true"`, 1), status: 400, code: codeJSON},
		{name: "blank token", body: strings.Replace(good, `{"compress`, `{"token":"","compress`, 1), status: 400, code: codeBlank},
		{name: "token", body: siemBody("bm8gdG9rZW4=", "json", true), status: 400, code: "err_audit_siem_invalid_token"},
		{name: "page size", path: PathImpersonation, body: `{"meta":{"pagination":{"pageSize":0}}}`, status: 400, code: codeValue},
		{name: "page token", path: PathImpersonation, body: `{"meta":{"pagination":{"pageToken":"x"}}}`, status: 400, code: codePageToken},
		{name: "from", path: PathImpersonation, body: `{"data":[{"from":"2021-10-19T07:06:40Z"}]}`, status: 400, code: codeValue},
		{name: "to before from", path: PathImpersonation, body: `{"data":[{"from":"2021-10-19T07:06:40+0000","to":"2021-10-19T07:06:39+0000"}]}`, status: 400, code: codeValue},
		{name: "field without query", path: PathImpersonation, body: `{"data":[{"searchField":"all"}]}`, status: 400, code: codeNull},
		{name: "search field", path: PathImpersonation, body: `{"data":[{"searchField":"body","query":"x"}]}`, status: 400, code: codeValue},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t, Config{})
			c.server.AddBatch(10)
			w := c.changing(test.change).post(orDefault(test.path, PathSIEM), orDefault(test.body, good))
			if w.Code != test.status || code(t, w) != test.code {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, test.status, test.code)
			}
			for _, name := range []string{"Date", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} {
				if w.Header().Get(name) == "" {
					t.Errorf("no %s", name)
				}
			}
			if n := c.server.Requests().Count(orDefault(map[string]string{"path": pathOther}[test.name], orDefault(test.path, PathSIEM)), Outcome(test.code)); n != 1 {
				t.Errorf("counted %d of %s: %v", n, test.code, c.server.Requests())
			}
		})
	}
}

func TestRefusalMessages(t *testing.T) {
	c := newClient(t, Config{InvalidTokenStatus: 200})
	got := c.changing(func(r *http.Request) { r.Header.Set("x-mc-app-id", "INVALID") }).siem("", "json", true).Body.String()
	if want := `{"meta":{"status":200},"data":[],"fail":[{"errors":[{"code":"err_developer_key","message":"App ID is invalid: INVALID","retryable":false}]}]}`; got != want {
		t.Errorf("got %s", got)
	}
	if w := c.siem("bm8gdG9rZW4=", "json", true); w.Code != 200 || code(t, w) != codeSIEMToken {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestRequestIDOnce(t *testing.T) {
	c := newClient(t, Config{})
	r := c.request(PathSIEM, "")
	again := c.changing(func(other *http.Request) { other.Header = r.Header.Clone() })
	if w := again.siem("", "json", true); !isIdle(w) {
		t.Fatalf("got %s", w.Body)
	}
	for _, wait := range []time.Duration{0, 10 * time.Minute} {
		c.clock.advance(wait)
		if w := again.siem("", "json", true); w.Code != http.StatusConflict || code(t, w) != codeReplay {
			t.Errorf("after %v: got %d %s", wait, w.Code, w.Body)
		}
	}
}

func TestReplaysForget(t *testing.T) {
	var seen replays
	now := time.Unix(0, 0)
	if !seen.first("a", now) || seen.first("a", now.Add(59*time.Minute)) {
		t.Error("an id must be known for an hour at most, half an hour at least")
	}
	for i := range 3 {
		seen.first(strconv.Itoa(i), now.Add(time.Duration(i+2)*time.Hour))
	}
	if len(seen.young)+len(seen.old) > 2 || !seen.first("a", now.Add(5*time.Hour)) {
		t.Error("old ids must be forgotten")
	}
}

func TestServiceClock(t *testing.T) {
	c := newClient(t, Config{DateOffset: time.Hour})
	w := c.changing(func(r *http.Request) {}).siem("", "json", true)
	if got := w.Header().Get("Date"); got != "Tue, 19 Oct 2021 08:06:40 GMT" || !isIdle(w) {
		t.Errorf("got %s %s", got, w.Body)
	}
	behind := c.changing(func(r *http.Request) { r.Header.Set("x-mc-date", c.clock.Now().Format(dateLayout)) })
	if w := behind.siem("", "json", true); w.Code != http.StatusUnauthorized || code(t, w) != codeDate {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestCredentials(t *testing.T) {
	c := newClient(t, Config{})
	old := c.request(PathSIEM, "").Header
	c.server.ExpireCredentials()
	if w := c.siem("", "json", true); w.Code != http.StatusTeapot || code(t, w) != codeKeyExpired {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	keys := c.server.Credentials()
	keys.AccessKey, keys.SecretKey = "new", "bmV3IHNlY3JldA=="
	if err := c.server.SetCredentials(keys); err != nil {
		t.Fatal(err)
	}
	if w := c.siem("", "json", true); !isIdle(w) {
		t.Errorf("got %s", w.Body)
	}
	w := c.changing(func(r *http.Request) { r.Header = old }).siem("", "json", true)
	if w.Code != http.StatusUnauthorized || code(t, w) != codeSignature {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	keys.SecretKey = "no base64"
	if err := c.server.SetCredentials(keys); err == nil {
		t.Error("a secret that is no base64 must be refused")
	}
}

func TestConfigErrors(t *testing.T) {
	for _, config := range []Config{
		{Types: []string{"receipt", "mail"}},
		{Types: []string{"receipt", "receipt"}},
		{AppID: "only"},
		{AppID: "a", AppKey: "b", AccessKey: "c:d", SecretKey: "c2VjcmV0"},
		{InvalidTokenStatus: 42},
		{RateLimit: -1},
	} {
		if _, err := New(config); err == nil {
			t.Errorf("%+v must be refused", config)
		}
	}
}

func TestRateLimit(t *testing.T) {
	c := newClient(t, Config{RateLimit: 2, RateWindow: 5 * time.Second})
	for i, want := range []struct{ status, remaining, reset int }{
		{200, 1, 5000}, {200, 0, 4000}, {429, 0, 3000}, {429, 0, 2000}, {429, 0, 1000}, {200, 1, 5000},
	} {
		w := c.siem("", "json", true)
		h := w.Header()
		if w.Code != want.status || h.Get("x-ratelimit-limit") != "2" ||
			h.Get("x-ratelimit-remaining") != strconv.Itoa(want.remaining) ||
			h.Get("x-ratelimit-reset") != strconv.Itoa(want.reset) {
			t.Errorf("request %d: got %d %v, want %v", i, w.Code, h, want)
		}
		if w.Code == 429 && code(t, w) != codeRateLimit {
			t.Errorf("got %s", w.Body)
		}
		c.clock.advance(time.Second)
	}
}

func TestCounters(t *testing.T) {
	c := newClient(t, Config{})
	for range 5 {
		c.siem("", "json", true)
		c.clock.advance(30 * time.Second)
	}
	for range 7 {
		c.post(PathImpersonation, `{}`)
	}
	r := c.server.Requests()
	if r.Total != 12 || r.PeakPerMinute != 8 || r.Count(PathSIEM, OutcomeIdle) != 5 || r.At(PathImpersonation) != 7 {
		t.Errorf("got %+v", r)
	}
}
