package mimecast

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// maxHeader bounds the headers of an answer.
const maxHeader = 256 << 10

func newTransport(o Options) (*http.Transport, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure} //nolint:gosec // switched off by name only
	if o.CAPEM != nil {
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(o.CAPEM) {
			return nil, errors.New("no certificate in the given authorities")
		}
	}
	proxy := http.ProxyFromEnvironment
	if o.ProxyURL != nil {
		proxy = http.ProxyURL(o.ProxyURL)
	} else if err := checkEnvironment(o.BaseURL.Scheme); err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                  proxy,
		OnProxyConnectResponse: proxyAnswer,
		DialContext:            (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    o.Timeout,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
		// Batches are compressed already, and a body that was cut short shows
		// best when its length is the sender's.
		DisableCompression: true,
	}, nil
}

// checkEnvironment returns an error if the environment's proxy for a scheme can't
// be read: http.ProxyFromEnvironment passes it over, and requests would go
// without one.
func checkEnvironment(scheme string) error {
	upper := strings.ToUpper(scheme) + "_PROXY"
	for _, name := range []string{upper, strings.ToLower(upper)} {
		v := os.Getenv(name)
		if v == "" {
			continue
		}
		if !strings.Contains(v, "://") {
			v = "http://" + v // a host alone will do
		}
		u, err := url.Parse(v)
		if err != nil || u.Host == "" {
			return fmt.Errorf("%s in the environment is not a URL like http://proxy.example.com:3128 (value not shown): correct it or unset it", name)
		}
		return nil
	}
	return nil
}

// proxyAnswer turns a refusal by the proxy into an error. The transport's own is
// the proxy's text, which may hold anything, also the password that it got.
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return &ProxyError{resp.StatusCode}
	}
	return nil
}

// noRedirect is the CheckRedirect of all clients: a redirect would carry what
// authorizes a request elsewhere.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// withoutURL drops the method and URL that net/http puts before its errors.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
