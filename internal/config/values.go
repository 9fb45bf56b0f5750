package config

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"fluent-bit-mimecast/internal/record"
)

// parser gathers what is wrong with a block.
type parser struct {
	problems []string
	warnings []string
}

func (p *parser) problem(key, format string, args ...any) {
	p.problems = append(p.problems, key+": "+fmt.Sprintf(format, args...))
}

// setter reads the value of an option: what the user wrote, or the default, empty
// when there is neither.
type setter func(p *parser, key, value string)

func text(to *string) setter {
	return func(_ *parser, _, value string) { *to = value }
}

// oneOf reads one of some words, in any case. Another word is a problem, and is
// not empty afterwards.
func oneOf[T ~string](to *T, accepted []T) setter {
	return func(p *parser, key, value string) {
		*to = T(value)
		for _, a := range accepted {
			if strings.EqualFold(value, string(a)) {
				*to = a
				return
			}
		}
		if value != "" {
			p.problem(key, "%s is not one of: %s", quote(value), join(accepted, ", "))
		}
	}
}

// list reads a list of words, each once.
func list(to *[]string) setter {
	return func(_ *parser, _, value string) { *to = split(value) }
}

// wordsOf reads a list of some words, each once.
func wordsOf(to *[]string, accepted []string) setter {
	return func(p *parser, key, value string) {
		*to = split(value)
		for _, w := range *to {
			if !slices.Contains(accepted, w) {
				p.problem(key, "%s is not one of: %s", quote(w), join(accepted, ", "))
			}
		}
	}
}

// words reads a list of words, each once, and warns of those that are not known.
func words(to *[]string, known []string) setter {
	return func(p *parser, key, value string) {
		*to = split(value)
		for _, w := range *to {
			if !slices.Contains(known, w) {
				p.warnings = append(p.warnings, fmt.Sprintf("%s: %s is not among the documented values (%s); it is sent as it is", key, quote(w), join(known, ", ")))
			}
		}
	}
}

// maxSIEMType bounds the name of a type of SIEM logs, in bytes.
const maxSIEMType = 64

// siemTypeList reads a list of types of SIEM logs, each once, and warns of those that
// are not known.
func siemTypeList(to *[]string, known []string) setter {
	return func(p *parser, key, value string) {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if len(name) > maxSIEMType || strings.ContainsFunc(name, func(r rune) bool { return r == '|' || !unicode.IsPrint(r) }) {
				p.problem(key, "%s is longer than %d bytes, or holds a | or a control character", quote(name), maxSIEMType)
				continue
			}
			kind, subtype, narrow := strings.Cut(name, ":")
			i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, strings.ReplaceAll(kind, "_", " ")) })
			kind = strings.ReplaceAll(kind, "_", " ")
			if i >= 0 {
				kind = known[i]
			}
			if name = kind; narrow {
				name += ":" + subtype
			}
			if slices.ContainsFunc(*to, func(other string) bool { return strings.EqualFold(other, name) }) {
				continue
			}
			if *to = append(*to, name); i < 0 {
				p.warnings = append(p.warnings, fmt.Sprintf("%s: %s is not among the documented values (%s); it is sent as it is", key, quote(name), join(known, ", ")))
			}
		}
		for _, name := range *to {
			kind, _, narrow := strings.Cut(name, ":")
			switch {
			case narrow && slices.Contains(*to, kind):
				p.warnings = append(p.warnings, fmt.Sprintf("%s: events of %s come twice, since %s has them too", key, quote(name), quote(kind)))
			case narrow:
				p.warnings = append(p.warnings, fmt.Sprintf("%s: %s leaves out the other subtypes", key, quote(name)))
			}
		}
		if *to == nil {
			p.problem(key, "%s names no type; leave the option out for all of them", quote(value))
		}
	}
}

// ranges reads a list of ranges of addresses.
func ranges(to *[]netip.Prefix) setter {
	return func(p *parser, key, value string) {
		for _, w := range split(value) {
			r, err := netip.ParsePrefix(w)
			if err != nil || r != r.Masked() {
				p.problem(key, "%s is not a range of addresses like 100.64.0.0/10", quote(w))
			}
			*to = append(*to, r)
		}
	}
}

func split(value string) []string {
	var words []string
	for _, w := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		if !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words
}

func join[T ~string](words []T, separator string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// onOff reads a boolean in the spellings Fluent Bit takes.
func onOff(to *bool) setter {
	return func(p *parser, key, value string) {
		on, ok := boolean(value)
		if !ok {
			p.problem(key, "%s is neither on nor off", quote(value))
		}
		*to = on
	}
}

// trueFalse reads a boolean that need not be set.
func trueFalse(to **bool) setter {
	return func(p *parser, key, value string) {
		if value == "" {
			return
		}
		on, ok := boolean(value)
		if !ok {
			p.problem(key, "%s is neither true nor false", quote(value))
		}
		*to = &on
	}
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

func number(to *int, low, high int) setter {
	return func(p *parser, key, value string) {
		n, err := strconv.Atoi(value)
		if err != nil || n < low || n > high {
			p.problem(key, "%s is not a whole number from %d to %d", quote(value), low, high)
		}
		*to = n
	}
}

func duration(to *time.Duration, low, high time.Duration) setter {
	return func(p *parser, key, value string) {
		d, ok := parseDuration(value)
		if !ok || d < low || d > high {
			p.problem(key, "%s is not a time from %s to %s, written like 30s, 5m, 1h or 7d", quote(value), FormatDuration(low), FormatDuration(high))
		}
		*to = d
	}
}

// parseDuration reads Fluent Bit's spelling of a time: a whole number and one of s,
// m, h, d; seconds without a unit.
func parseDuration(v string) (time.Duration, bool) {
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

// FormatDuration writes a time as an option would.
func FormatDuration(d time.Duration) string {
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

// db reads the path of the checkpoint file, empty for [DBOff].
func db(to *string) setter {
	return func(p *parser, key, value string) {
		switch {
		case value == "":
			p.problem(key, "missing; set the path of the checkpoint file, or `off`: then every restart reads everything that Mimecast still has again")
		case strings.EqualFold(value, DBOff):
			p.warnings = append(p.warnings, "db is off: a restart reads everything that Mimecast still has again")
			value = ""
		}
		*to = value
	}
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

func account(to *string) setter {
	return func(p *parser, key, value string) {
		if value == "" {
			return
		}
		if err := CheckAccount(value); err != nil {
			p.problem(key, "%v", err)
		}
		*to = value
	}
}

// maxField bounds the name of a field, in bytes.
const maxField = 64

// fieldName reads the name of a field that records get.
func fieldName(to *string) setter {
	return func(p *parser, key, value string) {
		switch {
		case value == "":
		case !printable(value, maxField):
			p.problem(key, "%s is longer than %d bytes, or can't be printed", quote(value), maxField)
		case record.IsReserved(value):
			p.problem(key, "%s is a field with a use of its own", quote(value))
		}
		*to = value
	}
}

func accountCode(to *string) setter {
	return func(p *parser, key, value string) {
		if len(value) > maxField || strings.ContainsFunc(value, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
		}) {
			p.problem(key, "%s is not a code of at most %d letters and digits", quote(value), maxField)
		}
		*to = value
	}
}

// printable reports whether a text has at most so many bytes, and only characters
// that can be printed.
func printable(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func proxyURL(to **url.URL) setter {
	return func(p *parser, key, value string) {
		if value == "" {
			return
		}
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
			// Not quoted: it may hold a password.
			p.problem(key, "not a URL like http://proxy.example.com:3128 (http, https or socks5)")
		}
		*to = u
	}
}

// certificates reads a PEM file.
func certificates(to *[]byte) setter {
	return func(p *parser, key, path string) {
		if path == "" {
			return
		}
		pem, err := readFile(path)
		switch {
		case err != nil:
			p.problem(key, "can't read it: %v", err)
		case !x509.NewCertPool().AppendCertsFromPEM(pem):
			p.problem(key, "%s holds no certificate in PEM form", quote(path))
		}
		*to = pem
	}
}

// maxPathFile bounds what is read of a file named by an option, in bytes.
const maxPathFile = 1 << 20

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
