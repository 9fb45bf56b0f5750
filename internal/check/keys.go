package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/hostconfig"
)

// hostKeys are those of an input that Fluent Bit 5.1 takes for itself, in order.
var hostKeys = []string{
	"alias", "host", "ipv6", "listen", "log_level", "log_suppress_interval", "mem_buf_limit", "name", "port",
	"processors", "rate_gate", "rate_gate.backpressure", "rate_gate.max_bytes", "rate_gate.max_records",
	"rate_gate.resume_ratio", "rate_window", "routable", "routes", "storage.pause_on_chunks_overlimit",
	"storage.type", "tag", "telemetry", "thread.ring_buffer.capacity", "thread.ring_buffer.window", "threaded", "tls",
	"tls.ca_file", "tls.ca_path", "tls.ciphers", "tls.crt_file", "tls.debug", "tls.key_file", "tls.key_passwd",
	"tls.max_version", "tls.min_version", "tls.verify", "tls.verify_client_cert", "tls.verify_hostname", "tls.vhost",
}

// idle are keys that Fluent Bit takes and this plugin has no use for, as patterns,
// and what the user may have meant.
var idle = []struct {
	pattern, instead string
	status           Status // Failed: Fluent Bit does not start with it
}{
	{"host", "region or base_url", Warning},
	{"port", "base_url", Warning},
	{"listen", "", Warning},
	{"ipv6", "", Warning},
	{"net.*", "http_timeout", Failed},
	{"oauth2*", "client_id and client_secret", Failed}, // but for some, in 5.1
	{"tls.verify*", "tls_verify", Warning},
	{"tls.ca_*", "tls_ca_file", Warning},
	{"tls.*", "", Warning},
}

// structured are the keys whose values are no texts.
var structured = []string{"processors", "routes", "telemetry"}

// optionKeys returns the spellings of all options.
func optionKeys() []string {
	var keys []string
	for _, o := range config.Options() {
		keys = append(keys, o.Keys()...)
	}
	return keys
}

// keys checks the keys of a block: Fluent Bit tells a plugin none that it does not
// ask for.
func (c checker) keys(b *Block) {
	options := optionKeys()
	before := len(c.Results)
	seen := map[string]bool{}
	for _, p := range b.section.Properties {
		at := p.At.String()
		isOption := slices.Contains(options, p.Key)
		switch {
		case seen[p.Key]:
			which := "last"
			if isOption {
				which = "first"
			}
			c.add(Warning, b.Name, at, p.Key+" is set twice: the "+which+" one counts", "set it once")
		case p.Key == "processors":
			c.add(Warning, b.Name, at, "processors that drop or add records weaken the guarantee: Fluent Bit's count can't confirm records then", "use filters instead")
		case slices.Contains(structured, p.Key):
		case p.Kind == hostconfig.List && isOption && len(p.Items) > 1:
			c.add(Failed, b.Name, at, p.Key+" is a list: Fluent Bit gives the plugin its first item alone", "write it as one text, with commas")
		case p.Kind == hostconfig.Map:
			c.add(Failed, b.Name, at, p.Key+" is a map, which ends Fluent Bit's start", "write it as one text, as the README has it")
		case isOption:
			c.remark(b, p)
		default:
			c.hostKey(b, p, options)
		}
		seen[p.Key] = true
	}
	if len(c.Results) == before {
		c.add(OK, b.Name, b.section.At.String(), fmt.Sprintf("all %d keys are known", len(seen)), "")
	}
}

// remark warns of what looks like a comment and is part of a value.
func (c checker) remark(b *Block, p hostconfig.Property) {
	if strings.Contains(p.Value, " #") {
		c.add(Warning, b.Name, p.At.String(), p.Key+": what follows # is part of the value", "put the comment on a line of its own")
	}
}

// hostKey checks a key that is no option.
func (c checker) hostKey(b *Block, p hostconfig.Property, options []string) {
	at, value := p.At.String(), c.host.Value(p)
	if p.Key == "tls" {
		if on(value) {
			c.add(Failed, b.Name, at, "tls is on, which ends Fluent Bit's start: it is for inputs that listen", "leave it out; the plugin uses TLS by itself")
		}
		return
	}
	for _, i := range idle {
		if !hostconfig.Match(i.pattern, p.Key) {
			continue
		}
		do := "leave it out"
		if i.instead != "" {
			do = "did you mean " + i.instead + "?"
		}
		effect := "without effect on this plugin"
		if i.status == Failed {
			effect = "may end its start"
		}
		c.add(i.status, b.Name, at, p.Key+" is Fluent Bit's, and "+effect, do)
		return
	}
	if slices.Contains(hostKeys, p.Key) {
		c.hostValue(b, p, value)
		return
	}
	do := "leave it out; the README has the list of options"
	if near := nearest(p.Key, append(options, hostKeys...)); near != "" {
		do = "did you mean " + near + "?"
	}
	c.add(Failed, b.Name, at, p.Key+" is no option: it goes unnoticed", do)
}

// hostValues are the values that Fluent Bit takes for some of its keys; with another
// it does not start.
var hostValues = map[string][]string{
	"log_level":                         {"off", "error", "warn", "warning", "info", "debug", "trace"},
	"storage.pause_on_chunks_overlimit": yesNo,
	"storage.type":                      {"filesystem", "memory", "memrb"},
	"threaded":                          yesNo,
}

var yesNo = []string{"on", "off", "true", "false", "yes", "no"}

var size = regexp.MustCompile(`(?i)^(false|[0-9.]+([kmg]b?)?)$`)

func (c checker) hostValue(b *Block, p hostconfig.Property, value string) {
	accepted, known := hostValues[p.Key]
	switch {
	case known && value != "" && !slices.Contains(accepted, strings.ToLower(value)):
		c.add(Failed, b.Name, p.At.String(), fmt.Sprintf("%s: %q is not one of: %s", p.Key, short(value), strings.Join(accepted, ", ")), "correct it; Fluent Bit does not start with it")
	case p.Key == "mem_buf_limit" && value != "" && !size.MatchString(value):
		c.add(Failed, b.Name, p.At.String(), fmt.Sprintf("mem_buf_limit: %q is no size", short(value)), "write it as 256M; Fluent Bit does not start with it")
	case p.Key == "routable" && off(value):
		c.add(Failed, b.Name, p.At.String(), "routable is off: no output gets a record", "leave it out")
	}
}

// short cuts a value, which may be anything.
func short(value string) string {
	if len(value) > 40 {
		return value[:40] + "…"
	}
	return value
}

// nearest returns the word that is most like another; empty when none is like it.
func nearest(word string, words []string) string {
	best, least := "", max(len(word)/3, 1)+1
	for _, w := range words {
		if d := distance(strings.ReplaceAll(word, "-", "_"), w); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance returns how many characters have to be put in, left out, exchanged or
// swapped with the next to make a of b.
func distance(a, b string) int {
	above, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			other := 1
			if a[i-1] == b[j-1] {
				other = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], above[j-2]+1)
			}
		}
		above, row = row, next
	}
	return row[len(b)]
}
