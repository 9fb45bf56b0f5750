package config

import (
	"bytes"
	"encoding/pem"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fluent-bit-mimecast/mimecast"
)

var update = flag.Bool("update", false, "write the tables into the README")

// block is the least that a block needs, with more options in pairs.
func block(more ...string) map[string]string {
	b := map[string]string{
		"region": "eu", "app_id": "id", "app_key": "key", "access_key": "access", "secret_key": "c2VjcmV0", "db": "/var/lib/x.db",
	}
	for i := 0; i < len(more); i += 2 {
		b[more[i]] = more[i+1]
	}
	return b
}

func parse(b map[string]string) (Config, error) {
	return Parse(func(key string) string { return b[key] })
}

// signsWith reports whether auth, after a refusal, signs with the keys of block
// and this application key.
func signsWith(auth mimecast.Auth, appKey string) (bool, error) {
	r := httptest.NewRequest(http.MethodPost, "https://eu-api.mimecast.com/api/x", nil)
	auth.Refused(r)
	if err := auth.Authorize(r, time.Now()); err != nil {
		return false, err
	}
	same := mimecast.NewHMAC(func() (mimecast.Keys, error) {
		return mimecast.Keys{AppID: "id", AppKey: appKey, AccessKey: "access", SecretKey: "c2VjcmV0"}, nil
	})
	return !same.Refused(r), nil
}

func TestDefaults(t *testing.T) {
	c, err := parse(block())
	if err != nil {
		t.Fatal(err)
	}
	if c.BaseURL.String() != "https://eu-api.mimecast.com" {
		t.Errorf("base URL %s", c.BaseURL)
	}
	if signed, err := signsWith(c.Auth, "key"); !signed || err != nil {
		t.Errorf("signs with other keys: %v", err)
	}
	c.BaseURL, c.Auth = nil, nil
	want := Config{
		API: 1, AppID: "id", Account: "id", DB: "/var/lib/x.db", Logs: []string{"siem", "impersonation"}, SIEMFormat: mimecast.JSON, SIEMCompress: true,
		PageSize: 500, InitialLookback: 7 * 24 * time.Hour, Overlap: time.Hour, PollInterval: time.Minute,
		HTTPTimeout: time.Minute, TLSVerify: true, Notices: true, ThreatFeeds: []string{"malware_customer", "malware_grid"},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestValues(t *testing.T) {
	check := func(key, value string, get func(Config) any, want any) {
		t.Helper()
		c, err := parse(block(key, value))
		if got := get(c); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s %s: got %v, %v, want %v", key, value, got, err, want)
		}
	}
	interval := func(c Config) any { return c.PollInterval }
	check("poll_interval", "30", interval, 30*time.Second)
	check("poll_interval", "30s", interval, 30*time.Second)
	check("poll_interval", "5M", interval, 5*time.Minute)
	check("poll_interval", "1h", interval, time.Hour)
	check("poll_interval", "1d", interval, 24*time.Hour)
	check("initial_lookback", "0", func(c Config) any { return c.InitialLookback }, time.Duration(0))
	for _, on := range []string{"on", "On", "true", "yes", "1"} {
		check("tag_by_type", on, func(c Config) any { return c.TagByType }, true)
	}
	for _, off := range []string{"off", "False", "no", "0"} {
		check("tls_verify", off, func(c Config) any { return c.TLSVerify }, false)
	}
	check("logs", "impersonation", func(c Config) any { return c.Logs }, []string{"impersonation"})
	check("logs", " siem , impersonation,siem", func(c Config) any { return c.Logs }, []string{"siem", "impersonation"})
	check("siem_format", "Key_Value", func(c Config) any { return c.SIEMFormat }, mimecast.KeyValue)
	check("db", "OFF", func(c Config) any { return c.DB }, "")
	account := func(c Config) any { return c.Account }
	check("account", "  Acme Ltd. (é=1)\t", account, "Acme Ltd. (é=1)")
	check("account", " ", account, "id")
	check("account", strings.Repeat("a", 128), account, strings.Repeat("a", 128))
	key := func(c Config) any { return c.AccountKey + "=" + c.Account }
	check("account_key", " customer ", key, "customer=id")
	check("account_key", "é", key, "é=id")
	check("account_code", "C1A1", func(c Config) any { return c.AccountCode + c.Account }, "C1A1id")
	off := false
	for _, older := range []string{"", "impersonation_"} {
		filter := func(c Config) any { return c.Filter("impersonation") }
		check(older+"tagged_malicious", "false", filter, mimecast.ImpersonationFilter{TaggedMalicious: &off})
		check(older+"actions", "hold,none", filter, mimecast.ImpersonationFilter{Actions: []string{"hold", "none"}})
	}
	check("url_scan_result", "Malicious", func(c Config) any { return c.Filter("url") }, mimecast.URLFilter{ScanResult: "malicious"})
	check("url_route", "inbound", func(c Config) any { return c.Filter("url") }, mimecast.URLFilter{Route: "inbound"})
	check("attachment_result", "unsafe", func(c Config) any { return c.Filter("attachment") }, mimecast.AttachmentFilter{Result: "unsafe"})
	check("audit_categories", "a_b, c", func(c Config) any { return c.Filter("audit") }, mimecast.AuditFilter{Categories: []string{"a_b", "c"}})
	check("audit_categories", "a", func(c Config) any { return c.Filter("url") }, nil)
	size := func(c Config) any { return c.PageSize }
	check("page_size", "100", size, 100)
	check("impersonation_page_size", "100", size, 100)
	check("threat_intel_feeds", "malware_grid", func(c Config) any { return c.ThreatFeeds }, []string{"malware_grid"})
	everything := []string{"siem", "url", "attachment", "impersonation", "dlp", "audit", "archive_search", "archive_view", "message_release", "rejections", "threat_intel"}
	check("logs", "all", func(c Config) any { return c.Logs }, everything)
	check("logs", "all", func(c Config) any { return c.Optional }, everything)
	check("logs", "siem,all", func(c Config) any { return c.Optional }, everything[1:])
	check("proxy_url", "socks5://user:pass@proxy:1080", func(c Config) any { return c.ProxyURL.Host }, "proxy:1080")
	check("region", "Offshore", func(c Config) any { return c.BaseURL.String() }, "https://je-api.mimecast.com")
}

func TestBaseURL(t *testing.T) {
	check := func(url, want string) {
		t.Helper()
		c, err := parse(block("region", "", "base_url", url))
		switch {
		case err != nil && want != "":
			t.Errorf("%s: %v", url, err)
		case err == nil && c.BaseURL.String() != want:
			t.Errorf("%s: got %s, want %q", url, c.BaseURL, want)
		}
	}
	check("https://EU-api.mimecast.com/", "https://eu-api.mimecast.com")
	check("https://eu-api.mimecast.com:8443", "https://eu-api.mimecast.com:8443")
	check("https://EU-api.mimecast.com:443/", "https://eu-api.mimecast.com")
	check("https://eu-api.mimecast.com:", "https://eu-api.mimecast.com")
	check("https://eu-api.mimecast.com:80", "https://eu-api.mimecast.com:80")
	check("https://[::1]:443", "https://[::1]")
	check("https://[2001:db8::443]", "https://[2001:db8::443]")
	check("http://127.0.0.1:80", "http://127.0.0.1")
	check("http://127.0.0.1:443", "http://127.0.0.1:443")
	check("http://127.0.0.1:8080", "http://127.0.0.1:8080")
	check("http://[::1]:8080", "http://[::1]:8080")
	check("http://localhost:8080", "http://localhost:8080")
	check("http://eu-api.mimecast.com", "")
	check("http://127.0.0.1.example.com", "")
	check("http://localhost.example.com", "")
	check("eu-api.mimecast.com", "")
	check("ftp://eu-api.mimecast.com", "")
	check("https://user:pass@eu-api.mimecast.com", "")
	check("https://eu-api.mimecast.com/api", "")
	check("https://eu-api.mimecast.com?x=1", "")
	check("https://", "")
	check("https://:443", "")
}

func TestAllProblemsInOneLine(t *testing.T) {
	secret := "hidden-value-7"
	b := map[string]string{
		"base_url": "http://user:" + secret + "@example.com", "region": "eu",
		"app_id": "a b", "app_key": secret, "app_key_file": "/x", "secret_key": secret + "!", "access_key_file": "/does/not/exist",
		"logs": "siem,mta", "siem_format": "xml", "siem_compress": "maybe", "impersonation_page_size": "0", "tagged_malicious": "perhaps",
		"search_field": "body", "initial_lookback": "7 days", "overlap": "-1h", "poll_interval": "0s", "tag_by_type": "2",
		"http_timeout": "soon", "proxy_url": secret + "://x", "tls_ca_file": "/does/not/exist", "tls_verify": "never",
	}
	_, err := parse(b)
	var list *Error
	if !errors.As(err, &list) {
		t.Fatalf("got %v", err)
	}
	text := err.Error()
	for _, key := range []string{
		"base_url: ", "db: missing", "app_id: ", "app_key: ", "access_key_file: ", "secret_key: ", "logs: ", "siem_format: ", "siem_compress: ",
		"impersonation_page_size: ", "tagged_malicious: ", "search_field: ", "initial_lookback: ", "overlap: ", "poll_interval: ",
		"tag_by_type: ", "http_timeout: ", "proxy_url: ", "tls_ca_file: ", "tls_verify: ",
	} {
		if !strings.Contains(text, key) {
			t.Errorf("nothing is said of %q", key)
		}
	}
	if strings.Contains(text, "\n") || strings.Contains(text, secret) {
		t.Errorf("more than a line, or a secret: %s", text)
	}
	for _, accepted := range []string{`"xml" is not one of: json, key_value`, `"mta" is not one of: siem, siem_ci, url, attachment, impersonation`, `"0s" is not a time from 1s to 1d, written like 30s, 5m, 1h or 7d`} {
		if !strings.Contains(text, accepted) {
			t.Errorf("%q is not in %s", accepted, text)
		}
	}
}

func TestAccountsThatAreNone(t *testing.T) {
	for value, want := range map[string]string{
		"a|siem":                 "holds a |",
		"a\nb":                   "holds a control character",
		"a\x00":                  "holds a control character",
		strings.Repeat("é", 65):  "1 to 128 bytes is needed, not 130",
		strings.Repeat("a", 129): "1 to 128 bytes is needed, not 129",
	} {
		if _, err := parse(block("account", value)); err == nil || !strings.Contains(err.Error(), "account: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", value, err, want)
		}
	}
	// An application id is taken as it is.
	if c, err := parse(block("app_id", "a|b")); err != nil || c.Account != "a|b" {
		t.Errorf("got %q, %v", c.Account, err)
	}
}

func TestSearchFieldNeedsAQuery(t *testing.T) {
	if _, err := parse(block("search_field", "subject")); err == nil || !strings.Contains(err.Error(), "query: missing") {
		t.Errorf("got %v", err)
	}
	c, err := parse(block("query", "invoice"))
	if filter := c.Filter("impersonation"); err != nil || !cmp.Equal(filter, mimecast.ImpersonationFilter{Query: "invoice"}) {
		t.Errorf("got %+v, %v", filter, err)
	}
}

func TestUnknownFilterValuesAreWarnedOf(t *testing.T) {
	c, err := parse(block("identifiers", "internal_user_name,new_one", "actions", "hold,vanish", "db", "off"))
	if err != nil || len(c.Warnings) != 3 {
		t.Fatalf("got %q, %v", c.Warnings, err)
	}
	for _, w := range []string{`"new_one"`, `"vanish"`, "db is off"} {
		if !strings.Contains(strings.Join(c.Warnings, "\n"), w) {
			t.Errorf("no warning of %s in %q", w, c.Warnings)
		}
	}
}

func TestCredentialFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old\n")
	c, err := parse(block("app_key", "", "app_key_file", path))
	if err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		if signed, err := signsWith(c.Auth, want); err != nil || !signed {
			t.Errorf("does not sign with %q: %v", want, err)
		}
	}
	check("old")
	write("  new \r\n")
	check("new")
	write("")
	if _, err := signsWith(c.Auth, ""); err == nil || !strings.Contains(err.Error(), "app_key_file: ") {
		t.Errorf("an empty file: %v", err)
	}
	write("\ufeff marked \r\n")
	check("marked")
	write("\ufeff\n")
	if _, err := signsWith(c.Auth, ""); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("a byte order mark alone: %v", err)
	}
	for _, text := range []string{"\xff\xfek\x00e\x00y\x00", "\xfe\xff\x00k\x00e\x00y", "k\x00e\x00y\x00\n\x00", "\x00k\x00e\x00y"} {
		write(text)
		_, err := signsWith(c.Auth, "")
		if err == nil || !strings.Contains(err.Error(), "app_key_file: ") || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "UTF-16; save it as UTF-8") {
			t.Errorf("%q: %v", text, err)
		}
	}
	write("two words")
	if _, err := signsWith(c.Auth, ""); err == nil || strings.Contains(err.Error(), "words") {
		t.Errorf("a value that is none: %v", err)
	}
	if _, err := parse(block("app_key", "", "app_key_file", dir)); err == nil {
		t.Error("a folder is taken for a file")
	}
}

func TestTLSCAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := parse(block("tls_ca_file", path)); err == nil || !strings.Contains(err.Error(), "no certificate in PEM form") {
		t.Errorf("got %v", err)
	}
}

func TestTLSCAFileOfWindows(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, append([]byte("\ufeff"), ca...), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := parse(block("tls_ca_file", path)); err != nil || !bytes.Equal(c.CAPEM, ca) {
		t.Errorf("with a byte order mark: got %q, %v", c.CAPEM, err)
	}
	if err := os.WriteFile(path, []byte("\xff\xfe-\x00-\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := parse(block("tls_ca_file", path)); err == nil || !strings.Contains(err.Error(), "UTF-16; save it as UTF-8") {
		t.Errorf("in UTF-16: got %v", err)
	}
}

// TestParseReadsTheTable holds the parser and the table to each other.
func TestParseReadsTheTable(t *testing.T) {
	asked := map[string]bool{}
	_, _ = Parse(func(key string) string { asked[key] = true; return block()[key] })
	for _, o := range Options() {
		for _, key := range o.Keys() {
			if !asked[key] {
				t.Errorf("%s is in the table and is not read", key)
			}
			delete(asked, key)
		}
	}
	for key := range asked {
		t.Errorf("%s is read and is not in the table", key)
	}
}

// TestREADMEHasTheTables fails when a table of the README is stale; go test
// ./internal/config -update writes them.
func TestREADMEHasTheTables(t *testing.T) {
	fresh(t, "../../README.md", map[string]string{"options": Markdown(), "logs": LogsMarkdown(), "typed": TypedMarkdown()})
}

// fresh fails the test unless a file has the parts, each between two marks. With
// -update it puts them there.
func fresh(t *testing.T, path string, parts map[string]string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := string(b)
	for name, part := range parts {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		before, rest, ok1 := strings.Cut(want, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok1 || !ok2 {
			t.Fatalf("%s has no place for the part between %q and %q", path, begin, end)
		}
		want = before + begin + part + end + after
	}
	if want == string(b) {
		return
	}
	if !*update {
		t.Fatalf("%s is stale: go test ./internal/config -update", path)
	}
	if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}
