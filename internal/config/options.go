package config

import (
	"fmt"
	"strings"

	"fluent-bit-mimecast/mimecast"
)

// Option is one row of the option table: what a user may write in an [INPUT]
// block of the plugin. The README's table is made from it.
type Option struct {
	Key     string
	Default string // as a user would write it; "" when there is none
	Doc     string // one line, for the README
}

// Options returns the table, in the order of the README. Every key that the
// plugin reads is in it, and nothing else.
func Options() []Option {
	return []Option{
		{"base_url", "", "Base URL of the API, for instance `https://eu-api.mimecast.com`. Needed unless `region` is set."},
		{"region", "", "Picks the base URL: " + code(regionNames()) + "."},
		{"app_id", "", "Application id of the API application. Needed, here or in `app_id_file`."},
		{"app_id_file", "", "Path of a file that holds it. Like every `…_file`, read again when the service refuses a request."},
		{"app_key", "", "Application key. Needed, here or in `app_key_file`."},
		{"app_key_file", "", "Path of a file that holds it."},
		{"access_key", "", "Access key of the user association. Needed, here or in `access_key_file`."},
		{"access_key_file", "", "Path of a file that holds it."},
		{"secret_key", "", "Secret key of the user association, in base64 as Mimecast shows it. Needed, here or in `secret_key_file`."},
		{"secret_key_file", "", "Path of a file that holds it."},
		{"db", "", "Path of the checkpoint file, made with mode 0600. Needed. `off` keeps no position: every restart reads everything that Mimecast still has again."},
		{"account", "", "Name that the positions in `db` go by; unless set, the application id as it is read at the start. With a name of its own, a block goes on where it is when its application id changes. At most 128 bytes, without `|`."},
		{"logs", "siem,impersonation", "Which logs to collect: " + code(logNames()) + "."},
		{"siem_format", "json", "Format to ask for: " + code(siemFormats) + ". Records come out the same."},
		{"siem_compress", "on", "`on` asks for zip batches of many files, `off` for one plain file at a time."},
		{"impersonation_page_size", "500", "Events to ask for in one page, 1 to 10000."},
		{"tagged_malicious", "", "Only impersonation events that were (`true`) or were not (`false`) tagged malicious."},
		{"search_field", "", "Field that `query` is looked for in: " + code(mimecast.KnownSearchFields()) + "."},
		{"query", "", "Only impersonation events with this text. Needed with `search_field`."},
		{"identifiers", "", "Only impersonation events with one of these identifiers, separated by commas."},
		{"actions", "", "Only impersonation events with one of these actions, separated by commas."},
		{"initial_lookback", "7d", "How far back impersonation logs start when there is no position yet."},
		{"overlap", "1h", "How far back each impersonation poll reads again, for events that turn up late. What was delivered before is dropped by its id."},
		{"poll_interval", "60s", "How long to wait once the service has nothing new. After a batch the next one is asked for at once."},
		{"tag_by_type", "off", "`on` gives each record the tag `{tag}.{log_source}.{log_type}`. Outputs and filters then have to match that, for instance `mimecast.*`. After 64 such tags, other log types share `{tag}.{log_source}.other`, until the next start."},
		{"http_timeout", "60s", "How long to wait for a connection, for an answer to begin, and for its next bytes."},
		{"proxy_url", "", "Proxy to use (`http`, `https` or `socks5`). Without it the environment decides (`HTTPS_PROXY`, `NO_PROXY`)."},
		{"tls_ca_file", "", "PEM file of the certificate authorities to trust instead of the system's."},
		{"tls_verify", "on", "`off` accepts any certificate: for tests only."},
	}
}

// Markdown returns the option table as it stands in the README.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| key | default | meaning |\n|---|---|---|\n")
	for _, o := range Options() {
		def := "_none_"
		if o.Default != "" {
			def = "`" + o.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", o.Key, def, o.Doc)
	}
	return b.String()
}

func code(words []string) string {
	return "`" + strings.Join(words, "` `") + "`"
}
