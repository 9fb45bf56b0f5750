package simulator

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// failCode returns the code of a refusal by API 2.0.
func failCode(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var refusal struct {
		Fail []struct{ Code, Message string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil || len(refusal.Fail) != 1 || refusal.Fail[0].Message == "" {
		t.Fatalf("no refusal: %d %s", w.Code, w.Body)
	}
	return refusal.Fail[0].Code
}

func TestTokenAnswer(t *testing.T) {
	c := newBearerClient(t, Config{TokenLife: time.Minute})
	w := c.askToken(c.server.Client())
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	token := got["access_token"]
	delete(got, "access_token")
	if spelt := bodyOf(got); spelt != `{"expires_in":60,"scope":"","token_type":"Bearer"}` || token == c.bearer || token == "" {
		t.Errorf("got %s", spelt)
	}
	if !isUUID(w.Header().Get("x-request-id")) {
		t.Errorf("got %v", w.Header())
	}
}

func TestTokenRefusals(t *testing.T) {
	c := newBearerClient(t, Config{})
	right := c.server.Client()
	for _, wrong := range []Client{{}, {right.ID, ""}, {right.ID, right.Secret + "x"}, {"x", right.Secret}} {
		if w := c.askToken(wrong); w.Code != 401 || w.Body.String() != `{"fail":[{"code":"InvalidClientIdentifier","message":"Client credentials are invalid"}]}` {
			t.Errorf("%v: got %d %s", wrong, w.Code, w.Body)
		}
	}
	form := "grant_type=client_credentials&client_id=" + right.ID + "&client_secret=" + right.Secret
	for _, test := range []struct {
		method, contentType, body string
		status                    int
	}{
		{http.MethodPost, "application/x-www-form-urlencoded", form, 200},
		{http.MethodGet, "application/x-www-form-urlencoded", form, 405},
		{http.MethodPost, "application/json", form, 400},
		{http.MethodPost, "application/x-www-form-urlencoded", strings.Replace(form, "client_credentials", "password", 1), 400},
		{http.MethodPost, "application/x-www-form-urlencoded", "%", 400},
	} {
		r := httptest.NewRequest(test.method, PathToken, strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.contentType)
		if w := c.serve(r); w.Code != test.status {
			t.Errorf("%+v: got %d %s", test, w.Code, w.Body)
		}
	}
}

func TestBearerTokenEnds(t *testing.T) {
	c := newBearerClient(t, Config{})
	c.clock.advance(1799*time.Second - time.Millisecond)
	if w := c.events(); w.Code != 200 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	c.clock.advance(time.Millisecond)
	if w := c.events(); w.Code != 401 || failCode(t, w) != "token_expired" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	c.login()
	c.linkPage()
	c.server.ExpireTokens()
	if w := c.events(); w.Code != 401 || failCode(t, w) != "token_expired" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	c.login()
	if err := c.server.SetClient(Client{"another", "secret"}); err != nil {
		t.Fatal(err)
	}
	c.linkPage() // a token outlives the secret
	if err := c.server.SetClient(Client{ID: "another"}); err == nil {
		t.Error("an empty secret must be refused")
	}
	for bearer, want := range map[string]string{"Bearer unknown": "token_verification_failed", "": "Unauthorized Request", c.bearer: "Unauthorized Request"} {
		r := httptest.NewRequest(http.MethodGet, PathEvents, nil)
		r.Header.Set("Authorization", bearer)
		if w := c.serve(r); w.Code != 401 || failCode(t, w) != want {
			t.Errorf("%q: got %d %s", bearer, w.Code, w.Body)
		}
	}
}

func (c *bearerClient) impersonation() *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, PathImpersonation, strings.NewReader(`{}`))
	r.Header.Set("Authorization", "Bearer "+c.bearer)
	return c.serve(r)
}

func TestImpersonationByBearer(t *testing.T) {
	c := newBearerClient(t, Config{RateLimit: 3})
	c.server.AddEvents(5, c.clock.Now().Add(-time.Hour), 1)
	signed := c.post(PathImpersonation, `{}`)
	w := c.impersonation()
	if w.Code != 200 || w.Body.String() != signed.Body.String() || w.Header().Get("x-ratelimit-limit") != "" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	c.server.Forbid(PathImpersonation)
	if w = c.impersonation(); w.Code != 403 || failCode(t, w) != "app_forbidden" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w = c.impersonation(); w.Code != 429 || w.Header().Get("x-ratelimit-remaining") != "0" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	c.server.ExpireTokens()
	if w = c.impersonation(); w.Code != 401 {
		t.Errorf("got %d", w.Code)
	}
}
