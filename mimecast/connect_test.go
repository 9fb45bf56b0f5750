package mimecast

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func connecting(t *testing.T, base, proxy string) *Client {
	t.Helper()
	o := Options{Auth: NewHMAC(func() (Keys, error) { return Keys{}, nil }), Timeout: 5 * time.Second, Insecure: true}
	o.BaseURL, _ = url.Parse(base)
	if proxy != "" {
		o.ProxyURL, _ = url.Parse(proxy)
	}
	c, err := NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestConnect(t *testing.T) {
	var asked *http.Request
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusNotFound)
	})
	server := httptest.NewTLSServer(answer)
	defer server.Close()
	c := connecting(t, server.URL, "")
	state, err := c.Connect(t.Context())
	if err != nil || state == nil || len(state.PeerCertificates) == 0 {
		t.Fatalf("%v, %v", state, err)
	}
	if asked.Method != http.MethodHead || asked.URL.Path != "/" || asked.Header.Get("Authorization") != "" {
		t.Errorf("asked %s %s %v", asked.Method, asked.URL, asked.Header)
	}
	if offset, known := c.ClockOffset(); !known || (offset-time.Hour).Abs() > 5*time.Second {
		t.Errorf("clock %s, %v", offset, known)
	}
	if proxy, err := c.Proxy(); proxy != nil || err != nil {
		t.Errorf("proxy %v, %v", proxy, err)
	}
}

func TestConnectFails(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer refusing.Close()
	proxy := strings.Replace(refusing.URL, "http://", "http://user:password@", 1)
	c := connecting(t, "https://api.example.com", proxy)
	var refused *ProxyError
	if _, err := c.Connect(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusProxyAuthRequired {
		t.Errorf("the proxy refuses: %v", err)
	}
	if u, err := c.Proxy(); err != nil || u.String() != refusing.URL {
		t.Errorf("proxy %v, %v", u, err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	var network *net.OpError
	if _, err := connecting(t, gone.URL, "").Connect(t.Context()); !errors.As(err, &network) {
		t.Errorf("nobody listens: %v", err)
	}
}
