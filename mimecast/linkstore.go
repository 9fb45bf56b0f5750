package mimecast

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// linkStore makes the requests for files.
type linkStore struct {
	addresses linkAddresses
	proxy     func(*http.Request) (*url.URL, error)
	direct    *http.Client // connects to the addresses of links alone
	proxied   *http.Client // connects to the proxy alone
}

// newLinkStore makes one that reaches the network like api does.
func newLinkStore(o Options, api http.RoundTripper) (*linkStore, error) {
	s := &linkStore{
		addresses: linkAddresses{loopback: isLoopbackHost(o.BaseURL.Hostname()), allow: o.LinkAllow},
		proxy:     func(*http.Request) (*url.URL, error) { return nil, nil },
		direct:    &http.Client{Transport: api, CheckRedirect: noRedirect},
	}
	t, ok := api.(*http.Transport)
	if !ok || o.Transport != nil {
		s.proxied = s.direct
		return s, nil
	}
	t = t.Clone()
	if o.CAPEM != nil {
		// The store is not the service: the certificates of both must do.
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("reading the system's certificate authorities: %w", err)
		}
		pool.AppendCertsFromPEM(o.CAPEM)
		t.TLSClientConfig.RootCAs = pool
	}
	s.proxy = t.Proxy
	s.proxied = &http.Client{Transport: t, CheckRedirect: noRedirect}
	t = t.Clone()
	t.Proxy = nil
	t.DialContext = (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second, Control: s.addresses.control}).DialContext
	s.direct = &http.Client{Transport: t, CheckRedirect: noRedirect}
	return s, nil
}

// client returns what makes the request for a URL, or an error if it must not be
// made.
func (s *linkStore) client(u *url.URL) (*http.Client, error) {
	near := s.addresses.loopback && isLoopbackHost(u.Hostname())
	switch {
	case u.Hostname() == "":
		return nil, errors.New("its link has no host")
	case u.Scheme != "https" && (u.Scheme != "http" || !near):
		return nil, errors.New("its link is not https")
	case u.User != nil:
		return nil, errors.New("its link has a user name")
	}
	proxy, err := s.proxy(&http.Request{URL: u})
	switch {
	case err != nil:
		return nil, errors.New("the proxy in the environment can't be read") // it may hold a password
	case proxy == nil:
		return s.direct, nil
	case !near && !isPublicName(u.Hostname()):
		return nil, errors.New("its link has an address or an internal name, which no proxy is asked for")
	}
	return s.proxied, nil
}

func (s *linkStore) close() {
	s.direct.CloseIdleConnections()
	s.proxied.CloseIdleConnections()
}
