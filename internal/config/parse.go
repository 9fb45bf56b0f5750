package config

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"fluent-bit-mimecast/mimecast"
)

var siemFormats = []string{string(mimecast.JSON), string(mimecast.KeyValue)}

// logNames returns what the option logs may name.
func logNames() []string {
	names := []string{SIEM}
	for _, l := range mimecast.Logs() {
		names = append(names, l.Name)
	}
	return names
}

// maxPathFile bounds what is read of a file named by an option.
const maxPathFile = 1 << 20

// Error is everything that is wrong with an [INPUT] block, on one line. It
// never holds the value of a secret.
type Error struct {
	Problems []string
}

func (e *Error) Error() string {
	return "configuration: " + strings.Join(e.Problems, "; ")
}

// Parse reads a block. get returns the value of a key, empty when it is not
// set. The error, if any, is an *Error that names every problem at once.
func Parse(get func(key string) string) (Config, error) {
	p := parser{get: get}
	c := Config{
		BaseURL:         p.baseURL(),
		DB:              p.db(),
		Logs:            p.logs(),
		SIEMFormat:      mimecast.Format(p.oneOf("siem_format", siemFormats)),
		SIEMCompress:    p.onOff("siem_compress"),
		PageSize:        p.number("impersonation_page_size", 1, 10000),
		Filter:          p.filter(),
		InitialLookback: p.duration("initial_lookback", 0, 3650*24*time.Hour),
		Overlap:         p.duration("overlap", 0, 30*24*time.Hour),
		PollInterval:    p.duration("poll_interval", time.Second, 24*time.Hour),
		TagByType:       p.onOff("tag_by_type"),
		HTTPTimeout:     p.duration("http_timeout", time.Second, time.Hour),
		ProxyURL:        p.proxyURL(),
		CAPEM:           p.caFile(),
		TLSVerify:       p.onOff("tls_verify"),
	}
	c.Auth, c.AppID = p.credentials()
	c.Account = p.account(c.AppID)
	if len(p.problems) > 0 {
		return Config{}, &Error{p.problems}
	}
	c.Warnings = p.warnings
	return c, nil
}

type parser struct {
	get      func(string) string
	problems []string
	warnings []string
}

func (p *parser) problem(key, format string, args ...any) {
	p.problems = append(p.problems, key+": "+fmt.Sprintf(format, args...))
}

// value is what the user wrote, or the table's default.
func (p *parser) value(key string) string {
	if v := strings.TrimSpace(p.get(key)); v != "" {
		return v
	}
	for _, o := range Options() {
		if o.Key == key {
			return o.Default
		}
	}
	return ""
}

func (p *parser) oneOf(key string, accepted []string) string {
	v := p.value(key)
	for _, a := range accepted {
		if strings.EqualFold(v, a) {
			return a
		}
	}
	if v != "" {
		p.problem(key, "%s is not one of: %s", quote(v), strings.Join(accepted, ", "))
	}
	return ""
}

// onOff reads a boolean in the spellings Fluent Bit takes.
func (p *parser) onOff(key string) bool {
	on, ok := boolean(p.value(key))
	if !ok {
		p.problem(key, "%s is neither on nor off", quote(p.value(key)))
	}
	return on
}

func boolean(v string) (on, ok bool) {
	switch strings.ToLower(v) {
	case "on", "true", "yes", "1":
		return true, true
	case "off", "false", "no", "0":
		return false, true
	}
	return false, false
}

func (p *parser) number(key string, low, high int) int {
	n, err := strconv.Atoi(p.value(key))
	if err != nil || n < low || n > high {
		p.problem(key, "%s is not a whole number from %d to %d", quote(p.value(key)), low, high)
	}
	return n
}

func (p *parser) duration(key string, low, high time.Duration) time.Duration {
	d, ok := duration(p.value(key))
	if !ok || d < low || d > high {
		p.problem(key, "%s is not a time from %s to %s, written like 30s, 5m, 1h or 7d", quote(p.value(key)), Spell(low), Spell(high))
	}
	return d
}

// duration reads Fluent Bit's spelling of a time: a whole number and one of s,
// m, h, d; seconds without a unit.
func duration(v string) (time.Duration, bool) {
	unit := time.Second
	if v != "" {
		if u, ok := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[v[len(v)-1]|0x20]; ok {
			unit, v = u, v[:len(v)-1]
		}
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || n > uint64((1<<63-1)/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// Spell writes a time as an option would.
func Spell(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= u.unit && d%u.unit == 0 {
			return fmt.Sprint(int64(d/u.unit), u.name)
		}
	}
	return fmt.Sprint(int64(d/time.Second), "s")
}

func (p *parser) list(key string) []string {
	var words []string
	for _, w := range strings.FieldsFunc(p.value(key), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words
}

func (p *parser) logs() []string {
	names := p.list("logs")
	for _, n := range names {
		if !slices.Contains(logNames(), n) {
			p.problem("logs", "%s is not one of: %s", quote(n), strings.Join(logNames(), ", "))
		}
	}
	return names
}

func (p *parser) db() string {
	v := p.value("db")
	switch {
	case v == "":
		p.problem("db", "missing; set the path of the checkpoint file, or `off`: then every restart reads everything that Mimecast still has again")
	case strings.EqualFold(v, DBOff):
		p.warnings = append(p.warnings, "db is off: a restart reads everything that Mimecast still has again")
		return ""
	}
	return v
}

// maxAccount bounds the name of an account, in bytes.
const maxAccount = 128

// CheckAccount says what is wrong with a name for an account, as the option
// `account` takes it.
func CheckAccount(name string) error {
	switch {
	case name == "" || len(name) > maxAccount:
		return fmt.Errorf("a name of 1 to %d bytes is needed, not %d", maxAccount, len(name))
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%s has white space around it", quote(name))
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%s holds a control character", quote(name))
	case strings.Contains(name, "|"):
		return fmt.Errorf("%s holds a |, which separates the parts of a position's key", quote(name))
	}
	return nil
}

func (p *parser) account(appID string) string {
	v := p.value("account")
	if v == "" {
		return appID
	}
	if err := CheckAccount(v); err != nil {
		p.problem("account", "%v", err)
	}
	return v
}

func (p *parser) baseURL() *url.URL {
	base, region := p.value("base_url"), p.value("region")
	switch {
	case base != "" && region != "":
		p.problem("base_url", "set together with region; set only one of them")
		return nil
	case base == "" && region == "":
		p.problem("base_url", "missing; set base_url, or region (%s)", strings.Join(regionNames(), ", "))
		return nil
	case region != "":
		if p.oneOf("region", regionNames()) == "" {
			return nil
		}
		base = mimecast.Regions()[strings.ToLower(region)]
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

func (p *parser) proxyURL() *url.URL {
	v := p.value("proxy_url")
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
		// Not quoted: it may hold a password.
		p.problem("proxy_url", "not a URL like http://proxy.example.com:3128 (http, https or socks5)")
		return nil
	}
	return u
}

func (p *parser) caFile() []byte {
	path := p.value("tls_ca_file")
	if path == "" {
		return nil
	}
	pem, err := readFile(path)
	if err != nil {
		p.problem("tls_ca_file", "can't read it: %v", err)
		return nil
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		p.problem("tls_ca_file", "%s holds no certificate in PEM form", quote(path))
		return nil
	}
	return pem
}

func (p *parser) filter() mimecast.ImpersonationFilter {
	f := mimecast.ImpersonationFilter{
		SearchField: p.oneOf("search_field", mimecast.KnownSearchFields()),
		Query:       p.value("query"),
		Identifiers: p.list("identifiers"),
		Actions:     p.list("actions"),
	}
	if v := p.value("tagged_malicious"); v != "" {
		on, ok := boolean(v)
		if !ok {
			p.problem("tagged_malicious", "%s is neither true nor false", quote(v))
		}
		f.TaggedMalicious = &on
	}
	if f.SearchField != "" && f.Query == "" {
		p.problem("query", "missing; search_field needs the text to look for")
	}
	p.warnUnknown("identifiers", f.Identifiers, mimecast.KnownIdentifiers())
	p.warnUnknown("actions", f.Actions, mimecast.KnownActions())
	return f
}

func (p *parser) warnUnknown(key string, values, known []string) {
	for _, v := range values {
		if !slices.Contains(known, v) {
			p.warnings = append(p.warnings, fmt.Sprintf("%s: %s is not among the documented values (%s); it is sent as it is", key, quote(v), strings.Join(known, ", ")))
		}
	}
}

// readFile reads a small text file, as options name them, without the byte order
// mark that Windows tools put before UTF-8.
func readFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.IsDir() || st.Size() > maxPathFile {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", path, maxPathFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if isUTF16(b) {
		return nil, fmt.Errorf("%q is in UTF-16; save it as UTF-8", path)
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), nil
}

// isUTF16 reports whether b begins as UTF-16 does: with a byte order mark, or
// with an ASCII character of two bytes.
func isUTF16(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) ||
		(len(b) > 1 && (b[0] == 0) != (b[1] == 0))
}

func regionNames() []string { return mimecast.RegionNames() }

func quote(v string) string {
	if len(v) > 80 {
		v = v[:80] + "…"
	}
	return strconv.Quote(v)
}

// redactURL keeps a password in a URL out of a message.
func redactURL(v string) string {
	if i := strings.LastIndexByte(v, '@'); i >= 0 {
		return "…" + v[i:]
	}
	return v
}
