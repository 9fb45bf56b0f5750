package mimecast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tokenService is a service of API 2.0 in the place of the network. It gives the
// tokens token-1, token-2 and so on.
type tokenService struct {
	t *testing.T
	// give answers a request for a token with a name; nil: with a token that
	// lives 1799 s.
	give func(r *http.Request, token string) (*http.Response, error)
	// serve answers any other request.
	serve func(r *http.Request, token string) (*http.Response, error)

	mu      sync.Mutex
	secrets []string // that tokens were asked for with
}

func (s *tokenService) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.URL.Host != "api.services.mimecast.com" {
		s.t.Errorf("a request to %s", r.URL)
	}
	authorization := r.Header.Get("Authorization")
	if r.URL.Path != "/oauth/token" {
		token, ok := strings.CutPrefix(authorization, "Bearer ")
		if !ok {
			s.t.Errorf("%s: authorized with %q", r.URL, authorization)
		}
		return s.serve(r, token)
	}
	body, _ := io.ReadAll(r.Body)
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || authorization != "" ||
		form.Get("grant_type") != "client_credentials" || form.Get("client_id") != "client-id" {
		s.t.Errorf("%s %s with the headers %v, %v", r.Method, r.URL, r.Header, err)
	}
	s.mu.Lock()
	s.secrets = append(s.secrets, form.Get("client_secret"))
	token := fmt.Sprintf("token-%d", len(s.secrets))
	s.mu.Unlock()
	if s.give != nil {
		return s.give(r, token)
	}
	return answering(200, `{"access_token":"`+token+`","token_type":"bearer","expires_in":1799,"scope":""}`)(r)
}

// asked returns how often a token was asked for.
func (s *tokenService) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.secrets)
}

func newTokenClient(t *testing.T, via http.RoundTripper, source CredentialSource) *Client {
	t.Helper()
	if source == nil {
		source = func() (Credentials, error) { return Credentials{"client-id", "client/secret+"}, nil }
	}
	base, _ := url.Parse("https://api.services.mimecast.com")
	c, err := NewClient(Options{BaseURL: base, Timeout: 10 * time.Second, Transport: via, Auth: NewOAuth2(source)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// page asks for a page of a log.
func page(c *Client) error {
	_, err := c.Page(context.Background(), Impersonation(), PageRequest{Size: 10})
	return err
}

const emptyPage = `{"meta":{"status":200},"data":[],"fail":[]}`

// refusing is an answer with a failure as API 2.0 spells it.
func refusing(status int, code string) transport {
	return answering(status, `{"fail":[{"code":"`+code+`","message":"why"}]}`)
}

func serveEmptyPages(r *http.Request, _ string) (*http.Response, error) {
	return answering(200, emptyPage)(r)
}

func TestOneTokenForAllRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokenService{t: t, serve: serveEmptyPages}
		s.give = func(r *http.Request, token string) (*http.Response, error) {
			time.Sleep(time.Second)
			return answering(200, `{"access_token":"`+token+`","expires_in":"1799"}`)(r)
		}
		c := newTokenClient(t, s, nil)
		if got := c.Application(); got != "" {
			t.Errorf("before the first request: application %q", got)
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := page(c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if s.asked() != 1 || c.Application() != "client-id" {
			t.Errorf("20 requests asked for %d tokens, application %q", s.asked(), c.Application())
		}
	})
}

func TestATokenIsRenewedBeforeItEnds(t *testing.T) {
	for life, renewed := range map[string]time.Duration{
		`"expires_in":1799`:                1739 * time.Second,
		`"expires_in":100`:                 90 * time.Second,
		`"expires_in":1`:                   900 * time.Millisecond,
		`"scope":""`:                       29 * time.Minute,
		`"expires_in":-5`:                  29 * time.Minute,
		`"expires_in":9223372036854775807`: 24*time.Hour - time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &tokenService{t: t, serve: serveEmptyPages}
			s.give = func(r *http.Request, token string) (*http.Response, error) {
				return answering(200, `{"access_token":"`+token+`",`+life+`}`)(r)
			}
			c := newTokenClient(t, s, nil)
			for _, step := range []struct {
				wait  time.Duration
				asked int
			}{{0, 1}, {renewed - time.Millisecond, 1}, {2 * time.Millisecond, 2}} {
				time.Sleep(step.wait)
				if err := page(c); err != nil || s.asked() != step.asked {
					t.Errorf("%s: %v, asked for %d tokens, want %d", life, err, s.asked(), step.asked)
				}
			}
		})
	}
}

func TestATokenIsUsedUntilItEndsIfRenewingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokenService{t: t, serve: serveEmptyPages}
		c := newTokenClient(t, s, nil)
		if err := page(c); err != nil {
			t.Fatal(err)
		}
		s.give = func(*http.Request, string) (*http.Response, error) { return nil, errors.New("the network is down") }
		time.Sleep(1798 * time.Second)
		if err := page(c); err != nil || s.asked() != 2 {
			t.Errorf("before its end: %v, asked for %d tokens", err, s.asked())
		}
		time.Sleep(2 * time.Second)
		if err := page(c); err == nil || !strings.Contains(err.Error(), "/oauth/token: the network is down") {
			t.Errorf("after its end: %v", err)
		}
	})
}

func TestWaitersForATokenShareAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokenService{t: t, serve: serveEmptyPages}
		s.give = func(r *http.Request, _ string) (*http.Response, error) {
			time.Sleep(time.Second)
			return answering(500, "")(r)
		}
		c := newTokenClient(t, s, nil)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				var refusal *APIError
				if err := page(c); !errors.As(err, &refusal) || refusal.Status != 500 || refusal.Endpoint.Path != "/oauth/token" {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if s.asked() != 1 {
			t.Errorf("asked for %d tokens", s.asked())
		}
	})
}

func TestATokenThatIsAskedForInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokenService{t: t, serve: serveEmptyPages}
		s.give = func(r *http.Request, token string) (*http.Response, error) {
			if token == "token-1" {
				<-r.Context().Done() // of the first request, which is given up
				return nil, r.Context().Err()
			}
			return answering(200, `{"access_token":"`+token+`"}`)(r)
		}
		c := newTokenClient(t, s, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.Page(ctx, Impersonation(), PageRequest{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the request that is given up: %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if err := page(c); err != nil {
				t.Errorf("the request that waits: %v", err)
			}
		})
		all.Wait()
	})
}

func TestARefusedTokenIsRenewedAndTheRequestRepeated(t *testing.T) {
	type sent struct{ Token, Method, URL, Body string }
	var got []sent
	s := &tokenService{t: t}
	s.serve = func(r *http.Request, token string) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, sent{token, r.Method, r.URL.RequestURI(), string(body)})
		if token == "token-1" {
			return refusing(401, "token_expired")(r)
		}
		return answering(200, emptyPage)(r)
	}
	c := newTokenClient(t, s, nil)
	if err := page(c); err != nil {
		t.Fatal(err)
	}
	want := []sent{{"token-1", "POST", "/api/ttp/impersonation/get-logs", got[0].Body}, {"token-2", "POST", "/api/ttp/impersonation/get-logs", got[0].Body}}
	if diff := cmp.Diff(want, got); diff != "" || got[0].Body == "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// Once only.
	s.serve = func(r *http.Request, token string) (*http.Response, error) {
		got = append(got, sent{Token: token})
		return refusing(401, "token_expired")(r)
	}
	got = nil
	err := page(c)
	if diff := cmp.Diff([]sent{{Token: "token-2"}, {Token: "token-3"}}, got); diff != "" || err == nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestOnlyARefusalThatLastsIsOneOfTheCredentials(t *testing.T) {
	for _, code := range []string{"InvalidClientIdentifier", "Unauthorized Request", "token_verification_failed", "token_expired", ""} {
		for _, atToken := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				refuse := func(r *http.Request, _ string) (*http.Response, error) { return refusing(401, code)(r) }
				s := &tokenService{t: t, serve: refuse}
				if atToken {
					s.give = refuse
				}
				c := newTokenClient(t, s, nil)
				check := func(lasts bool) {
					t.Helper()
					err := page(c)
					var refusal *APIError
					if !errors.As(err, &refusal) || refusal.Status != 401 || refusal.Code != code {
						t.Fatalf("got %v", err)
					}
					cause, wait := CauseUnknown, new(Backoff).Next(err)
					if lasts {
						cause = CauseClient
					}
					if refusal.Transient == lasts || IsAccessRefused(err) != lasts || refusal.Retryable == lasts || refusal.Cause() != cause || (wait > firstWait) != lasts {
						t.Errorf("%q: lasts %v, got %+v, cause %d, wait %v", code, lasts, refusal, refusal.Cause(), wait)
					}
				}
				check(false)
				check(false)
				check(false) // that many, but within a moment
				time.Sleep(time.Minute)
				check(true)
				check(true)
				// Two within a minute are too few again.
				s.give, s.serve = nil, serveEmptyPages
				if err := page(c); err != nil {
					t.Fatal(err)
				}
				s.serve = refuse
				check(false)
			})
		}
	}
}

func TestCredentialsAreReadForEachToken(t *testing.T) {
	secret, failure := "first-secret", error(nil)
	s := &tokenService{t: t}
	s.give = func(r *http.Request, token string) (*http.Response, error) {
		if secret == "first-secret" {
			return refusing(401, "InvalidClientIdentifier")(r)
		}
		return answering(200, `{"access_token":"`+token+`"}`)(r)
	}
	s.serve = serveEmptyPages
	c := newTokenClient(t, s, func() (Credentials, error) { return Credentials{"client-id", secret}, failure })
	if err := page(c); err == nil {
		t.Error("the first secret does")
	}
	failure = errors.New("the file is away")
	if err := page(c); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
	failure, secret = nil, "second-secret"
	if err := page(c); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"first-secret", "second-secret"}, s.secrets); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAForbiddenRequestIsNotRepeated(t *testing.T) {
	s, requests := &tokenService{t: t}, 0
	s.serve = func(r *http.Request, _ string) (*http.Response, error) {
		requests++
		return refusing(403, "app_forbidden")(r)
	}
	c := newTokenClient(t, s, nil)
	err := page(c)
	var refusal *APIError
	if !errors.As(err, &refusal) || refusal.Cause() != CauseProduct || !IsAccessRefused(err) || refusal.Retryable || refusal.Transient || requests != 1 {
		t.Errorf("%d requests, %+v", requests, err)
	}
	// A permission that is given may need another token.
	s.serve = serveEmptyPages
	if err := page(c); err != nil || s.asked() != 2 {
		t.Errorf("%v, asked for %d tokens", err, s.asked())
	}
}

func TestTokenAnswersThatAreNone(t *testing.T) {
	const mark = "hidden-token"
	for _, body := range []string{
		"", "<html>", `{}`, `{"access_token":""}`, `{"access_token":7,"x":"` + mark + `"}`, `{"access_token":"` + mark + `\r\nX-Evil: 1"}`,
		`{"access_token":"` + mark + ` é"}`, `{"access_token":"` + strings.Repeat(mark, 2000) + `"}`, `{"access_token":"` + mark,
		strings.Repeat(" ", maxTokenAnswer) + `{"access_token":"` + mark + `"}`,
	} {
		s := &tokenService{t: t, serve: serveEmptyPages}
		s.give = func(r *http.Request, _ string) (*http.Response, error) { return answering(200, body)(r) }
		var nonsense *ResponseError
		if err := page(newTokenClient(t, s, nil)); !errors.As(err, &nonsense) || strings.Contains(err.Error(), mark) {
			t.Errorf("%.80s: got %v", body, err)
		}
	}
}

func TestTokensAndSecretsStayWhereTheyBelong(t *testing.T) {
	s := &tokenService{t: t} // which checks the host of each request
	check := func(err error) {
		t.Helper()
		if err == nil {
			t.Fatal("no error")
		}
		for _, secret := range []string{"token-1", "token-2", "client/secret+", `client\/secret+`, "client%2Fsecret%2B", "secret"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q holds %q", err, secret)
			}
		}
	}
	// What the service repeats of them is taken out.
	echo := `client/secret+ client\/secret+ client%2Fsecret%2B token-1`
	s.serve = func(r *http.Request, _ string) (*http.Response, error) { return answering(200, echo)(r) }
	c := newTokenClient(t, s, nil)
	check(page(c))
	s.serve = func(*http.Request, string) (*http.Response, error) { return nil, errors.New(echo) }
	check(page(c))
	s.serve = func(r *http.Request, _ string) (*http.Response, error) {
		return answering(401, `{"fail":[{"code":"client/secret+","message":"client\/secret+ token-1 token-2"}]}`, "X-Request-Id", "token-1")(r)
	}
	check(page(c))
	// Redirects are not followed.
	s.give = func(r *http.Request, _ string) (*http.Response, error) {
		return answering(307, "", "Location", "https://evil.example.com/oauth/token")(r)
	}
	err := page(newTokenClient(t, s, nil))
	check(err)
	if !strings.Contains(err.Error(), "redirects are not followed") {
		t.Errorf("got %v", err)
	}
	// Nothing is printed.
	credentials := Credentials{"client-id", "client/secret+"}
	check(fmt.Errorf("%v %+v %#v %v %+v %#v", credentials, credentials, credentials, c.auth, struct{ A Auth }{c.auth}, c.auth))
	if got := c.auth.Redact("client-id"); got != "client-id" {
		t.Errorf("what is no secret became %q", got)
	}
}

func TestShapesOfRefusals(t *testing.T) {
	for _, test := range []struct{ body, code, message, field string }{
		{`{"fail":[{"code":"a","message":"b"}]}`, "a", "b", ""},
		{`{"meta":{"status":400},"data":[],"fail":[{"key":{"x":1},"errors":[{"code":"a","message":"b","field":"c","retryable":false}]}]}`, "a", "b", "c"},
		{`{"error":{"code":"Request Validation Failed","message":"b"}}`, "Request Validation Failed", "b", ""},
		{`{"errors":[{"code":"a","message":"b","field":"c"}]}`, "a", "b", "c"},
		{`{"errors":{"code":"a"}}`, "a", "", ""},
		{`{"error":"a","error_description":"b"}`, "a", "b", ""},
		{`{"fail":[],"errors":[],"error":{"code":"a"}}`, "a", "", ""},
		{"\ufeff" + `{"error":"a"}`, "a", "", ""},
		{`{"fail":"a"}`, "", "Bad Request", ""},
		{`{"error":null}`, "", "Bad Request", ""},
		{`<html>`, "", "Bad Request", ""},
		{`["a"]`, "", "Bad Request", ""},
	} {
		s := &tokenService{t: t}
		s.serve = func(r *http.Request, _ string) (*http.Response, error) {
			return answering(400, test.body, "X-Request-Id", "id-7 \x1b"+strings.Repeat("x", 100))(r)
		}
		err := page(newTokenClient(t, s, nil))
		var refusal *APIError
		if !errors.As(err, &refusal) || refusal.Code != test.code || refusal.Message != test.message || refusal.Field != test.field {
			t.Errorf("%s: got %v", test.body, err)
			continue
		}
		if !strings.Contains(err.Error(), "(request id id-7 xxx") || len(refusal.RequestID) > 80 {
			t.Errorf("request id %q, %v", refusal.RequestID, err)
		}
	}
}

func TestPassingTroubleOfAPI2(t *testing.T) {
	for _, status := range []int{429, 500, 502, 503, 509} {
		s := &tokenService{t: t}
		s.serve = func(r *http.Request, _ string) (*http.Response, error) {
			return refusing(status, "InvalidClientIdentifier")(r)
		}
		err := page(newTokenClient(t, s, nil))
		var refusal *APIError
		if !errors.As(err, &refusal) || !refusal.Retryable || IsAccessRefused(err) || refusal.Transient || refusal.Cause() != CauseUnknown || s.asked() != 1 {
			t.Errorf("%d: got %+v, %d tokens", status, err, s.asked())
		}
	}
}

func TestEachPathHasItsRateLimit(t *testing.T) {
	for _, header := range [][]string{{"X-Ratelimit-Reset", "60000"}, {"Retry-After", "60"}, {"X-Ratelimit-Remaining", "0", "X-Ratelimit-Reset", "60000"}} {
		synctest.Test(t, func(t *testing.T) {
			s := &tokenService{t: t}
			s.serve = func(r *http.Request, _ string) (*http.Response, error) {
				return answering(429, "", header...)(r)
			}
			c := newTokenClient(t, s, nil)
			began := time.Now()
			err := page(c)
			var refusal *APIError
			if !errors.As(err, &refusal) || !IsRateLimited(err) || refusal.Wait != time.Minute {
				t.Fatalf("got %v", err)
			}
			s.serve = serveEmptyPages
			other := Impersonation()
			other.Endpoint.Path = "/api/dlp/get-logs"
			if _, err := c.Page(t.Context(), other, PageRequest{}); err != nil || time.Since(began) > time.Second {
				t.Errorf("another path waited %v, %v", time.Since(began), err)
			}
			if err := page(c); err != nil || time.Since(began) < time.Minute {
				t.Errorf("the same path waited %v, %v", time.Since(began), err)
			}
		})
	}
}

func TestUserAgent(t *testing.T) {
	for given, want := range map[string]string{"": "fluent-bit-mimecast", "fluent-bit-mimecast/1.2": "fluent-bit-mimecast/1.2"} {
		var got []string
		via := transport(func(r *http.Request) (*http.Response, error) {
			got = append(got, r.Header.Get("User-Agent"))
			return answering(200, `{"access_token":"x","meta":{}}`)(r)
		})
		base, _ := url.Parse("https://api.services.mimecast.com")
		c, err := NewClient(Options{BaseURL: base, Transport: via, UserAgent: given, Auth: NewOAuth2(func() (Credentials, error) { return Credentials{}, nil })})
		if err != nil {
			t.Fatal(err)
		}
		if err := page(c); err != nil || !cmp.Equal(got, []string{want, want}) {
			t.Errorf("%v, got %q", err, got)
		}
	}
}

func TestATokenThatIsRenewedIsUsedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tokenService{t: t, serve: serveEmptyPages}
		c := newTokenClient(t, s, nil)
		if err := page(c); err != nil {
			t.Fatal(err)
		}
		s.give = func(r *http.Request, token string) (*http.Response, error) {
			time.Sleep(5 * time.Second)
			return answering(200, `{"access_token":"`+token+`"}`)(r)
		}
		time.Sleep(1740 * time.Second)
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			if err := page(c); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if err := page(c); err != nil || time.Since(began) != 0 || s.asked() != 2 {
			t.Errorf("%v after %v, asked for %d tokens", err, time.Since(began), s.asked())
		}
		all.Wait()
	})
}

func TestAStreakHasACountAndATime(t *testing.T) {
	var s streak
	at := time.Now()
	for i, step := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {time.Hour, false}, {0, true}} {
		at = at.Add(step.after)
		if got := s.lasting(at); got != step.want {
			t.Errorf("refusal %d: lasting %v", i, got)
		}
	}
	s.end()
	for i, want := range []bool{false, false, false, true} {
		if got := s.lasting(at.Add(time.Duration(i) * 20 * time.Second)); got != want {
			t.Errorf("refusal %d of another streak: lasting %v", i, got)
		}
	}
}
