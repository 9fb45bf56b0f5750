package config

import (
	"net"
	"net/url"
	"reflect"
	"slices"
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
	given := map[string]bool{}
	for _, o := range s.options() {
		used, value := "", ""
		for _, key := range o.Keys() {
			switch v := strings.TrimSpace(get(key)); {
			case v != "" && used != "":
				p.problem(key, "set together with %s, which is the same option; set only %s", used, o.Key)
			case v != "":
				used, value = key, v
			}
		}
		if given[o.Key] = used != ""; used == "" {
			used, value = o.Key, o.Default
		}
		o.set(&p, used, value)
	}
	// What takes more than one option.
	c := &s.config
	c.API = s.keys.api(&p)
	c.BaseURL = p.baseURL(s.base, s.region, c.API)
	c.Auth, c.AppID = s.keys.check(&p, c.API)
	if c.Account == "" {
		c.Account = c.AppID
	}
	if c.AccountKey != "" && c.Account != "" && !printable(c.Account, maxAccount) {
		p.problem("account_key", "the account's name is not of at most %d bytes that can be printed; set account", maxAccount)
	}
	for _, pair := range [][2]string{{"account_key", "original_key"}, {"account_key", "id_key"}, {"original_key", "id_key"}} {
		names := map[string]string{"account_key": c.AccountKey, "original_key": c.OriginalKey, "id_key": c.IDKey}
		if name := names[pair[1]]; name != "" && name == names[pair[0]] {
			p.problem(pair[1], "%s is set as %s too", quote(name), pair[0])
		}
	}
	if s.impersonation.SearchField != "" && s.impersonation.Query == "" {
		p.problem("impersonation_query", "missing; impersonation_search_field needs the text to look for")
	}
	for _, f := range []mimecast.Filter{s.url, s.attachment, s.audit, s.impersonation} {
		if !reflect.ValueOf(f).IsZero() {
			c.Filters = append(c.Filters, f)
		}
	}
	c.chooseLogs()
	for _, name := range []string{SIEM, SIEMCI} {
		if c.AccountCode != "" && slices.Contains(c.Logs, name) {
			p.warnings = append(p.warnings, "account_code: without effect on the log "+name+", which is of the application's own account: Mimecast documents no way to ask for another's")
		}
	}
	if c.API == 1 {
		c.SIEMTypes = nil
		if slices.Contains(c.Logs, SIEMCI) {
			p.problem("logs", "%s is of API 2.0 alone: leave it out, or set client_id and client_secret in the place of app_id and its keys", SIEMCI)
		}
		p.without("1.0", given, "siem_types", "link_allow_cidrs", "typed")
	} else {
		p.without("2.0", given, "siem_format", "siem_compress")
	}
	if len(p.problems) > 0 {
		return Config{}, &Error{p.problems}
	}
	c.Warnings = p.warnings
	return *c, nil
}

// chooseLogs puts the logs that the API has in the place of [All].
func (c *Config) chooseLogs() {
	i := slices.Index(c.Logs, All)
	if i < 0 {
		return
	}
	c.Logs = slices.Delete(c.Logs, i, i+1)
	for _, name := range logNames() {
		if !slices.Contains(c.Logs, name) && (c.API != 1 || name != SIEMCI) {
			c.Logs, c.Optional = append(c.Logs, name), append(c.Optional, name)
		}
	}
}

// without warns of options that are given and mean nothing to an API.
func (p *parser) without(api string, given map[string]bool, keys ...string) {
	for _, key := range keys {
		if given[key] {
			p.warnings = append(p.warnings, key+": without effect with API "+api)
		}
	}
}

// baseURL returns the base URL that base_url or region names. An api of 0 is not
// known, which is a problem of its own.
func (p *parser) baseURL(base, region string, api int) *url.URL {
	switch {
	case base != "" && region != "":
		p.problem("base_url", "set together with region; set only one of them")
		return nil
	case base != "":
		return p.checkBaseURL(base, api)
	case region == "" && api == 2:
		region = "global"
	case region == "" && api == 1:
		p.problem("base_url", "missing; set base_url, or region (%s)", strings.Join(mimecast.RegionNames(1), ", "))
		return nil
	}
	base, ok := mimecast.Regions(api)[strings.ToLower(region)]
	if !ok {
		if api != 0 {
			hint := ""
			if _, old := mimecast.Regions(1)[strings.ToLower(region)]; old && api == 2 {
				hint = "; global serves the accounts of all regions"
			}
			p.problem("region", "%s is not one of: %s, which are those of API %d.0%s", quote(region), strings.Join(mimecast.RegionNames(api), ", "), api, hint)
		}
		return nil
	}
	return p.checkBaseURL(base, api)
}

func (p *parser) checkBaseURL(base string, api int) *url.URL {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") {
		p.problem("base_url", "%s is not a URL like https://api.services.mimecast.com", quote(redactURL(base)))
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
	switch serves := apiOf(strings.ToLower(u.Hostname())); {
	case serves == 1 && api == 2:
		p.problem("base_url", "%s serves API 1.0, and client_id is of API 2.0: set %s", quote(base), mimecast.Regions(2)["global"])
		return nil
	case serves == 2 && api == 1:
		p.problem("base_url", "%s serves API 2.0, and app_id is of API 1.0: set the host of the account's region, for instance %s", quote(base), mimecast.Regions(1)["eu"])
		return nil
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(withoutDefaultPort(u))}
}

// apiOf returns the API that a host of Mimecast's serves, 0 for another host.
func apiOf(host string) int {
	switch {
	case strings.HasSuffix(host, ".services.mimecast.com"):
		return 2
	case strings.HasSuffix(host, "-api.mimecast.com"), "https://"+host == mimecast.Regions(1)["uspcom"]:
		return 1
	}
	return 0
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
