package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fluent-bit-mimecast/mimecast"
)

// block2 is the least that a block of API 2.0 needs, with more options in pairs.
func block2(more ...string) map[string]string {
	b := map[string]string{"client_id": "client", "client_secret": "not-base64!", "db": "/var/lib/x.db"}
	for i := 0; i < len(more); i += 2 {
		b[more[i]] = more[i+1]
	}
	return b
}

// parse2 reads a block of API 2.0.
func parse2(b map[string]string) (Config, error) {
	return Parse(func(key string) string { return b[key] })
}

func TestDefaultsOfAPI2(t *testing.T) {
	c, err := parse2(block2())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Auth.(*mimecast.OAuth2); !ok || c.BaseURL.String() != "https://api.services.mimecast.com" {
		t.Errorf("base URL %s, authorized by %T", c.BaseURL, c.Auth)
	}
	c.BaseURL, c.Auth = nil, nil
	want := Config{
		API: 2, AppID: "client", Account: "client", DB: "/var/lib/x.db", Logs: []string{"siem", "impersonation"}, SIEMFormat: mimecast.JSON, SIEMCompress: true,
		SIEMTypes: []string{
			"receipt", "process", "delivery", "journal", "av", "spam",
			"attachment protect", "impersonation protect", "internal email protect", "url protect",
		},
		PageSize: 500, InitialLookback: 7 * 24 * time.Hour, Overlap: time.Hour, PollInterval: time.Minute,
		HTTPTimeout: time.Minute, TLSVerify: true, Notices: true, ThreatFeeds: []string{"malware_customer", "malware_grid"},
	}
	if diff := cmp.Diff(want, c, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestValuesOfAPI2(t *testing.T) {
	check := func(key, value string, get func(Config) any, want any) {
		t.Helper()
		c, err := parse2(block2(key, value))
		if got := get(c); err != nil || len(c.Warnings) > 0 || !cmp.Equal(got, want) {
			t.Errorf("%s %s: got %v, %v, warnings %q, want %v", key, value, got, err, c.Warnings, want)
		}
	}
	types := func(c Config) any { return c.SIEMTypes }
	check("siem_types", "receipt", types, []string{"receipt"})
	check("siem_types", " URL_Protect, url protect ,av,", types, []string{"url protect", "av"})
	check("logs", "siem_ci,siem", func(c Config) any { return c.Logs }, []string{"siem_ci", "siem"})
	check("typed", "on", func(c Config) any { return c.Typed }, true)
	base := func(c Config) any { return c.BaseURL.String() }
	check("region", "Global", base, "https://api.services.mimecast.com")
	check("region", "uk", base, "https://uk-api.services.mimecast.com")
	check("region", "us", base, "https://us-api.services.mimecast.com")
	check("base_url", "https://US-api.services.mimecast.com/", base, "https://us-api.services.mimecast.com")
	check("base_url", "https://mimecast.example.com", base, "https://mimecast.example.com")
	check("base_url", "http://127.0.0.1:8080", base, "http://127.0.0.1:8080")
	check("account", "Acme", func(c Config) any { return c.Account + c.AppID }, "Acmeclient")
	check("link_allow_cidrs", "100.64.0.0/10, fd00::/8", func(c Config) any {
		var texts []string
		for _, r := range c.LinkAllow {
			texts = append(texts, r.String())
		}
		return texts
	}, []string{"100.64.0.0/10", "fd00::/8"})
}

func TestWarningsByAPI(t *testing.T) {
	for _, test := range []struct {
		block map[string]string
		want  string // of the only warning
	}{
		{block2("siem_format", "json"), "siem_format: without effect with API 2.0"},
		{block2("siem_compress", "off"), "siem_compress: without effect with API 2.0"},
		{block("account_code", "C1A1"), "account_code: without effect on the log siem"},
		{block2("account_code", "C1A1"), "account_code: without effect on the log siem"},
		{block("typed", "on"), "typed: without effect with API 1.0"},
		{block("siem_types", "av"), "siem_types: without effect with API 1.0"},
		{block("link_allow_cidrs", "10.0.0.0/8"), "link_allow_cidrs: without effect with API 1.0"},
		{block2("siem_types", "av,dns_protect"), `siem_types: "dns protect" is not among the documented values`},
		{block2("siem_types", "url_protect:Block"), `siem_types: "url protect:Block" leaves out the other subtypes`},
		{block2("siem_types", "process:Hld,process"), `siem_types: events of "process:Hld" come twice, since "process" has them too`},
	} {
		c, err := parse2(test.block)
		if err != nil || len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], test.want) {
			t.Errorf("got %q, %v, want %q", c.Warnings, err, test.want)
		}
	}
	if c, err := parse2(block2("account_code", "C1A1", "logs", "impersonation")); err != nil || len(c.Warnings) > 0 {
		t.Errorf("without SIEM logs: warnings %q, %v", c.Warnings, err)
	}
	c, err := parse2(block2("siem_types", "dns_protect,DNS Protect,url_protect:Block"))
	if diff := cmp.Diff([]string{"dns protect", "url protect:Block"}, c.SIEMTypes); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

// TestProblemsByAPI has each block say one thing, and no secret.
func TestProblemsByAPI(t *testing.T) {
	const either = "set either client_id and client_secret (API 2.0), or app_id, app_key, access_key and secret_key (API 1.0)"
	for _, test := range []struct {
		block map[string]string
		want  string
	}{
		{block("client_id", "x"), "client_id: set together with app_id; " + either},
		{block("client_secret_file", "/x"), "client_secret_file: set together with app_id; " + either},
		{block2("access_key_file", "/x"), "client_id: set together with access_key_file; " + either},
		{map[string]string{"db": "off"}, "client_id: missing; set client_id and client_secret (API 2.0), or app_id, app_key, access_key and secret_key (API 1.0)"},
		{map[string]string{"db": "off", "region": "eu"}, "client_id: missing;"},
		{map[string]string{"db": "off", "region": "global"}, "client_id: missing;"},
		{block2("client_secret", ""), "client_secret: missing; set client_secret or client_secret_file"},
		{block2("client_id", ""), "client_id: missing; set client_id or client_id_file"},
		{block2("client_secret", "two hidden"), "client_secret: holds white space or control characters (value not shown)"},
		{block2("client_secret_file", "/hidden"), "client_secret: set together with client_secret_file"},
		{block2("region", "eu"), `region: "eu" is not one of: global, uk, us, which are those of API 2.0; global serves the accounts of all regions`},
		{block("region", "global"), `region: "global" is not one of: au, ca, de, eu, offshore, sandbox, us, usb, uspcom, za, which are those of API 1.0`},
		{block2("region", "us", "base_url", "https://x.example.com"), "base_url: set together with region"},
		{block2("base_url", "https://eu-api.mimecast.com"), `base_url: "https://eu-api.mimecast.com" serves API 1.0, and client_id is of API 2.0: set https://api.services.mimecast.com`},
		{block2("base_url", "https://USPCOM-api.mimecast-pscom-us.com:443"), "set https://api.services.mimecast.com"},
		{block("region", "", "base_url", "https://us-api.services.mimecast.com"), `serves API 2.0, and app_id is of API 1.0: set the host of the account's region, for instance https://eu-api.mimecast.com`},
		{block("region", "", "base_url", "https://api.services.mimecast.com/"), "serves API 2.0"},
		{block2("base_url", "http://api.services.mimecast.com"), "is not encrypted"},
		{block("logs", "siem,siem_ci"), "logs: siem_ci is of API 2.0 alone: leave it out, or set client_id and client_secret"},
		{block2("account_key", "log_type"), `account_key: "log_type" is a field with a use of its own`},
		{block2("account_key", "accountId"), `account_key: "accountId" is a field with a use of its own`},
		{block2("account_key", "a\tb"), `account_key: "a\tb" is longer than 64 bytes, or can't be printed`},
		{block2("account_key", strings.Repeat("a", 65)), "account_key: "},
		{block2("account_key", "k", "client_id", strings.Repeat("a", 129)), "account_key: the account's name is not of at most 128 bytes"},
		{block2("account_key", "k", "account", "a\u200bb"), "account_key: the account's name is not of at most 128 bytes"},
		{block2("account_code", "C1|A1"), `account_code: "C1|A1" is not a code of at most 64 letters and digits`},
		{block2("account_code", strings.Repeat("a", 65)), "account_code: "},
		{block2("siem_types", ","), `siem_types: "," names no type`},
		{block2("siem_types", "av,a|b"), `siem_types: "a|b" is longer than 64 bytes, or holds a |`},
		{block2("siem_types", "av,a\nb"), "siem_types: "},
		{block2("siem_types", "av,"+strings.Repeat("a", 65)), "siem_types: "},
		{block2("link_allow_cidrs", "10.0.0.1"), `link_allow_cidrs: "10.0.0.1" is not a range`},
		{block2("link_allow_cidrs", "10.0.0.1/8"), `link_allow_cidrs: "10.0.0.1/8" is not a range`},
		{block2("link_allow_cidrs", "everything"), "link_allow_cidrs: "},
	} {
		c, err := parse2(test.block)
		var list *Error
		if !errors.As(err, &list) || len(list.Problems) != 1 || !strings.Contains(list.Problems[0], test.want) || strings.Contains(err.Error(), "two hidden") {
			t.Errorf("%v: got %+v, %v, want %q", test.block, c, err, test.want)
		}
	}
}

func TestCredentialFilesOfAPI2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("\ufeffsecret \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var s settings
	s.keys.clientID.here(nil, "client_id", "client")
	s.keys.clientSecret.file(nil, "client_secret_file", path)
	if got, err := s.keys.credentials(); err != nil || got != (mimecast.Credentials{ClientID: "client", ClientSecret: "secret"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, err := s.keys.credentials(); err == nil || !strings.Contains(err.Error(), "client_secret_file: can't read it") {
		t.Errorf("got %v, %v", got, err)
	}
}
