package mimecast

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Defaults of options.
const (
	defaultTimeout   = time.Minute
	defaultUserAgent = "fluent-bit-mimecast"
)

// Options make up a client. BaseURL and Auth are needed; the zero value of each
// other option is the usual choice.
type Options struct {
	BaseURL *url.URL // http or https, and a host; nothing else. See [Regions]
	Auth    Auth     // of all requests; see [HMAC] and [OAuth2]
	// Timeout bounds the wait for a connection, for an answer to begin and
	// for its next bytes; 0: 60 s.
	Timeout  time.Duration
	ProxyURL *url.URL // nil: the environment decides, by HTTPS_PROXY and NO_PROXY
	CAPEM    []byte   // nil: the system's certificate authorities; for links it is added to them
	Insecure bool     // accept any certificate
	// UserAgent is the header of that name in each request; empty:
	// fluent-bit-mimecast.
	UserAgent string
	// OnRateLimit is called before requests wait because the service's rate
	// limit is used up, once for each wait, however many wait together. It is
	// called by a goroutine that makes a request, which it holds up.
	OnRateLimit func(wait time.Duration) // nil: nothing is called
	// LinkAllow are addresses that links to log files may lead to besides public
	// ones, for private connections to the store. Loopback, link-local and the
	// metadata services of clouds stay refused.
	LinkAllow []netip.Prefix
	// Transport replaces the network, in tests; nil: the network.
	Transport http.RoundTripper
}

// check sets defaults and returns an error if a client can't be made of o.
func (o *Options) check() error {
	u := o.BaseURL
	switch {
	case u == nil:
		return errors.New("mimecast: Options.BaseURL is missing")
	case (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "":
		return errors.New("mimecast: Options.BaseURL is not a URL like https://eu-api.mimecast.com")
	case u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("mimecast: Options.BaseURL has more than a scheme and a host")
	case o.Auth == nil:
		return errors.New("mimecast: Options.Auth is missing")
	case o.Timeout < 0:
		return errors.New("mimecast: Options.Timeout is negative")
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.UserAgent == "" {
		o.UserAgent = defaultUserAgent
	}
	return nil
}
