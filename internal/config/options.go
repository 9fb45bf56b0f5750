package config

import (
	"fmt"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/mimecast"
)

// Option is one row of the option table: what a user may write in an [INPUT]
// block of the plugin. The README's table is made from it.
type Option struct {
	Key     string
	Older   string // another spelling, of earlier versions; "" when there is none
	Default string // as a user would write it; "" when there is none
	Doc     string // one line, for the README
	set     setter
}

// Keys returns the option's spellings.
func (o Option) Keys() []string {
	if o.Older == "" {
		return []string{o.Key}
	}
	return []string{o.Key, o.Older}
}

const day = 24 * time.Hour

// Options returns the table, in the order of the README. Every key that the
// plugin reads is in it, and nothing else.
func Options() []Option { return new(settings).options() }

// options is the table, whose rows set s.
func (s *settings) options() []Option {
	c, filter := &s.config, &s.impersonation
	return []Option{
		{"base_url", "", "", "Base URL of the API, for instance `https://api.services.mimecast.com`. With API 1.0 needed unless `region` is set.", text(&s.base)},
		{"region", "", "", "Picks the base URL. API 2.0: " + code(mimecast.RegionNames(2)) + "; `global`, which serves all accounts, unless `base_url` is set. API 1.0: " + code(mimecast.RegionNames(1)) + ".", text(&s.region)},
		{"client_id", "", "", "Client id of the API 2.0 application. With `client_secret` it stands in the place of the four keys of API 1.0 that follow.", s.keys.clientID.here},
		{"client_id_file", "", "", "Path of a file that holds it. Like every `…_file`, read again when the service refuses a request.", s.keys.clientID.file},
		{"client_secret", "", "", "Client secret of the API 2.0 application.", s.keys.clientSecret.here},
		{"client_secret_file", "", "", "Path of a file that holds it.", s.keys.clientSecret.file},
		{"app_id", "", "", "Application id of the API 1.0 application. Needed with API 1.0, here or in `app_id_file`.", s.keys.appID.here},
		{"app_id_file", "", "", "Path of a file that holds it.", s.keys.appID.file},
		{"app_key", "", "", "Application key. Needed with API 1.0, here or in `app_key_file`.", s.keys.appKey.here},
		{"app_key_file", "", "", "Path of a file that holds it.", s.keys.appKey.file},
		{"access_key", "", "", "Access key of the user association. Needed with API 1.0, here or in `access_key_file`.", s.keys.accessKey.here},
		{"access_key_file", "", "", "Path of a file that holds it.", s.keys.accessKey.file},
		{"secret_key", "", "", "Secret key of the user association, in base64 as Mimecast shows it. Needed with API 1.0, here or in `secret_key_file`.", s.keys.secretKey.here},
		{"secret_key_file", "", "", "Path of a file that holds it.", s.keys.secretKey.file},
		{"db", "", "", "Path of the checkpoint file, made with mode 0600. Needed. `off` keeps no position: every restart reads everything that Mimecast still has again.", db(&c.DB)},
		{"account", "", "", "Name that the positions in `db` go by; unless set, the application id or client id as it is read at the start. With a name of its own, a block goes on where it is when that id changes. At most 128 bytes, without `|`.", account(&c.Account)},
		{"account_key", "", "", "Field in which each record gets the account's name: `account`, or the id that stands in for it. A record that Mimecast sent with such a field keeps that. At most 64 bytes.", fieldName(&c.AccountKey)},
		{"original_key", "", "", "Field in which each record gets its [source text](#what-comes-out): the JSON as Mimecast sent it, or the key_value line. A record that has such a field keeps that. At most 64 bytes.", fieldName(&c.OriginalKey)},
		{"id_key", "", "", "Field in which each record gets an [id](#what-comes-out), for outputs that drop or overwrite what comes again. A record that has such a field keeps that. At most 64 bytes.", fieldName(&c.IDKey)},
		{"account_code", "", "", "For partners: Mimecast's code of the customer whose logs to collect, by delegated access. The SIEM logs have no such access: they are those of the application's own account, which a warning says. At most 64 letters and digits.", accountCode(&c.AccountCode)},
		{"logs", "", "siem,impersonation", "[Which logs](#which-products-and-permissions) to collect: " + code(logNames()) + ", or `all` that the API has. A log that the account or the application lacks is then passed over and asked for daily. `siem_ci` is of API 2.0 alone.", wordsOf(&c.Logs, append(logNames(), All))},
		{"siem_types", "", strings.Join(siemTypes("_"), ","), "Types of `siem` in API 2.0, separated by commas, as Mimecast spells them or with `_` for a space. `type:subtype` collects one subtype alone.", siemTypeList(&c.SIEMTypes, siemTypes(" "))},
		{"siem_format", "", "json", "Format to ask API 1.0 for: " + code(formats()) + ". Records come out the same.", oneOf(&c.SIEMFormat, formats())},
		{"siem_compress", "", "on", "`on` asks API 1.0 for zip batches of many files, `off` for one plain file at a time.", onOff(&c.SIEMCompress)},
		{"page_size", "impersonation_page_size", "500", "Events to ask for in one page of the logs other than the SIEM logs, 1 to 10000. The service may give fewer.", number(&c.PageSize, 1, 10000)},
		{"url_scan_result", "", "", "Only URL protect events with this scan result: " + code(mimecast.KnownScanResults()) + ".", oneOf(&s.url.ScanResult, mimecast.KnownScanResults())},
		{"url_route", "", "", "Only URL protect events of mails on this route: " + code(mimecast.KnownRoutes()) + ".", oneOf(&s.url.Route, mimecast.KnownRoutes())},
		{"attachment_result", "", "", "Only attachment protect events with this result: " + code(mimecast.KnownResults()) + ".", oneOf(&s.attachment.Result, mimecast.KnownResults())},
		{"audit_categories", "", "", "Only audit events of these categories, separated by commas, as Mimecast's `/api/audit/get-categories` spells them, for instance `authentication_logs`.", list(&s.audit.Categories)},
		{"threat_intel_feeds", "", strings.Join(mimecast.ThreatIntel().FeedTypes, ","), "Feeds of `threat_intel`: " + code(mimecast.ThreatIntel().FeedTypes) + ".", wordsOf(&c.ThreatFeeds, mimecast.ThreatIntel().FeedTypes)},
		{"impersonation_tagged_malicious", "tagged_malicious", "", "Only impersonation events that were (`true`) or were not (`false`) tagged malicious.", trueFalse(&filter.TaggedMalicious)},
		{"impersonation_search_field", "search_field", "", "Field that `impersonation_query` is looked for in: " + code(mimecast.KnownSearchFields()) + ".", oneOf(&filter.SearchField, mimecast.KnownSearchFields())},
		{"impersonation_query", "query", "", "Only impersonation events with this text. Needed with `impersonation_search_field`.", text(&filter.Query)},
		{"impersonation_identifiers", "identifiers", "", "Only impersonation events with one of these identifiers, separated by commas.", words(&filter.Identifiers, mimecast.KnownIdentifiers())},
		{"impersonation_actions", "actions", "", "Only impersonation events with one of these actions, separated by commas.", words(&filter.Actions, mimecast.KnownActions())},
		{"initial_lookback", "", "7d", "How far back logs start when there is no position yet. SIEM logs of API 2.0 start with that UTC day, at most seven days back; those of API 1.0 with the earliest.", duration(&c.InitialLookback, 0, 3650*day)},
		{"overlap", "", "1h", "How far back each poll of logs other than the SIEM logs reads again, for events that turn up late. What was delivered before is dropped.", duration(&c.Overlap, 0, 30*day)},
		{"notices", "", "on", "`on` adds a [record of the plugin's own](#what-comes-out), of `log_source: mimecast` and `log_type: notice`, where a log is not whole or records come again.", onOff(&c.Notices)},
		{"poll_interval", "", "60s", "How long to wait once the service has nothing new. After a batch the next one is asked for at once. SIEM logs of API 2.0 wait for at least five minutes.", duration(&c.PollInterval, time.Second, day)},
		{"tag_by_type", "", "off", "`on` gives each record the tag `{tag}.{log_source}.{log_type}`. Outputs and filters then have to match that, for instance `mimecast.*`. After 64 such tags, other log types share `{tag}.{log_source}.other`, until the next start.", onOff(&c.TagByType)},
		{"typed", "", "off", "`on` gives the numbers, booleans and objects that the SIEM logs of API 2.0 have as texts [their types](#types). `off` leaves a record as Mimecast sent it.", onOff(&c.Typed)},
		{"http_timeout", "", "60s", "How long to wait for a connection, for an answer to begin, and for its next bytes.", duration(&c.HTTPTimeout, time.Second, time.Hour)},
		{"proxy_url", "", "", "Proxy to use (`http`, `https` or `socks5`). Without it the environment decides (`HTTPS_PROXY`, `NO_PROXY`).", proxyURL(&c.ProxyURL)},
		{"tls_ca_file", "", "", "PEM file of the certificate authorities to trust instead of the system's. For the store of the log files of API 2.0 they are added to the system's.", certificates(&c.CAPEM)},
		{"tls_verify", "", "on", "`off` accepts any certificate: for tests only.", onOff(&c.TLSVerify)},
		{"link_allow_cidrs", "", "", "Ranges of addresses, separated by commas, that the links of API 2.0 to log files may lead to besides public ones, for instance `100.64.0.0/10` for a private connection to the store.", ranges(&c.LinkAllow)},
	}
}

// logNames returns what the option logs may name.
func logNames() []string {
	names := []string{SIEM, SIEMCI}
	for _, l := range mimecast.Logs() {
		names = append(names, l.Name)
	}
	return names
}

// siemTypes returns the types of SIEM in API 2.0, with another text for the space.
func siemTypes(space string) []string {
	var names []string
	for _, t := range mimecast.SIEMTypes() {
		names = append(names, strings.ReplaceAll(t.Name, " ", space))
	}
	return names
}

func formats() []mimecast.Format {
	return []mimecast.Format{mimecast.JSON, mimecast.KeyValue}
}

// Markdown returns the option table as it stands in the README.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| key | default | meaning |\n|---|---|---|\n")
	for _, o := range Options() {
		key := "`" + o.Key + "`"
		if o.Older != "" {
			key += " (or `" + o.Older + "`)"
		}
		def := "_none_"
		if o.Default != "" {
			def = "`" + o.Default + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", key, def, o.Doc)
	}
	return b.String()
}

// LogsMarkdown returns the table of the logs as it stands in the README.
func LogsMarkdown() string {
	var b strings.Builder
	b.WriteString("| `logs` | `log_source` | `log_type` | product of API 2.0 | role permission |\n|---|---|---|---|---|\n")
	row := func(name, source, kind string, e mimecast.Endpoint) {
		needs := "not documented"
		if e.Permission != "" {
			needs = "*" + strings.ReplaceAll(e.Permission, "|", `\|`) + "*"
		}
		if e.Setting != "" {
			needs += "; *" + e.Setting + "* must be on for the account"
		}
		product := "none: API 1.0 alone"
		if e.Product != "" {
			product = "*" + e.Product + "*"
		}
		fmt.Fprintf(&b, "| [`%s`](%s) | `%s` | %s | %s | %s |\n", name, e.Page, source, kind, product, needs)
	}
	row(SIEM, "siem", "by the record's type", mimecast.SIEMEvents())
	row(SIEM, "siem", "by the log file's name", mimecast.SIEM())
	row(SIEMCI, SIEMCI, "by the record's type", mimecast.SIEMEventsCI())
	for _, l := range mimecast.Logs() {
		kind := "`" + l.Name + "`"
		if l.FeedTypes != nil {
			kind = code(l.FeedTypes)
		}
		row(l.Name, l.Family, kind, l.Endpoint)
	}
	return b.String()
}

// TypedMarkdown returns the table of the fields that `typed` is for as it stands in
// the README.
func TypedMarkdown() string {
	names := map[string][]string{}
	var types []string // in the order of the table
	for _, f := range record.TypedFields() {
		if names[f.Type()] == nil {
			types = append(types, f.Type())
		}
		names[f.Type()] = append(names[f.Type()], f.Name)
	}
	var b strings.Builder
	b.WriteString("| type | fields |\n|---|---|\n")
	for _, t := range types {
		fmt.Fprintf(&b, "| %s | %s |\n", t, code(names[t]))
	}
	return b.String()
}

func code[T ~string](words []T) string { return "`" + join(words, "` `") + "`" }

// settings is what the rows of the option table set.
type settings struct {
	config       Config
	base, region string
	keys         keyOptions

	url           mimecast.URLFilter
	attachment    mimecast.AttachmentFilter
	audit         mimecast.AuditFilter
	impersonation mimecast.ImpersonationFilter
}
