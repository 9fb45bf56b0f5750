package config

import (
	"net"
	"net/url"
	"strings"

	"fluent-bit-mimecast/mimecast"
)

// Parse reads a block. get returns the value of a key, empty when it is not
// set. The error, if any, is an *Error that names every problem at once.
func Parse(get func(key string) string) (Config, error) {
	var (
		s settings
		p parser
	)
	for _, o := range s.options() {
		value := strings.TrimSpace(get(o.Key))
		if value == "" {
			value = o.Default
		}
		o.set(&p, o.Key, value)
	}
	// What takes more than one option.
	c := &s.config
	c.BaseURL = p.baseURL(s.base, s.region)
	c.Auth, c.AppID = s.keys.check(&p)
	if c.Account == "" {
		c.Account = c.AppID
	}
	if c.Filter.SearchField != "" && c.Filter.Query == "" {
		p.problem("query", "missing; search_field needs the text to look for")
	}
	if len(p.problems) > 0 {
		return Config{}, &Error{p.problems}
	}
	c.Warnings = p.warnings
	return *c, nil
}

// baseURL returns the base URL that base_url or region names.
func (p *parser) baseURL(base, region string) *url.URL {
	switch {
	case base != "" && region != "":
		p.problem("base_url", "set together with region; set only one of them")
		return nil
	case base == "" && region == "":
		p.problem("base_url", "missing; set base_url, or region (%s)", strings.Join(mimecast.RegionNames(), ", "))
		return nil
	case region != "":
		base = mimecast.Regions()[region]
	}
	if base == "" {
		return nil // the region is none, which is a problem of its own
	}
	return p.checkBaseURL(base)
}

func (p *parser) checkBaseURL(base string) *url.URL {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") {
		p.problem("base_url", "%s is not a URL like https://eu-api.mimecast.com", quote(redactURL(base)))
		return nil
	}
	if u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		p.problem("base_url", "%s has more than a scheme and a host", quote(redactURL(base)))
		return nil
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		p.problem("base_url", "%s is not encrypted; http is accepted for loopback addresses only, use https", quote(base))
		return nil
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(withoutDefaultPort(u))}
}

// withoutDefaultPort is a URL's host, spelled the same with and without the port
// that its scheme stands for.
func withoutDefaultPort(u *url.URL) string {
	host := strings.TrimSuffix(u.Host, ":")
	if port := map[string]string{"https": "443", "http": "80"}[u.Scheme]; u.Port() == port {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return host
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback())
}
