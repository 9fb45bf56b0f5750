package mimecast

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// linkClient makes a client of a service at base that gets files from the network.
func linkClient(t *testing.T, base string, change func(*Options)) *Client {
	t.Helper()
	o := Options{
		BaseURL: parsedURL(t, base), Timeout: 10 * time.Second,
		Auth: NewOAuth2(func() (Credentials, error) { return Credentials{"client-id", "client-secret"}, nil }),
	}
	if change != nil {
		change(&o)
	}
	c, err := NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// fetch reads the file that a URL leads to.
func fetch(c *Client, u string) (string, error) {
	body, err := c.OpenLink(context.Background(), SIEMLink{URL: u})
	if err != nil {
		return "", err
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	return string(b), err
}

// withoutProxies keeps the proxies of the environment out of a test.
func withoutProxies(t *testing.T) {
	t.Helper()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		t.Setenv(name, "")
	}
}

func TestAFileComesAsItIsStored(t *testing.T) {
	var got *http.Request
	content := gzipped(`{"a":1}`)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		if r.URL.Path == "/encoded" {
			w.Header().Set("Content-Encoding", "gzip")
		}
		if r.URL.Path != "/empty" {
			_, _ = io.WriteString(w, content)
		}
	}))
	defer store.Close()
	c := linkClient(t, store.URL, nil)
	for path, want := range map[string]string{"/plain?X-Amz-Signature=s%2F": content, "/encoded": content, "/empty": ""} {
		if text, err := fetch(c, store.URL+path); err != nil || text != want {
			t.Errorf("%s: got %q, %v", path, text, err)
		}
		for _, name := range []string{"Authorization", "Cookie", "Accept-Encoding", "Referer"} {
			if v, ok := got.Header[name]; ok {
				t.Errorf("%s: sent %s %q", path, name, v)
			}
		}
		if got.Method != http.MethodGet || got.RequestURI != path || got.UserAgent() != defaultUserAgent {
			t.Errorf("got %s %s by %s", got.Method, got.RequestURI, got.UserAgent())
		}
	}
}

func TestLinksThatAreRefused(t *testing.T) {
	var status atomic.Int32
	body := ""
	hits := 0
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits++
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, body)
	}))
	defer store.Close()
	c := linkClient(t, store.URL, nil)
	for _, test := range []struct {
		status int
		body   string
		gone   bool
		code   string
	}{
		{403, "<?xml?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", true, "AccessDenied"},
		{403, "", true, ""},
		{404, "<Error><Code>NoSuchKey</Code>", true, "NoSuchKey"},
		{410, "", true, ""},
		{400, "<Error><Code>ExpiredToken</Code>", true, "ExpiredToken"},
		{400, "<Error><Code>hidden hidden</Code>", false, ""},
		{500, "", false, ""},
		{503, "<Error><Code>SlowDown</Code>", false, "SlowDown"},
		{302, "", false, ""},
		{206, "", false, ""},
	} {
		status.Store(int32(test.status))
		body, hits = test.body, 0
		_, err := fetch(c, store.URL+"/a.json.gz?signature=hidden")
		var refusal *LinkError
		if !errors.As(err, &refusal) || refusal.Status != test.status || refusal.Code != test.code || IsLinkGone(err) != test.gone || IsAccessRefused(err) ||
			refusal.Path != "/a.json.gz" || strings.Contains(err.Error(), "hidden") || hits != 1 {
			t.Errorf("%d %s: got %v, gone %v, after %d requests", test.status, test.body, err, IsLinkGone(err), hits)
		}
	}
	// What is no answer at all is no file that is gone.
	store.Close()
	if _, err := fetch(c, store.URL+"/a?signature=hidden"); err == nil || IsLinkGone(err) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}

// TestLinksToThisMachine has the dialer refuse them where the API is elsewhere,
// by address and by a name that resolves to one.
func TestLinksToThisMachine(t *testing.T) {
	withoutProxies(t)
	hits := 0
	store := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer store.Close()
	port := parsedURL(t, store.URL).Port()
	c := linkClient(t, "https://api.services.mimecast.com", func(o *Options) {
		o.Insecure = true
		o.LinkAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	})
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"} {
		_, err := fetch(c, "https://"+net.JoinHostPort(strings.Trim(host, "[]"), port)+"/a?signature=hidden")
		var address *AddressError
		if !errors.As(err, &address) || IsLinkGone(err) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got %v", host, err)
		}
	}
	if hits != 0 {
		t.Errorf("%d requests came", hits)
	}
	near := linkClient(t, "https://localhost:"+port, func(o *Options) { o.Insecure = true })
	if _, err := fetch(near, store.URL); err != nil || hits != 1 {
		t.Errorf("where the API is too: %v, %d requests", err, hits)
	}
}

func TestLinksThatAreNotAskedFor(t *testing.T) {
	withoutProxies(t)
	far, near := linkClient(t, "https://api.services.mimecast.com", nil), linkClient(t, "http://127.0.0.1:1", nil)
	for _, u := range []string{
		"", "://", "https://", "https:///a", "ftp://store.example.com/a", "file:///etc/passwd", "http://store.example.com/a", "HTTP://store.example.com/a",
		"https://user:hidden@store.example.com/a", "https://store.example.com/%zz?hidden",
	} {
		for _, c := range []*Client{far, near} {
			var refusal *LinkError
			if _, err := fetch(c, u); !errors.As(err, &refusal) || refusal.Status != 0 || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "refused") {
				t.Errorf("%s: got %v", u, err)
			}
		}
	}
	if _, err := fetch(far, "http://127.0.0.1:1/a"); err == nil || !strings.Contains(err.Error(), "not https") {
		t.Errorf("got %v", err)
	}
}

func TestAddressesOfLinks(t *testing.T) {
	check := func(a linkAddresses, taken bool, addresses ...string) {
		t.Helper()
		for _, text := range addresses {
			err := a.control("tcp", netip.AddrPortFrom(netip.MustParseAddr(text), 443).String(), nil)
			var refused *AddressError
			if (err == nil) != taken || (err != nil && !errors.As(err, &refused)) {
				t.Errorf("%s: got %v, want taken %v", text, err, taken)
			}
		}
	}
	private := []string{
		"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "198.18.0.1", "192.0.2.1", "240.0.0.1",
		"fc00::1", "fd12::1", "2001:db8::1", "2002:a00:1::1", "2001:0:1::1", "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "4000::1", "9::1",
	}
	never := []string{
		"169.254.169.254", "169.254.170.2", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200",
		"168.63.129.16", "192.0.0.192", "0.0.0.0", "::", "fe80::1", "fe80::1%eth0", "224.0.0.1", "ff02::1", "255.255.255.255",
	}
	loopback := []string{"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"}
	public := []string{"1.1.1.1", "52.216.0.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2600:1f18::1", "64:ff9b::101:101", "::ffff:1.1.1.1"}
	everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

	check(linkAddresses{}, true, public...)
	check(linkAddresses{}, false, private...)
	check(linkAddresses{}, false, never...)
	check(linkAddresses{}, false, loopback...)
	check(linkAddresses{loopback: true}, true, loopback...)
	check(linkAddresses{loopback: true}, false, never...)
	check(linkAddresses{loopback: true}, false, private...)
	check(linkAddresses{allow: everything}, true, private...)
	check(linkAddresses{allow: everything}, true, public...)
	check(linkAddresses{allow: everything, loopback: true}, false, never...)
	check(linkAddresses{allow: everything}, false, loopback...)
	some := linkAddresses{allow: []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10")}}
	check(some, true, "100.64.0.1", "::ffff:100.64.0.1", "64:ff9b::6440:1")
	check(some, false, "10.0.0.1", "100.100.100.200")
	if err := some.control("unix", "/run/socket", nil); err == nil {
		t.Error("what is no address is taken")
	}
}

func TestLinksThroughAProxy(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Authorization") != "" {
			t.Errorf("got %s with %v", r.Method, r.Header)
		}
		asked = append(asked, r.Host)
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	// Its own address is loopback, which links may not lead to.
	c := linkClient(t, "https://api.services.mimecast.com", func(o *Options) { o.ProxyURL = parsedURL(t, proxy.URL) })
	var refusal *ProxyError
	if _, err := fetch(c, "https://bucket.s3.amazonaws.com/a?signature=hidden"); !errors.As(err, &refusal) || IsLinkGone(err) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
	if len(asked) != 1 || asked[0] != "bucket.s3.amazonaws.com:443" {
		t.Errorf("the proxy was asked for %q", asked)
	}
	for _, host := range []string{
		"1.1.1.1", "[2600:1f18::1]", "[::1]", "127.0.0.1", "169.254.169.254", "2130706433", "0x7f000001", "127.1", "0x7f.1", "1.1.1.1.",
		"localhost", "LOCALHOST.", "store", "store.", "store.local", "Metadata.Google.Internal", "a.localhost", "１.１.１.１", "store。local", "store..",
	} {
		if _, err := fetch(c, "https://"+host+"/a"); err == nil || !strings.Contains(err.Error(), "which no proxy is asked for") {
			t.Errorf("%s: got %v", host, err)
		}
	}
	if len(asked) != 1 {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

func TestTheStoreMayHaveTheSystemsAuthoritiesAndItsOwn(t *testing.T) {
	withoutProxies(t)
	store := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }))
	defer store.Close()
	var ca bytes.Buffer
	_ = pem.Encode(&ca, &pem.Block{Type: "CERTIFICATE", Bytes: store.Certificate().Raw})
	c := linkClient(t, store.URL, func(o *Options) { o.CAPEM = ca.Bytes() })
	if text, err := fetch(c, store.URL); err != nil || text != "x" {
		t.Errorf("got %q, %v", text, err)
	}
	want, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	want.AppendCertsFromPEM(ca.Bytes())
	for _, via := range []*http.Client{c.links.direct, c.links.proxied} {
		if !want.Equal(via.Transport.(*http.Transport).TLSClientConfig.RootCAs) {
			t.Error("other authorities than the system's and the given")
		}
	}
	if want.Equal(c.http.Transport.(*http.Transport).TLSClientConfig.RootCAs) {
		t.Error("the API has the system's authorities too")
	}
}

func TestFilesThatAreTooLargeStallOrAreCutShort(t *testing.T) {
	answer := func(body io.Reader) *Client {
		return newTokenClient(t, transport(func(r *http.Request) (*http.Response, error) {
			resp, _ := answering(200, "")(r)
			if body == nil {
				resp.Body = &slowBody{r.Context(), time.Hour}
			} else {
				resp.Body = io.NopCloser(body)
			}
			return resp, nil
		}), nil)
	}
	body := &linkBody{ReadCloser: io.NopCloser(strings.NewReader("four")), left: 4, failed: func(err error) error { return err }}
	if b, err := io.ReadAll(body); err != nil || string(b) != "four" {
		t.Errorf("as large as may be: %q, %v", b, err)
	}
	body = &linkBody{ReadCloser: io.NopCloser(strings.NewReader("fives")), left: 4, failed: func(err error) error { return err }}
	if b, err := io.ReadAll(body); err == nil || !strings.Contains(err.Error(), "larger than 4 GiB") {
		t.Errorf("larger: %q, %v", b, err)
	}
	var failure *LinkError
	if _, err := fetch(answer(io.MultiReader(strings.NewReader("x"), &brokenReader{})), "https://s.example.com/a?hidden"); !errors.As(err, &failure) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut short: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := fetch(answer(nil), "https://s.example.com/a?hidden")
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "nothing came for 10s") || took != 10*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

// brokenReader is a connection that ends too early.
type brokenReader struct{}

func (*brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAProxyOfTheEnvironmentThatLinksCantUse(t *testing.T) {
	s := &linkStore{proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("invalid proxy hidden") }}
	if _, err := s.client(parsedURL(t, "https://s.example.com/a")); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}
