package mimecast

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
)

// Proxy returns the proxy that requests to the service go through, without its
// credentials; nil when there is none.
func (c *Client) Proxy() (*url.URL, error) {
	t, ok := c.http.Transport.(*http.Transport)
	if !ok || t.Proxy == nil {
		return nil, nil
	}
	u, err := t.Proxy(&http.Request{URL: c.base})
	if err != nil || u == nil {
		return nil, err
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// Connect finds out whether the service can be reached: it makes a request that is
// not authorized and asks for nothing. It returns the state of TLS, nil without
// TLS. After it, ClockOffset is known. Any answer of the service's will do. The
// error is the network's, the context's or a *ProxyError.
func (c *Client) Connect(ctx context.Context) (*tls.ConnectionState, error) {
	ctx, stop := watch(ctx, c.timeout)
	defer stop.cancel()
	target := *c.base
	target.Path = "/"
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, target.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.userAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		err = stop.explain(ctx, withoutURL(err))
		return nil, fmt.Errorf("connecting: %w", &cleanError{clean(err.Error()), err})
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusProxyAuthRequired {
		return nil, &ProxyError{resp.StatusCode}
	}
	c.observe(target.Path, resp)
	return resp.TLS, nil
}

// Authenticate gets a token where the service gives some, and does nothing with API
// 1.0, where each request carries its own signature. It returns an *APIError when the
// service refuses the credentials.
func (c *Client) Authenticate(ctx context.Context) error { return c.renew(ctx, call{}) }
