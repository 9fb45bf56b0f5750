package mimecast

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fluent-bit-mimecast/internal/simulator"
)

// simulated returns a client of a simulator, without a network between them.
func simulated(t *testing.T, cfg simulator.Config) (*Client, *simulator.Server) {
	t.Helper()
	sim, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	via := transport(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		sim.ServeHTTP(w, r)
		return w.Result(), nil
	})
	base, _ := url.Parse("https://eu-api.mimecast.com")
	c, err := NewClient(Options{BaseURL: base, Timeout: time.Minute, Transport: via, Auth: NewHMAC(func() (Keys, error) {
		k := sim.Credentials()
		return Keys{k.AppID, k.AppKey, k.AccessKey, k.SecretKey}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	return c, sim
}

func TestFollowsTheTokens(t *testing.T) {
	c, sim := simulated(t, simulator.Config{})
	sim.AddBatch(100)
	sim.AddBatch(100)
	token := ""
	for i := range 2 {
		first, batch, err := siem(c, token)
		if err != nil || batch == nil {
			t.Fatalf("batch %d: %v, %v", i, batch, err)
		}
		again, _, err := siem(c, token)
		if err != nil || first != again {
			t.Errorf("batch %d: not the same for the same token: %v", i, err)
		}
		token = batch.NextToken
	}
	if _, batch, err := siem(c, token); batch != nil || err != nil {
		t.Errorf("got %v, %v, want nothing new", batch, err)
	}
	if _, _, err := siem(c, "no token of theirs"); !IsInvalidToken(err) {
		t.Errorf("got %v, want an invalid token", err)
	}
}

func TestReadsPages(t *testing.T) {
	c, sim := simulated(t, simulator.Config{})
	start := time.Now().Add(-time.Hour).Truncate(time.Second)
	sim.AddEvents(250, start, 3)
	r := PageRequest{From: start, To: time.Now(), Size: 100}
	seen := map[string]bool{}
	for pages := 1; ; pages++ {
		page, err := c.Page(context.Background(), Impersonation(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if e.Time.IsZero() || seen[e.ID] {
				t.Errorf("event %q: time %v, seen %v", e.ID, e.Time, seen[e.ID])
			}
			seen[e.ID] = true
		}
		if r.Token = page.Next; r.Token == "" {
			if pages != 3 || len(seen) != 250 {
				t.Errorf("%d events on %d pages", len(seen), pages)
			}
			return
		}
	}
}

func TestAPageOfACustomer(t *testing.T) {
	c, sim := simulated(t, simulator.Config{AccountCode: "C1A1"})
	sim.AddEvents(10, time.Now().Add(-time.Hour), 1)
	r := PageRequest{From: time.Now().Add(-2 * time.Hour), To: time.Now(), Size: 5, AccountCode: "C1A1"}
	for range 2 {
		page, err := c.Page(t.Context(), Impersonation(), r)
		if err != nil || len(page.Events) != 5 {
			t.Fatalf("%d events, %v", len(page.Events), err)
		}
		r.Token = page.Next
	}
	for _, other := range []string{"", "C2A2"} {
		r.AccountCode, r.Token = other, ""
		if _, err := c.Page(t.Context(), Impersonation(), r); !errors.As(err, new(*APIError)) {
			t.Errorf("%q: %v, want a refusal", other, err)
		}
	}
}

func TestKeysAreReadAgainAfterARefusal(t *testing.T) {
	c, sim := simulated(t, simulator.Config{})
	if _, _, err := siem(c, ""); err != nil {
		t.Fatal(err)
	}
	keys := sim.Credentials()
	keys.AccessKey, keys.SecretKey = "another-access-key", "YW5vdGhlci1zZWNyZXQ="
	if err := sim.SetCredentials(keys); err != nil {
		t.Fatal(err)
	}
	_, _, err := siem(c, "")
	var refusal *APIError
	if !errors.As(err, &refusal) || !IsAccessRefused(err) || !refusal.Retryable {
		t.Fatalf("got %v, want a refusal of the old keys that is worth another try", err)
	}
	if _, _, err := siem(c, ""); err != nil {
		t.Errorf("with the new keys: %v", err)
	}
}

func TestAClockThatIsOffCostsOneRefusal(t *testing.T) {
	for _, offset := range []time.Duration{time.Hour, -25 * time.Hour} {
		c, sim := simulated(t, simulator.Config{DateOffset: offset})
		sim.AddBatch(10)
		_, _, err := siem(c, "")
		var refusal *APIError
		if !errors.As(err, &refusal) || !refusal.Retryable {
			t.Errorf("%v: got %v, want a refusal that is worth another try", offset, err)
		}
		if _, batch, err := siem(c, ""); err != nil || batch == nil {
			t.Errorf("%v: second try: %v, %v", offset, batch, err)
		}
		if got, known := c.ClockOffset(); !known || (got-offset).Abs() > 2*time.Second {
			t.Errorf("%v: offset %v, %v", offset, got, known)
		}
	}
}

func TestWaitsForTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulated(t, simulator.Config{RateLimit: 3, RateWindow: 5 * time.Second})
		sim.AddBatch(10)
		began := time.Now()
		for range 7 {
			if _, _, err := siem(c, ""); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
		}
		if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("7 requests at 3 in 5 s took %v", took)
		}
	})
}

func TestTellsOfEachWaitForTheRateLimitOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, limit := time.Now(), "X-Ratelimit-Remaining"
		var requests atomic.Int32
		c := newTestClient(t, transport(func(r *http.Request) (*http.Response, error) {
			if requests.Add(1)%4 != 1 {
				return answering(200, nothingNew, limit, "9")(r)
			}
			// The limit is renewed on each tenth minute.
			left := 10*time.Minute - time.Since(began)%(10*time.Minute)
			return answering(200, nothingNew, limit, "0", "X-Ratelimit-Reset", strconv.FormatInt(left.Milliseconds(), 10))(r)
		}))
		var told []time.Duration
		c.onRateLimit = func(wait time.Duration) { told = append(told, wait) }
		for range 3 {
			if _, _, err := siem(c, ""); err != nil {
				t.Fatal(err)
			}
			var others sync.WaitGroup
			for range 3 {
				others.Go(func() { _, _, _ = siem(c, "") })
			}
			others.Wait()
			time.Sleep(9 * time.Minute) // the next wait is a shorter one
		}
		want := []time.Duration{10 * time.Minute, time.Minute, time.Minute}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestHasARateOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, answering(200, nothingNew))
		began := time.Now()
		for range requestBurst + 10*requestsPerSecond {
			if _, _, err := siem(c, ""); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 9*time.Second {
			t.Errorf("that many requests took %v only", took)
		}
	})
}

// slowBody gives a byte at a time, or hangs, until its request ends.
type slowBody struct {
	ctx   context.Context
	every time.Duration
}

func (b *slowBody) Read(p []byte) (int, error) {
	t := time.NewTimer(b.every)
	defer t.Stop()
	select {
	case <-t.C:
		p[0] = 'x'
		return 1, nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

func (b *slowBody) Close() error { return nil }

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := newTestClient(t, transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		check := func(c *Client, atLeast, atMost time.Duration, text string) {
			t.Helper()
			began := time.Now()
			_, _, err := siem(c, "")
			if took := time.Since(began); err == nil || !strings.Contains(err.Error(), text) || took < atLeast || took > atMost {
				t.Errorf("got %v after %v", err, took)
			}
		}
		check(hang, 10*time.Second, 31*time.Second, "nothing came for 10s")
		slow := func(every time.Duration) *Client {
			return newTestClient(t, transport(func(r *http.Request) (*http.Response, error) {
				resp, _ := answering(200, "", "Content-Type", "application/octet-stream", "Mc-Siem-Token", "n")(r)
				resp.Body = &slowBody{r.Context(), every}
				return resp, nil
			}))
		}
		check(slow(time.Hour), 10*time.Second, 11*time.Second, "nothing came for 10s")
		check(slow(9*time.Second), 300*time.Second, 310*time.Second, "longer than 5m0s")

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := hang.SIEMLogs(ctx, SIEMRequest{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that ends: %v", err)
		}
	})
}

func TestABodyCutShortIsAnError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("Mc-Siem-Token", "n")
		_, _ = w.Write([]byte("PK\x03\x04"))
	}))
	defer server.Close()
	c := newTestClient(t, http.DefaultTransport)
	c.base, _ = url.Parse(server.URL)
	if content, _, err := siem(c, ""); err == nil {
		t.Errorf("got %q", content)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	hits := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	c := newTestClient(t, http.DefaultTransport)
	c.base, _ = url.Parse(server.URL)
	if _, _, err := siem(c, ""); err == nil || !strings.Contains(err.Error(), "redirects are not followed") || hits != 1 {
		t.Errorf("got %v after %d requests", err, hits)
	}
}

func TestTLSIsVerified(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, nothingNew)
	}))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	base, _ := url.Parse(server.URL)
	try := func(ca []byte, insecure bool) error {
		c, err := NewClient(Options{
			BaseURL: base, Timeout: 5 * time.Second, CAPEM: ca, Insecure: insecure,
			Auth: testAuth(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _, err = siem(c, "")
		return err
	}
	var unknown *tls.CertificateVerificationError
	if err := try(nil, false); !errors.As(err, &unknown) {
		t.Errorf("an unknown authority: %v", err)
	}
	if err := try(nil, true); err != nil {
		t.Errorf("verification off: %v", err)
	}
	var ca bytes.Buffer
	_ = pem.Encode(&ca, &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := try(ca.Bytes(), false); err != nil {
		t.Errorf("its own authority: %v", err)
	}
	if _, err := NewClient(Options{
		BaseURL: base, CAPEM: []byte("no certificate"), Auth: testAuth(),
	}); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("authorities without a certificate: %v", err)
	}
}

func TestOptions(t *testing.T) {
	auth := testAuth()
	refused := func(o Options, want string) {
		t.Helper()
		if c, err := NewClient(o); err == nil || c != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	base, _ := url.Parse("https://eu-api.mimecast.com/")
	refused(Options{}, "BaseURL")
	refused(Options{Auth: auth}, "BaseURL")
	refused(Options{BaseURL: base}, "Auth")
	refused(Options{BaseURL: base, Auth: auth, Timeout: -time.Second}, "Timeout")
	for _, text := range []string{
		"https://", "https:eu-api.mimecast.com", "https://:443", "eu-api.mimecast.com", "//eu-api.mimecast.com", "ftp://eu-api.mimecast.com",
		"https://eu-api.mimecast.com/api", "https://eu-api.mimecast.com//", "https://eu-api.mimecast.com?", "https://eu-api.mimecast.com?q=hidden",
		"https://eu-api.mimecast.com#hidden", "https://user:hidden@eu-api.mimecast.com", "https://@eu-api.mimecast.com",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		refused(Options{BaseURL: u, Auth: auth}, "BaseURL")
	}
	// The zero values of all the rest do.
	var got string
	c, err := NewClient(Options{BaseURL: base, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.http.Transport = transport(func(r *http.Request) (*http.Response, error) {
		got = r.URL.String()
		return answering(200, nothingNew)(r)
	})
	if _, _, err := siem(c, ""); err != nil || got != "https://eu-api.mimecast.com"+SIEM().Path || c.timeout != time.Minute {
		t.Errorf("%v, asked %s, timeout %v", err, got, c.timeout)
	}
}

func TestAProxyOfTheEnvironmentThatIsNoURL(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		t.Setenv(name, "")
	}
	start := func(base string, proxy *url.URL) error {
		u, _ := url.Parse(base)
		c, err := NewClient(Options{
			BaseURL: u, ProxyURL: proxy, Timeout: time.Second,
			Auth: testAuth(),
		})
		if err == nil {
			c.Close()
		}
		return err
	}
	check := func(name, value, base string, taken bool) {
		t.Helper()
		t.Setenv(name, value)
		defer t.Setenv(name, "")
		if err := start(base, nil); (err == nil) != taken {
			t.Errorf("%s=%q for %s: %v", name, value, base, err)
		} else if !taken && (!strings.HasPrefix(err.Error(), name+" in the environment") || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%s=%q for %s: %v", name, value, base, err)
		}
	}
	const https, http = "https://eu-api.mimecast.com", "http://eu-api.mimecast.com"
	for _, bad := range []string{"http://user:hidden%ss@proxy:3128", " http://user:hidden@proxy:3128", "proxy:hidden", "http://proxy:3128hidden", "/hidden"} {
		check("HTTPS_PROXY", bad, https, false)
		check("https_proxy", bad, https, false)
		check("HTTP_PROXY", bad, http, false)
		check("http_proxy", bad, http, false)
		check("HTTP_PROXY", bad, https, true) // it is not for https
	}
	for _, good := range []string{"http://user:hidden@proxy:3128", "proxy:3128", "proxy", "socks5://proxy", "http://[::1]:3128"} {
		check("HTTPS_PROXY", good, https, true)
	}
	t.Setenv("https_proxy", "proxy:hidden")
	if err := start(https, &url.URL{Scheme: "http", Host: "proxy:3128"}); err != nil {
		t.Errorf("with a proxy that is given: %v", err)
	}
	t.Setenv("HTTPS_PROXY", "proxy:3128") // goes before the other
	if err := start(https, nil); err != nil {
		t.Error(err)
	}
}

func TestBackoff(t *testing.T) {
	check := func(err error, low, high time.Duration) {
		t.Helper()
		for failures := range 70 {
			b := Backoff{failures: failures}
			if wait := b.Next(err); wait < low || wait > high {
				t.Errorf("%v, failure %d: wait %v, want %v to %v", err, failures, wait, low, high)
			}
		}
	}
	check(errors.New("connection refused"), firstWait/2, longestWait)
	check(&APIError{Status: 500, Retryable: true}, firstWait/2, longestWait)
	check(&APIError{Status: 401}, firstSlowWait/2, longestSlowWait)
	check(&APIError{Status: 429, Retryable: true, Wait: 4 * time.Second}, 4*time.Second, 5*time.Second)
	check(&APIError{Status: 429, Retryable: true, Wait: 24 * time.Hour}, longestToldWait, longestToldWait+longestToldWait/10)
	check(&APIError{Status: 429}, firstWait/2, longestWait)
	check(&APIError{Status: 429, Code: codeInvalidSignature}, firstWait/2, longestWait)
	check(&APIError{Status: 503, Code: codeInvalidSignature}, firstWait/2, longestWait)
	check(&APIError{Status: 200, Code: codeInvalidSignature}, firstSlowWait/2, longestSlowWait)
	check(&APIError{Status: 503, Retryable: true, Wait: 2 * time.Minute}, 2*time.Minute, 3*time.Minute)

	var b Backoff
	var total time.Duration
	for range 6 {
		total += b.Next(errors.New("x"))
	}
	if total < 31*time.Second || total > 63*time.Second {
		t.Errorf("six failures in a row: %v", total)
	}
	b.Reset()
	if wait := b.Next(errors.New("x")); wait > firstWait {
		t.Errorf("after a success: %v", wait)
	}
}
