package record

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// The tests in this file write key_value lines from Mimecast's description of
// the format, each with the record that Mimecast's JSON would have for it. They
// share nothing with the parser but Reset, Next, Source and Rest, so that an
// error in how the parser understands the format can't hide in its tests.
//
// What an honest line is:
//
//   - It begins with datetime, mostly has aCode next, then acc. No field comes
//     twice.
//   - A wrapped text is not empty and has no line end. The bytes after its first
//     backslash hold no \|identifier=, and a text that begins with |identifier=
//     counts as one that does: with the first backslash it is such a sequence.
//   - A bare value has no |identifier= and no line end, no backslash at either
//     end, no bar at its own, and neither datetime= and a time there.
//   - An object is JSON, and what stands in its strings does not matter.
//
// In doubt what an identifier is, honest texts have nothing that might be one.
//
// What a hostile line is: an honest one but for its subject, which is wrapped
// and may hold anything. The promise for it is:
//
//   - The records of other lines are as if it were not there.
//   - A record that is not flagged has all fields that stand outside the subject,
//     with their values. A line end in the subject does not change that: what
//     follows it gives no record of its own, unless flagged.
//   - A flagged record may lack such fields, but has none with a value that the
//     subject's sender chose, the timestamp included.
//   - Nothing of the subject is lost. It is in the record's fields, in its
//     log_original, or in what is unreadable.
//
// Some lines can't be decided and are left out, see [secondAttack.undecidable].
//
// MIMECAST_SEED sets the seed, MIMECAST_LINES how many lines a test reads.

// secondKind is a type of log file.
type secondKind struct {
	names   string   // log_type, and other names for it
	always  string   // fields that every record has, apart from datetime and acc
	subject string   // the field that an outside sender writes
	orders  []string // in which order fields come
}

var secondKinds = []secondKind{
	{"receipt", "Sender Rcpt", "Subject", []string{
		"SpamLimit IP Dir MsgId Subject headerFrom Sender Rcpt SpamInfo Act TlsVer Cphr SpamProcessingDetail SpamScore Virus Error RejType RejCode RejInfo",
		"Act IP Dir MsgId Subject headerFrom Sender Rcpt SpamLimit SpamScore SpamInfo SpamProcessingDetail TlsVer Cphr Virus Error RejType RejCode RejInfo",
	}},
	{"process", "", "", []string{
		"Act Hld AttCnt AttSize AttNames MsgId MsgSize IPInternalName IPNewDomain IPReplyMismatch IPSimilarDomain IPThreadDict",
	}},
	{"delivery", "Sender Rcpt", "Subject", []string{
		"Delivered IP AttCnt Dir ReceiptAck MsgId Subject Latency Sender Rcpt AttSize Attempt TlsVer Cphr Snt UseTls Route Err RejType RejCode RejInfo",
		"Delivered Attempt Latency Snt Route ReceiptAck UseTls Err RejType RejCode RejInfo IP AttCnt AttSize Dir MsgId Subject Sender Rcpt TlsVer Cphr",
	}},
	{"jrnl", "Sender Rcpt", "Subject", []string{
		"RcptActType RcptHdrType Dir Sender Rcpt MsgId Subject",
	}},
	{"av avtse av_tse", "Sender Recipient", "Subject", []string{
		"Virus fileName fileExt fileMime md5 sha1 sha256 Size CustomerIP MimecastIP IP MsgId Recipient Route Sender SenderDomain SenderDomainInternal Subject",
	}},
	{"spameventthread", "Sender Recipient", "Subject", []string{
		"SourceIP SenderDomain Route Sender Recipient Subject MsgId headerFrom",
	}},
	{"iep", "Sender Recipient", "Subject", []string{
		"ScanResultInfo URL UrlCategory Route Sender Recipient Subject MsgId",
	}},
	{"impersonation", "Sender Recipient", "Subject", []string{
		"Action Definition Hits InternalName NewDomain ReplyMismatch SimilarInternalDomain SimilarCustomExternalDomain SimilarMimecastExternalDomain ThreatDictionary CustomThreatDictionary CustomName TaggedExternal TaggedMalicious IP Route Sender Recipient Subject MsgId",
	}},
	{"ttp_url", "sender recipient", "subject", []string{
		"reason url urlCategory action sourceIp credentialTheft sender recipient senderDomain route subject",
	}},
	{"ttp_ap", "Sender Recipient", "Subject", []string{
		"fileName fileExt fileMime md5 sha1 sha256 Size IP Route Sender Recipient SenderDomain Subject",
	}},
}

// secondTexts are the fields that may be wrapped, with what they usually say.
var secondTexts = map[string][]string{
	"Subject":        {"Auto Reply", "message subject", "RE: AW: Invoice 4711", "Your order", "[EXT] Hello", "(none)"},
	"subject":        {"Auto Reply", "message subject", "Reset your password", "FW: Report"},
	"headerFrom":     {"from@mimecast.com", `"Doe, Jane" <jane@example.com>`, "Jürgen <j@example.de>"},
	"ReceiptAck":     {"250 2.6.0 Queued mail for delivery", "250 2.0.0 OK 1634623600 x1-20si", `250 2.6.0 <a@b> [InternalId=42, Hostname=X.example.com] 9913 bytes in 0.2, 44.1 KB/sec Queued mail for delivery`},
	"RejType":        {"Invalid Recipient Address", "Virus Signature Detection", "IP Found in RBL", "Message bounced due to Content Examination Policy"},
	"RejInfo":        {"[Sender Rejected]", "https://community.mimecast.com/docs/DOC-1369#550", "550 5.1.1 User unknown", "Recipient <x@example.com>: a=b"},
	"Error":          {"Message Stream Timeout", "Connection reset", "Failed Known address verification"},
	"Err":            {"Connection timed out", "421 4.7.0 try later", "TLS required"},
	"Route":          {"Office365", "DA Reject", "Mimecast Internal", "Inbound", `To "HQ"`},
	"route":          {"inbound", "internal", "outbound"},
	"Virus":          {"Win.Test.EICAR_HDB-1", "Mal/Phish-A", "Troj/DocDl-AEG"},
	"fileName":       {"a.docx", "Invoice (1).pdf", "Über uns.xlsx", `C:\temp\x`},
	"ScanResultInfo": {"Blocked URL Category", "Suspicious file: x", "Block"},
	"UrlCategory":    {"Phishing & Fraud", "Blocked", "Business"},
	"urlCategory":    {"Phishing & Fraud", "Uncategorized"},
	"Definition":     {"IP - 1 hit (Tag email)", "Default Impersonation Definition"},
	"CustomName":     {"false", "VIP list"},
	"reason":         {"malicious", "clean", "Known bad: x"},
	"AttNames":       nil, // see attachments
}

// secondUsual are the other fields that are strings.
var secondUsual = map[string][]string{
	"Act":          {"Acc", "Rej", "Ign", "Hld", "Bnc", "Sdbx", "Rty"},
	"Action":       {"Hold", "Bounce", "None"},
	"Cphr":         {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "TLS_AES_256_GCM_SHA384"},
	"Dir":          {"Inbound", "Outbound", "Internal", "External"},
	"Hits":         {"0", "1", "3"},
	"Hld":          {"Spm", "Content Limits: a | b", "Dmarc"},
	"RcptActType":  {"Jnl", "Fwd"},
	"RcptHdrType":  {"Unknown", "Missing", "To"},
	"RejCode":      {"550", "451", "554"},
	"SpamInfo":     {"[]", "[SPF_FAIL, x=1]", `["a","b"]`},
	"TlsVer":       {"TLSv1", "TLSv1.2", "TLSv1.3"},
	"UseTls":       {"Yes", "No"},
	"action":       {"allow", "block", "warn"},
	"fileExt":      {"docx", "exe", "tar.gz", "pdf"},
	"fileMime":     {"application/pdf", "text/plain; charset=utf-8", "application/vnd.openxmlformats"},
	"SenderDomain": {"example.com", "xn--bcher-kva.example", "bücher.example"},
	"senderDomain": {"example.com", "mail.example.org"},
}

// secondAtoms are what nasty texts are made of.
var secondAtoms = []string{
	"a", "re:", "Hello", "and", "Grüße", "€ 5", "Привет", "日本語", "مرحبا", "🎉", "👩‍👩‍👧", "𝒳", "\u200b", "e\u0301",
	`"`, `""`, `'`, `"x"`, "|", " | ", "||", "|||", "| ", " |", "a | b", "=", "==", "=x", "a=b", "key=value",
	"Act=Acc", "Sender=ceo@example.com", "datetime=2026-01-01T00:00:00+0000", "|Act=Acc", "| Act=Acc", "||Act=Acc",
	"|Sender=", "|x=", "|Subject=y", `|RejInfo=\y`, "|Act",
	`\`, `\\`, `\ `, `C:\temp\x`, `DOMAIN\user`, `\\server\share`, `\n`, `\r\n`, `\"`, `\|`, `\| `, `|\`, `\||`, `\|\`, `\|Act`, `\| Act=Acc`, `\ |Act=Acc`, `\u0041`,
	"{", "}", "[", "]", "[]", "{}", `{"a":"b"}`, `{"a":"`, `{"a":"b|c=d"}`, `"}`, `"},`, ",", ":", ";", "&", "<b>", "&amp;", "%7C", "%0a",
	"https://example.com/?a=1&b=2", "https://example.com/x|y?q=a|b", "mailto:a@b?subject=x=y", "<1@x>", "#", "$1", "%s", "null", "true", "0", "-1", "1e9",
	"\t", "\t\t", "\u2028", "\u0085", "\v", "\f", "\x00", "\x1b[0m", "\x7f", " ", "  ",
}

var (
	// secondKey matches all that anyone might take for the begin of a field.
	secondKey = regexp.MustCompile(`\|[\p{L}\p{N}_.\-]+=`)
	// secondEnd matches all that might be the end of a text and the next field.
	secondEnd = regexp.MustCompile(`\\\|[\p{L}\p{N}_.\-]+=`)
	// secondJoined matches a value that another line follows without a line end.
	secondJoined = regexp.MustCompile(`datetime=[0-9:T-]+[+-][0-9]{4}$`)
)

func honestText(s string) bool {
	return s != "" && !strings.ContainsAny(s, "\r\n") && !secondEnd.MatchString(`\`+s)
}

func honestBare(s string) bool {
	return s != "" && !strings.ContainsAny(s, "\r\n") && !secondKey.MatchString("|"+s) && !secondKey.MatchString(s) &&
		s[0] != '\\' && s[len(s)-1] != '\\' && s[len(s)-1] != '|' && !secondJoined.MatchString(s)
}

// secondField is a field as it stands in a line, and its value in JSON.
type secondField struct {
	key   string
	raw   string // what stands after =, with the backslashes that wrap it
	value any    // nil, bool, string, json.Number, []any or map[string]any
}

type secondLine struct {
	text    string
	twin    map[string]any
	logType string
}

func joinFields(fields []secondField) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('|')
		}
		b.WriteString(f.key + "=" + f.raw)
	}
	return b.String()
}

func twinOf(fields []secondField) map[string]any {
	twin := make(map[string]any, len(fields))
	for _, f := range fields {
		twin[f.key] = f.value
	}
	return twin
}

// secondHonest writes an honest line of that type.
func secondHonest(rng *rand.Rand, kind secondKind) secondLine {
	r := secondRand{rng}
	fields := r.fields(kind)
	if kind.names == "receipt" && r.one(200) {
		fields = documentedLine()
	}
	return secondLine{text: joinFields(fields), twin: twinOf(fields), logType: kind.name()}
}

func (k secondKind) name() string {
	return strings.Fields(k.names)[0]
}

// documentedLine is the one line that Mimecast shows whole.
func documentedLine() []secondField {
	str := func(key, s string) secondField { return secondField{key, s, s} }
	number := func(key, s string) secondField { return secondField{key, s, json.Number(s)} }
	return []secondField{
		str("datetime", "2017-05-26T16:47:41+0100"),
		str("aCode", "7O7I7MvGP1mj8plHRDuHEA"),
		str("acc", "C0A0"),
		number("SpamLimit", "0"),
		str("IP", "123.123.123.123"),
		str("Dir", "Internal"),
		str("MsgId", "<81ce15$8r2j59@mail01.example.com>"),
		{"Subject", `\message subject\`, "message subject"},
		str("headerFrom", "from@mimecast.com"),
		str("Sender", "from@mimecast.com"),
		str("Rcpt", "auser@mimecast.com"),
		str("SpamInfo", "[]"),
		str("Act", "Acc"),
		str("TlsVer", "TLSv1"),
		str("Cphr", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
		{"SpamProcessingDetail", `{"spf":{"info":"SPF_FAIL","allow":true},"dkim":{"info":"DKIM_UNKNOWN","allow":true}}`, map[string]any{
			"spf":  map[string]any{"info": "SPF_FAIL", "allow": true},
			"dkim": map[string]any{"info": "DKIM_UNKNOWN", "allow": true},
		}},
		number("SpamScore", "1"),
	}
}

type secondRand struct{ *rand.Rand }

func (r secondRand) one(in int) bool           { return r.IntN(in) == 0 }
func (r secondRand) chance(p float64) bool     { return r.Float64() < p }
func (r secondRand) of(s ...string) string     { return s[r.IntN(len(s))] }
func (r secondRand) rate(p ...float64) float64 { return p[r.IntN(len(p))] }

// fields makes the fields of an honest line, in order.
func (r secondRand) fields(kind secondKind) []secondField {
	present := r.rate(0.9, 0.9, 0.9, 0.5, 1)
	wrapped := r.rate(0, 0.3, 0.6, 1)
	nasty := r.rate(0.1, 0.5, 0.9)

	head := []secondField{r.value("datetime", 0, 0)}
	if !r.one(12) {
		head = append(head, r.value("aCode", 0, 0))
	}
	head = append(head, r.value("acc", 0, 0))
	always := strings.Fields(kind.always)
	var rest []secondField
	for key := range strings.FieldsSeq(r.of(kind.orders...)) {
		must := slices.Contains(always, key)
		if !must && !r.chance(present) {
			continue
		}
		switch {
		case !must && r.one(60):
			rest = append(rest, secondField{key: key})
		case key == kind.subject:
			rest = append(rest, r.value(key, max(wrapped, 0.8), max(nasty, 0.5)))
		default:
			rest = append(rest, r.value(key, wrapped, nasty))
		}
	}
	if r.one(7) {
		r.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	}
	return append(head, rest...)
}

// value makes a value for that field. The other arguments say how likely a free
// text is wrapped, and how likely it is nasty.
func (r secondRand) value(key string, wrapped, nasty float64) secondField {
	str := func(s string) secondField { return secondField{key, s, s} }
	number := func(n int64) secondField {
		s := strconv.FormatInt(n, 10)
		return secondField{key, s, json.Number(s)}
	}
	if usual, ok := secondTexts[key]; ok {
		for {
			var s string
			switch {
			case key == "AttNames":
				s = r.attachments()
			case r.chance(nasty):
				s = r.text()
			default:
				s = r.of(usual...)
			}
			if r.chance(wrapped) || !honestBare(s) {
				if honestText(s) {
					return secondField{key, `\` + s + `\`, s}
				}
				continue
			}
			return str(s)
		}
	}
	if usual, ok := secondUsual[key]; ok {
		return str(r.of(usual...))
	}
	switch key {
	case "datetime":
		zone := time.FixedZone("", 900*(r.IntN(105)-48))
		return str(time.Unix(1<<30+r.Int64N(1<<29), 0).In(zone).Format("2006-01-02T15:04:05-0700"))
	case "aCode":
		return str(base64.RawURLEncoding.EncodeToString(r.bytes(16)))
	case "acc":
		return str(fmt.Sprintf("C%dA%d", r.IntN(100), r.IntN(1000)))
	case "AttCnt", "SpamLimit", "SpamScore", "Attempt":
		return number(r.Int64N(60))
	case "AttSize", "MsgSize", "Size", "Latency", "Snt":
		return number(r.Int64N(1 << (1 + r.IntN(40))))
	case "Delivered":
		b := r.one(2)
		return secondField{key, strconv.FormatBool(b), b}
	case "SpamProcessingDetail", "credentialTheft":
		value, raw := r.object(0)
		return secondField{key, raw, value}
	case "MsgId":
		return str(r.of("<2@x>", "<81ce15$8r2j59@mail01.example.com>", "<a=b@example.com>", "<a|b@example.com>", "<CA+x=y|z@mail.gmail.com>", `<"a b"@x>`, "<é@x>"))
	case "Sender", "Rcpt", "Recipient", "sender", "recipient":
		return str(r.of("<>", "auser@example.com", "from@mimecast.com", "bounce+u=example.com@lists.example.org", "a|b@example.com", `"a | b"@example.com`, "o'neil@example.ie", "jürgen@bücher.example"))
	case "IP", "SourceIP", "CustomerIP", "MimecastIP", "sourceIp":
		return str(r.of("192.0.2.1", "123.123.123.123", "2001:db8::1", "::ffff:192.0.2.7"))
	case "URL", "url":
		return str(r.of("https://example.com/", "http://example.com/?a=1&b=2", "https://example.com/a|b?q=| x", "https://example.com/?u=https%3A%2F%2Fx%2F%3Fa%3D1", "https://example.com/?next=a||b", `http://example.com/a\b/c`, "https://例え.example/ü#=|x"))
	case "md5":
		return str(fmt.Sprintf("%x", r.bytes(16)))
	case "sha1":
		return str(fmt.Sprintf("%x", r.bytes(20)))
	case "sha256":
		return str(fmt.Sprintf("%x", r.bytes(32)))
	}
	return str(r.of("true", "false")) // what a policy found
}

func (r secondRand) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// text makes any text, which need not be honest.
func (r secondRand) text() string {
	var b strings.Builder
	for n := 1 + r.IntN(6); n > 0; n-- {
		atom := r.of(secondAtoms...)
		if r.one(1500) {
			atom = strings.Repeat(atom+r.of("", " "), 1+r.IntN(1000))
		}
		b.WriteString(atom)
		if r.one(2) {
			b.WriteByte(' ')
		}
	}
	if r.one(5000) {
		b.WriteString(strings.Repeat("long | text=", 4000))
	}
	return b.String()
}

func (r secondRand) attachments() string {
	var b strings.Builder
	for i := range 1 + r.IntN(4) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`"` + r.of("a.docx", "b|c.xlsx", "x=y.txt", "| .pdf", `C:\t.exe`, "ünïcödé 🎉.zip", "a, b.doc", "||", strings.TrimSpace(r.text())) + `"`)
	}
	return b.String()
}

// object makes a JSON object, and one way to write it.
func (r secondRand) object(depth int) (map[string]any, string) {
	if depth == 0 && r.one(2) {
		return map[string]any{"spf": map[string]any{"info": "SPF_FAIL", "allow": true}, "dkim": map[string]any{"info": "DKIM_UNKNOWN", "allow": true}},
			`{"spf":{"info":"SPF_FAIL","allow":true},"dkim":{"info":"DKIM_UNKNOWN","allow":true}}`
	}
	object := map[string]any{}
	var parts []string
	blank := r.of("", "", "", " ")
	for range r.IntN(5) {
		key := r.of("spf", "dkim", "dmarc", "info", "allow", "score", "a|b", "|Act=", "x=y", `q"q`, `b\s`, "é", "🎉", "Sender")
		if _, twice := object[key]; twice {
			continue
		}
		value, raw := r.json(depth)
		object[key] = value
		parts = append(parts, r.quote(key)+blank+":"+blank+raw)
	}
	return object, "{" + blank + strings.Join(parts, ","+blank) + blank + "}"
}

func (r secondRand) json(depth int) (any, string) {
	switch n := r.IntN(12); {
	case n < 3 && depth < 4:
		return r.object(depth + 1)
	case n < 4 && depth < 4:
		list, parts := []any{}, []string{}
		for range r.IntN(4) {
			value, raw := r.json(depth + 1)
			list, parts = append(list, value), append(parts, raw)
		}
		return list, "[" + strings.Join(parts, ",") + "]"
	case n == 4:
		return nil, "null"
	case n == 5:
		b := r.one(2)
		return b, strconv.FormatBool(b)
	case n == 6:
		s := r.of("0", "1", "-7", "28237", "0.5", "-12.25", "9007199254740993")
		return json.Number(s), s
	}
	s := r.of("SPF_FAIL", "", "x|y", "a | b", "|Act=Acc", `\|Act=Acc`, `x\|Sender=ceo@example.com`, `\`, `"`, "two\nlines", "\r\n", `{"a":"b"}`, r.text())
	return s, r.quote(s)
}

// quote writes a JSON string, with any of the escapes that may be chosen.
func (r secondRand) quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	hex := r.rate(0, 0, 0.1, 1)
	for _, c := range s {
		switch {
		case c >= 1<<16 && r.chance(hex):
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(c-1<<16)>>10, 0xdc00+(c-1<<16)&0x3ff)
		case c < 1<<16 && r.chance(hex):
			fmt.Fprintf(&b, `\u%04x`, c)
		case c == '"' || c == '\\' || c == '/' && r.one(2):
			b.WriteString(`\` + string(c))
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ':
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// secondAttack is a hostile line.
type secondAttack struct {
	line    string
	real    map[string]any // all fields but the subject
	subject string         // as its sender wrote it
	class   string         // of attack
	at      int            // where in the line the subject begins
	around  []secondField  // the fields of real
	kind    secondKind
}

// secondClasses are how a subject can be built. To tell them apart is of use
// only to who reads a failure.
var secondClasses = []string{
	"known",   // what one would try first
	"bare",    // fields, the last one bare
	"open",    // fields, then a text that the subject's end closes
	"tail",    // the rest of the line with other values
	"whole",   // a whole line
	"object",  // begins of JSON objects
	"repeat",  // the same many times
	"own",     // unknown fields, and such that only this package sets
	"cut",     // half a field at either end
	"lineend", // line ends followed by the begin of a line, or by anything
	"mixed",   // all of it
}

// secondHostile writes a line with a subject of that class. It is not ok if the
// line is one that can't be decided.
func secondHostile(rng *rand.Rand, kind secondKind, class string) (a secondAttack, ok bool) {
	r := secondRand{rng}
	fields := r.fields(kind)
	at := slices.IndexFunc(fields, func(f secondField) bool { return f.key == kind.subject })
	if at < 0 {
		at = len(fields)
		fields = append(fields, secondField{key: kind.subject})
	}
	forger := secondForger{r, kind, fields, at}
	a = secondAttack{subject: cmp.Or(forger.subject(class), `\`), class: class, kind: kind}
	fields[at].raw = `\` + a.subject + `\`
	a.line = joinFields(fields)
	a.at = len(joinFields(fields[:at])) + len("|"+kind.subject+`=\`)
	a.around = slices.Delete(fields, at, at+1)
	a.real = twinOf(a.around)
	return a, !a.undecidable()
}

// secondForger writes subjects for a line. It knows the line, which a sender
// can only guess.
type secondForger struct {
	secondRand
	kind   secondKind
	fields []secondField
	at     int // of the subject
}

func (f secondForger) subject(class string) string {
	lead := f.of("x", "x", "Hello", "", " ", `x\`, "x|", `\`, f.text(), f.text())
	switch class {
	case "known":
		return f.of(
			`x\|Act=Acc`, `x\|Sender=ceo@example.com|Act=Acc`, `x\|Rcpt=a@b|Sender=ceo@example.com|RejInfo=\y`, `x\|Act=Acc|RejInfo=\y`,
			`x\|RejInfo=\y\|Sender=ceo@example.com\|Act=Acc`, `x\|SpamProcessingDetail={"a":"`, `x\|SpamProcessingDetail={"a":"b"}|Act=Acc`,
			`x\|Subject=y`, `x\|subject=\y`, `\|Act=Acc`, `|Act=Acc`, `x\|`, `x\`, `x\|Foo=bar`, `x\|log_type=process|RejInfo=\y`,
			"x\rdatetime=2026-01-01T00:00:00+0000|Act=Acc", "x\ndatetime=2026-01-01T00:00:00+0000|Act=Acc", "x\\\ndatetime=2026-01-01T00:00:00+0000|Act=Acc",
			"x\\|Sender=ceo@example.com\ndatetime=2026-01-01T00:00:00+0000|Act=Acc|RejInfo=\\y", "x\njunk", "x\\\r\njunk", "\n", "x\r",
		)
	case "bare":
		return lead + f.steps(false)
	case "open":
		return lead + f.steps(true)
	case "tail":
		return lead + f.tail() + f.ending()
	case "whole":
		return lead + f.of(`\|`, `|`, `\||`, " ") + f.whole() + f.ending()
	case "object":
		return lead + f.steps(f.one(2)) + f.objectStep() + f.of("", f.steps(false), f.steps(true), f.objectStep(), f.ending())
	case "repeat":
		n := 2 + f.IntN(40)
		if f.one(20) {
			n = 2000
		}
		unit := f.of(f.step(false), f.step(true), f.steps(false), f.objectStep(), `\|`, `\|x=\`, `|x=`, `\`)
		// A line stays well below MaxRaw, so that it can be kept whole.
		return lead + strings.Repeat(unit, min(n, 50_000/len(unit))) + f.ending()
	case "own":
		key := f.of("log_type", "log_source", "log_ambiguous", "log_original", "timestamp", "foo", "x_1", "X", "_")
		return lead + f.of("", f.steps(false)) + `\|` + key + "=" + f.of("", `\`) + f.forged() + f.of("", f.steps(false), f.steps(true), f.ending())
	case "cut":
		begin := f.of("", "|"+f.key()+"="+f.forged(), "|"+f.key()+`=\`+f.forged(), "|", `\|`, lead)
		key := f.key()
		end := f.of(`\`, `\\`, `\|`, `\|`+key, `\|`+key+"=", `|`+key+"=", `\|`+key+`=\`, `\|`+key+`=\\`, "|", `\|`+key+`={`, `\|`+key+`={"a":"\`, f.step(false)+`\`)
		return begin + f.of("", f.steps(false), f.steps(true)) + end
	case "lineend":
		return lead + f.lineEnds()
	}
	s := lead
	for range 1 + f.IntN(4) {
		s += f.of(f.steps(false), f.steps(true), f.objectStep(), f.text(), f.lineEnds(), f.tail(), f.ending())
	}
	return s
}

// key names a field to forge: mostly one that stands in the line.
func (f secondForger) key() string {
	switch n := f.IntN(20); {
	case n < 10 && f.at+1 < len(f.fields):
		return f.fields[f.at+1+f.IntN(len(f.fields)-f.at-1)].key
	case n < 14:
		return f.fields[f.IntN(len(f.fields))].key
	case n < 17:
		return f.of(strings.Fields(f.kind.orders[0])...)
	}
	return f.of("Act", "Sender", "Rcpt", "RejInfo", "Foo", "x1", "log_type")
}

func (f secondForger) forged() string {
	return f.of("Acc", "ceo@example.com", "true", "0", "203.0.113.66", "", "a b", `C:\x`, "a|b", "a=b", "{", fmt.Sprintf("f%07x", f.Uint32()>>4))
}

// step is one forged field, with what ends the text before it.
func (f secondForger) step(open bool) string {
	if open {
		return `\|` + f.key() + `=\` + f.of("y", f.forged())
	}
	return `\|` + f.key() + "=" + f.forged()
}

func (f secondForger) objectStep() string {
	return `\|` + f.of("SpamProcessingDetail", "credentialTheft", f.key()) + "=" +
		f.of(`{"a":"`, `{"a":"\`, `{"a":"b"`, `{"a":"b"}`, `{"spf":{"info":"`, `{"a":"x|Act=Acc"}`, `{"a":["`, `{`, `{"a":1,"b":"`, `{"`) + f.of("", "", f.forged())
}

// steps are several forged fields.
func (f secondForger) steps(open bool) string {
	s := f.step(false)
	for range f.IntN(4) {
		switch f.IntN(3) {
		case 0:
			s += f.step(true)
		case 1:
			s += f.step(false)
		default:
			s += "|" + f.key() + "=" + f.forged()
		}
	}
	if open {
		s += f.of(`\|`, `|`) + f.of("RejInfo", f.key()) + `=\y`
	}
	return s
}

// tail is what follows the subject, with some values forged.
func (f secondForger) tail() string {
	var s string
	for _, field := range f.fields[f.at+1:] {
		raw := field.raw
		if f.one(2) {
			raw = f.forged()
		}
		s += "|" + field.key + "=" + raw
	}
	return `\` + cmp.Or(s, "|Sender=ceo@example.com")
}

// whole is a line, mostly as the type's lines are.
func (f secondForger) whole() string {
	if f.one(2) {
		return f.of("datetime=2026-01-01T00:00:00+0000|Act=Acc", "datetime=2026-01-01T00:00:00+0000|acc=C0A0|Act=Acc|Sender=ceo@example.com")
	}
	return joinFields(f.secondRand.fields(f.kind))
}

func (f secondForger) ending() string {
	return f.of("", "", `\`, `|RejInfo=\y`, `\|RejInfo=\y`, `\|`+f.key()+`=\`, "y")
}

// lineEnds are one to three line ends, with forged lines or anything behind.
func (f secondForger) lineEnds() string {
	s := f.of("", "", `\`, f.steps(false), f.steps(true), f.tail(), f.tail()+`\`)
	for n := 1 + f.IntN(3); n > 0; n -= 1 + f.IntN(3) {
		s += f.of("\n", "\r\n", "\r", "\n\n", "\n\r")
		s += f.of(
			"", "junk", "y | z", f.text(), f.steps(false), f.step(true), "Act=Acc", "|Act=Acc",
			"datetime=2026-01-01T00:00:00+0000|Act=Acc",
			"datetime=2026-01-01T00:00:00+0000|Act=Acc"+f.steps(true),
			"datetime=2026-01-01T00:00:00+0000|acc=C0A0|"+f.kind.subject+`=\y`,
			"datetime=2026-01-01T00:00:00+0000|aCode=AAAAAAAAAAAAAAAAAAAAAA|acc=C0A0|Act=Acc|"+f.kind.subject+`=\y`,
			f.whole(), f.whole(),
		)
	}
	return s
}

// undecidable tells whether no parser can keep the promise, because the bytes of
// the line have another meaning that is as good as the real one:
//
//   - The subject closes its text, and up to there the line can be one: no field
//     comes twice. Any documented field may be absent, so it need not have all. A
//     line end follows, maybe junk, and the begin of a next line: datetime and acc.
//     Where all that follows is imitated too, the bytes are those of two honest
//     lines. Where it is not, the first line still is one, so these are left out
//     as well.
//   - A line end follows in the subject, and all of a line: it may be one, and
//     what stands before it a line that was cut.
//   - An object begins in the subject and a line end breaks it off. The service
//     may cut values, so such a line can be one.
//   - The line can be read as an honest one that has other values outside the
//     subject. An honest line has only one meaning, and a field that comes twice
//     is not honest. So it takes an object that begins in the subject and ends
//     behind it, in a text that happens to fit. It is yet to be seen.
//
// All else can be decided. A line that can't stand alone belongs together with
// the fewest next lines that make it one.
func (a secondAttack) undecidable() bool {
	if honest, ok := honestFields(a.line); ok && a.complete(honest) {
		for _, want := range a.around {
			stands := func(f secondField) bool { return f.key == want.key && f.raw == want.raw }
			if !slices.ContainsFunc(honest, stands) {
				return true
			}
		}
	}
	if secondCut.MatchString(a.subject) {
		return true
	}
	stands := false // a line before, maybe with junk after it
	for i := range len(a.line) {
		if a.line[i] != '\n' && a.line[i] != '\r' {
			continue
		}
		stands = stands || a.canStand(strings.TrimRight(a.line[:i], "\r\n"))
		if !secondBegin.MatchString(a.line[i+1:]) {
			continue
		}
		line, _, _ := strings.Cut(strings.ReplaceAll(a.line[i+1:], "\r", "\n"), "\n")
		if next, ok := honestFields(line); stands || (ok && once(next)) {
			return true
		}
	}
	return false
}

// secondCut matches an object that a line end breaks off.
var secondCut = regexp.MustCompile(`=\{[^\r\n]*[\r\n]`)

// secondBegin matches the begin of any honest line.
var secondBegin = regexp.MustCompile(`^datetime=[^|\r\n]*(\|aCode=[^|\r\n]*)?\|acc=`)

// canStand tells whether a part of the line can be a line, honest or hostile.
func (a secondAttack) canStand(line string) bool {
	if len(line) <= a.at {
		return false
	}
	// Fields before the subject are honest, and any closing may be the real one.
	before, ok := honestFields(line[:a.at] + `x\`)
	if !ok {
		return false
	}
	for i := a.at; i < len(line); i++ {
		if line[i] != '\\' {
			continue
		}
		if i+1 == len(line) {
			return true
		}
		if _, ok := secondKeyAt(line, i+1); !ok {
			continue
		}
		if after, ok := honestFields(line[i+2:]); ok && once(append(slices.Clip(before), after...)) {
			return true
		}
	}
	return false
}

// complete tells whether fields can be all of a line.
func (a secondAttack) complete(fields []secondField) bool {
	has := func(key string) bool {
		return slices.ContainsFunc(fields, func(f secondField) bool { return f.key == key })
	}
	for key := range strings.FieldsSeq("datetime acc " + a.kind.always) {
		if !has(key) {
			return false
		}
	}
	return once(fields) && fields[0].key == "datetime"
}

// once tells whether no field comes twice.
func once(fields []secondField) bool {
	seen := map[string]bool{}
	for _, f := range fields {
		if seen[f.key] {
			return false
		}
		seen[f.key] = true
	}
	return true
}

// secondKeyAt returns the identifier of a field that begins at a separator there.
func secondKeyAt(s string, at int) (string, bool) {
	if at >= len(s) || s[at] != '|' {
		return "", false
	}
	for i := at + 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '=':
			return s[at+1 : i], i > at+1
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c >= '0' && c <= '9' && i > at+1:
		default:
			return "", false
		}
	}
	return "", false
}

// honestFields reads the fields of an honest line, or of its end. There is only
// one way to read it. Values are not decoded.
func honestFields(s string) ([]secondField, bool) {
	var fields []secondField
	s = "|" + s
	for s != "" {
		key, ok := secondKeyAt(s, 0)
		if !ok {
			return nil, false
		}
		s = s[len(key)+2:]
		end := 0
		switch {
		case s != "" && s[0] == '\\':
			if _, ok := secondKeyAt(s, 1); ok {
				return nil, false
			}
			end = textEnd(s)
			if end < 2 {
				return nil, false // not closed, or empty
			}
			end++
		case strings.HasPrefix(s, "{") && (key == "SpamProcessingDetail" || key == "credentialTheft"):
			d := json.NewDecoder(strings.NewReader(s))
			var object map[string]any
			if d.Decode(&object) != nil {
				return nil, false
			}
			end = int(d.InputOffset())
			if _, ok := secondKeyAt(s, end); !ok && end < len(s) {
				return nil, false
			}
		default:
			for ; end < len(s); end++ {
				if _, ok := secondKeyAt(s, end); ok {
					break
				}
			}
			if strings.HasSuffix(s[:end], `\`) {
				return nil, false
			}
		}
		if strings.ContainsAny(s[:end], "\r\n") {
			return nil, false
		}
		fields = append(fields, secondField{key: key, raw: s[:end]})
		s = s[end:]
	}
	return fields, true
}

// textEnd returns where the backslash is that closes a text, or 0.
func textEnd(s string) int {
	for i := 1; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if _, ok := secondKeyAt(s, i+1); ok || i+1 == len(s) {
			return i
		}
	}
	return 0
}

// secondOutput is what the parser made of some bytes: a record, or none.
type secondOutput struct {
	body   map[string]any
	when   int64
	source string // the bytes that are unreadable
	reason string // why they are
	broken error  // what makes the record itself unreadable
}

const (
	secondSource    = "siem"
	secondCollected = 1_700_000_000
)

// secondRead runs a file through the parser.
func secondRead(d *KeyValueDecoder, in io.Reader, logType string, limit int) ([]secondOutput, error) {
	d.Reset(in, Origin{Source: secondSource, Type: logType, Collected: time.Unix(secondCollected, 0)})
	var outs []secondOutput
	for len(outs) <= limit {
		rec, err := d.Next(nil)
		if err == io.EOF {
			return outs, nil
		}
		if err != nil {
			var damage *Damage
			if !errors.As(err, &damage) {
				return outs, err
			}
			if damage.OneRecord {
				outs = append(outs, secondOutput{source: string(d.Source()), reason: err.Error()})
				continue
			}
			rest, restErr := io.ReadAll(d.Rest())
			return append(outs, secondOutput{source: string(rest), reason: err.Error()}), restErr
		}
		if len(rec) < 14 || !bytes.Equal(rec[:4], []byte{0x92, 0x92, 0xd7, 0}) || rec[12] != 0x80 {
			return outs, fmt.Errorf("not a record: % x", rec[:min(len(rec), 20)])
		}
		var b bytes.Buffer
		if left, err := msgp.UnmarshalAsJSON(&b, rec[13:]); err != nil || len(left) > 0 {
			return outs, fmt.Errorf("bad body: %v, %d bytes left", err, len(left))
		}
		dec := json.NewDecoder(&b)
		dec.UseNumber()
		raw := b.String()
		value, err := decodeOnce(dec)
		body, ok := value.(map[string]any)
		if !ok && err == nil {
			err = fmt.Errorf("body is %T", value)
		}
		if err != nil {
			err = fmt.Errorf("%w: %s", err, briefLine(raw))
			body = map[string]any{}
		}
		outs = append(outs, secondOutput{body: body, when: int64(binary.BigEndian.Uint32(rec[4:8])), broken: err})
	}
	return outs, fmt.Errorf("more than %d records of that file", limit)
}

// decodeOnce decodes JSON in which no field comes twice.
func decodeOnce(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := decodeOnce(d)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = d.Token()
		return list, err
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			if _, twice := object[key.(string)]; twice {
				return nil, fmt.Errorf("field %q comes twice in a record", key)
			}
			if object[key.(string)], err = decodeOnce(d); err != nil {
				return nil, err
			}
		}
		_, err = d.Token()
		return object, err
	}
	return token, nil
}

// same compares JSON values, numbers by their value.
func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok || a == b {
			return ok
		}
		_, notA := a.Int64()
		_, notB := b.Int64()
		x, errA := a.Float64()
		y, errB := b.Float64()
		return notA != nil && notB != nil && errA == nil && errB == nil && x == y
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, same)
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}

// flagged tells whether a record says that its line may mean something else.
func (o secondOutput) flagged() bool {
	_, reason := o.body["log_ambiguous"]
	_, original := o.body["log_original"]
	return reason || original
}

// original returns the line of a record that is flagged.
func (o secondOutput) original() string {
	s, _ := o.body["log_original"].(string)
	return strings.TrimRight(s, "\r\n")
}

// twinDiff says where a record is not the JSON twin of its line. Other fields
// may follow only if more is set.
func (o secondOutput) twinDiff(twin map[string]any, logType string, more bool) string {
	var diff []string
	want := maps.Clone(twin)
	want["log_source"], want["log_type"] = secondSource, logType
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got, ok := o.body[key]; !ok {
			diff = append(diff, fmt.Sprintf("%s: missing, want %s", key, brief(want[key])))
		} else if !same(got, want[key]) {
			diff = append(diff, fmt.Sprintf("%s: got %s, want %s", key, brief(got), brief(want[key])))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(o.body)) {
		if _, ok := want[key]; !ok && !more {
			diff = append(diff, fmt.Sprintf("%s: got %s, want none", key, brief(o.body[key])))
		}
	}
	if t := secondTime(twin); o.when != t {
		diff = append(diff, fmt.Sprintf("timestamp: got %d, want %d", o.when, t))
	}
	if len(diff) > 4 {
		diff = append(diff[:4], fmt.Sprintf("and %d more", len(diff)-4))
	}
	return strings.Join(diff, "\n    ")
}

func secondTime(twin map[string]any) int64 {
	t, _ := time.Parse("2006-01-02T15:04:05-0700", twin["datetime"].(string))
	return t.Unix()
}

// brief shows a value, shortened.
func brief(v any) string {
	s, ok := v.(string)
	if ok {
		s = strconv.Quote(s)
	} else {
		b, _ := json.Marshal(v)
		s = string(b)
	}
	if len(s) > 200 {
		s = s[:120] + " … " + s[len(s)-60:]
	}
	return s
}

func briefLine(s string) string {
	s = strconv.Quote(s)
	if len(s) > 1000 {
		s = s[:650] + " … " + s[len(s)-300:]
	}
	return s
}

func (o secondOutput) String() string {
	switch {
	case o.body == nil:
		return "unreadable, " + o.reason + ": " + briefLine(o.source)
	case o.broken != nil:
		return "a broken record, " + o.broken.Error()
	}
	b, _ := json.Marshal(o.body)
	return briefLine(string(b))
}

// is tells whether a record is that of an honest line, maybe flagged.
func (o secondOutput) is(l secondLine) bool {
	if o.body == nil || o.broken != nil {
		return false
	}
	if o.flagged() {
		return o.original() == l.text
	}
	return o.twinDiff(l.twin, l.logType, false) == ""
}

// verdict says what is wrong with what the parser made of a hostile line.
func (a secondAttack) verdict(outs []secondOutput) string {
	if len(outs) == 0 {
		return "nothing came of the line"
	}
	var kept []string  // bytes that are kept as they were
	var loose []string // keys and values that are not from outside the subject
	plain := 0
	for _, o := range outs {
		switch {
		case o.body == nil:
			kept = append(kept, o.source)
		case o.broken != nil:
			return o.String()
		case o.flagged():
			if s, _ := o.body["log_ambiguous"].(string); s == "" {
				return "a record with log_original, but no reason: " + o.String()
			}
			if s := o.original(); s == "" || !strings.Contains(a.line, s) {
				return "a flagged record whose log_original is not of the line: " + o.String()
			}
			kept = append(kept, o.original())
			if diff := a.taken(o); diff != "" {
				return "a flagged record with values of the subject:\n    " + diff
			}
		default:
			if plain++; plain > 1 {
				return "more than one record that is not flagged, the last: " + o.String()
			}
			if diff := o.twinDiff(a.real, a.kind.name(), true); diff != "" {
				return "a record that is not flagged, and fields outside the subject differ:\n    " + diff
			}
			for key, value := range o.body {
				if _, outside := a.real[key]; !outside && key != "log_source" && key != "log_type" {
					loose = append(loose, flatten(key)...)
					loose = append(loose, flatten(value)...)
				}
			}
		}
	}
	for part := range strings.FieldsFuncSeq(a.subject, func(c rune) bool { return c == '\r' || c == '\n' }) {
		holds := func(s string) bool { return strings.Contains(s, part) }
		if !slices.ContainsFunc(kept, holds) && !slices.ContainsFunc(loose, holds) {
			if lost := lostOf(part, strings.Join(loose, "\n")); lost != "" {
				return "of the subject is lost: " + brief(lost)
			}
		}
	}
	return ""
}

// taken says which fields of a flagged record have values that do not stand in
// the line outside its subject.
func (a secondAttack) taken(o secondOutput) string {
	var diff []string
	outside := a.line[:a.at] + "\n" + a.line[a.at+len(a.subject):]
	for _, key := range slices.Sorted(maps.Keys(a.real)) {
		got, ok := o.body[key]
		if ok && !same(got, a.real[key]) && !standsIn(outside, key, got) {
			diff = append(diff, fmt.Sprintf("%s: got %s, want %s or none", key, brief(got), brief(a.real[key])))
		}
	}
	if o.body["log_source"] != secondSource || o.body["log_type"] != a.kind.name() {
		diff = append(diff, fmt.Sprintf("log_source %v, log_type %v", o.body["log_source"], o.body["log_type"]))
	}
	if o.when != secondTime(a.real) && o.when != secondCollected {
		diff = append(diff, fmt.Sprintf("timestamp: got %d, want %d", o.when, secondTime(a.real)))
	}
	return strings.Join(diff, "\n    ")
}

// standsIn tells whether a part of a line holds that field.
func standsIn(line, key string, value any) bool {
	texts := flatten(value)
	if len(texts) > 1 {
		return false // an object or array
	}
	line = "|" + line
	for _, begin := range []string{"=", `=\`} {
		field := "|" + key + begin + strings.Join(texts, "")
		for i := range len(line) - len(field) + 1 {
			if after := line[i+len(field):]; line[i:i+len(field)] == field && (after == "" || strings.ContainsAny(after[:1], "|\\\n")) {
				return true
			}
		}
	}
	return false
}

// flatten returns the strings of a JSON value.
func flatten(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var list []string
		for _, value := range v {
			list = append(list, flatten(value)...)
		}
		return append(list, "")
	case map[string]any:
		var list []string
		for key, value := range v {
			list = append(append(list, key), flatten(value)...)
		}
		return append(list, "")
	}
	return []string{fmt.Sprint(v)}
}

// lostOf returns what of a subject is not in the fields of its record. What
// separates fields, and the syntax of JSON, need not be.
func lostOf(subject, fields string) string {
	syntax := func(c rune) bool { return strings.ContainsRune(`|\=\"{}[]:, `, c) }
	count := map[rune]int{}
	for _, c := range fields {
		count[c]++
	}
	for token := range strings.FieldsFuncSeq(subject, syntax) {
		if !strings.Contains(fields, token) {
			return token
		}
		for _, c := range token {
			if count[c]--; count[c] < 0 {
				return token
			}
		}
	}
	return ""
}

// secondRun is one test: what it reads, and what it found.
type secondRun struct {
	*testing.T
	seed     uint64
	lines    int
	failures int
	honest   int // lines
	flagged  int // honest lines that are
}

func newSecondRun(t *testing.T) *secondRun {
	number := func(name string, value uint64) uint64 {
		if s := os.Getenv(name); s != "" {
			var err error
			if value, err = strconv.ParseUint(s, 10, 62); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		return value
	}
	return &secondRun{T: t, seed: number("MIMECAST_SEED", 1), lines: int(number("MIMECAST_LINES", 5_000))}
}

// wrong reports a failure, and ends the test when there were enough.
func (r *secondRun) wrong(file int, logType, what, line string) {
	r.Errorf("seed %d, file %d (%s): %s\n  line: %s", r.seed, file, logType, what, briefLine(line))
	if r.failures++; r.failures == 5 {
		r.Fatalf("seed %d: stopped after %d failures; MIMECAST_SEED repeats them", r.seed, r.failures)
	}
}

// neighbour checks the record of an honest line.
func (r *secondRun) neighbour(file int, l secondLine, o secondOutput) bool {
	if !o.is(l) {
		what := "want a record, got " + o.String()
		switch {
		case o.body == nil || o.broken != nil:
		case o.flagged():
			what = "log_original is not the line: " + o.String()
		default:
			what = "wrong record of an honest line:\n    " + o.twinDiff(l.twin, l.logType, false)
		}
		r.wrong(file, l.logType, what, l.text)
		return false
	}
	if o.flagged() {
		if s, _ := o.body["log_ambiguous"].(string); s == "" {
			r.wrong(file, l.logType, "log_original without a reason: "+o.String(), l.text)
		}
		if r.flagged++; r.flagged > r.allowed() {
			r.wrong(file, l.logType, fmt.Sprintf("flagged, the honest line number %d that is: %v", r.flagged, o.body["log_ambiguous"]), l.text)
		}
	}
	return true
}

// allowed returns how many honest lines may be flagged.
func (r *secondRun) allowed() int {
	return max(1, r.lines/10_000)
}

// file joins lines with line ends, and returns a reader with pieces of any size.
func (r secondRand) file(lines []string) io.Reader {
	ends := [][]string{{"\n"}, {"\r\n"}, {"\r"}, {"\n", "\r\n", "\r"}}[r.IntN(4)]
	var b strings.Builder
	for i, line := range lines {
		b.WriteString(line)
		if i+1 < len(lines) || !r.one(3) {
			b.WriteString(r.of(ends...))
		}
	}
	if r.one(2) {
		return strings.NewReader(b.String())
	}
	return &pieceReader{s: b.String(), r: r, most: 1 << r.IntN(15)}
}

type pieceReader struct {
	s    string
	r    secondRand
	most int
}

func (p *pieceReader) Read(b []byte) (int, error) {
	if p.s == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), 1+p.r.IntN(p.most))], p.s)
	p.s = p.s[n:]
	return n, nil
}

// TestSecondHonest checks that honest lines give what their JSON twins say.
func TestSecondHonest(t *testing.T) {
	run := newSecondRun(t)
	var d *KeyValueDecoder
	for file := 0; run.honest < run.lines; file++ {
		r := secondRand{rand.New(rand.NewPCG(run.seed, uint64(file)))}
		if d == nil || r.one(2) {
			d = new(KeyValueDecoder)
		}
		kind := secondKinds[r.IntN(len(secondKinds))]
		kind.names = r.of(strings.Fields(kind.names)...)
		var lines []secondLine
		var texts []string
		for range 1 + r.IntN(1+r.IntN(200)) {
			l := secondHonest(r.Rand, kind)
			lines, texts = append(lines, l), append(texts, l.text)
		}
		run.honest += len(lines)
		outs, err := secondRead(d, r.file(texts), kind.name(), 2*len(lines)+10)
		if err != nil {
			run.wrong(file, kind.name(), err.Error(), texts[min(len(outs), len(texts)-1)])
			d = nil
			continue
		}
		ok := true
		for i, l := range lines {
			if i == len(outs) {
				run.wrong(file, kind.name(), "no record of the line", l.text)
				break
			}
			// Two lines in a row are a sign that lines were split or joined.
			was := ok
			if ok = run.neighbour(file, l, outs[i]); !ok && !was {
				break
			}
		}
		if ok && len(outs) > len(lines) {
			run.wrong(file, kind.name(), fmt.Sprintf("%d records of %d lines, the next is %v", len(outs), len(lines), outs[len(lines)]), texts[len(lines)-1])
		}
	}
	t.Logf("seed %d: %d honest lines, %d flagged", run.seed, run.honest, run.flagged)
}

// TestSecondHostile checks that a subject can't change a field outside it, nor
// a record of another line, and that nothing of it is lost.
func TestSecondHostile(t *testing.T) {
	run := newSecondRun(t)
	hostile, plain, left := map[string]int{}, map[string]int{}, map[string]int{}
	read := 0
	for file := 0; read < run.lines; file++ {
		r := secondRand{rand.New(rand.NewPCG(run.seed, 1<<32+uint64(file)))}
		kind := secondKinds[r.IntN(len(secondKinds))]
		kind.names = r.of(strings.Fields(kind.names)...)
		if kind.subject == "" {
			continue
		}
		// In some files all subjects are alike, as of one who wants to teach the
		// parser something.
		class, campaign := "", r.Uint64()
		if r.one(2) {
			class = r.of(secondClasses...)
		}
		alike, often := r.one(3), r.rate(0.02, 0.1, 0.5, 1)
		var attacks []*secondAttack // nil for an honest line
		var honest []secondLine     // at the same places
		var texts []string
		for range 1 + r.IntN(1+r.IntN(200)) {
			hostileBefore := len(attacks) > 0 && attacks[len(attacks)-1] != nil
			if !hostileBefore && r.chance(often) {
				from := r.Rand
				if alike {
					from = rand.New(rand.NewPCG(campaign, uint64(len(texts)%4)))
				}
				attack, ok := secondHostile(from, kind, cmp.Or(class, r.of(secondClasses...)))
				if ok {
					attacks, honest, texts = append(attacks, &attack), append(honest, secondLine{}), append(texts, attack.line)
					hostile[attack.class]++
					continue
				}
				left[attack.class]++
			}
			l := secondHonest(r.Rand, kind)
			attacks, honest, texts = append(attacks, nil), append(honest, l), append(texts, l.text)
			run.honest++
		}
		read += len(texts)
		// A subject has few line ends, but each makes a record at most.
		ends := strings.Count(strings.Join(texts, ""), "\n") + strings.Count(strings.Join(texts, ""), "\r")
		outs, err := secondRead(new(KeyValueDecoder), r.file(texts), kind.name(), 2*(len(texts)+ends)+10)
		if err != nil {
			run.wrong(file, kind.name(), err.Error(), texts[min(len(outs), len(texts)-1)])
			continue
		}
		for i, attack := range attacks {
			if attack == nil {
				if len(outs) == 0 {
					run.wrong(file, kind.name(), "no record of the honest line", texts[i])
					break
				}
				if !run.neighbour(file, honest[i], outs[0]) {
					break
				}
				outs = outs[1:]
				continue
			}
			// All before the next honest line is of this one.
			n := len(outs)
			if i+1 < len(texts) {
				n = slices.IndexFunc(outs, func(o secondOutput) bool { return o.is(honest[i+1]) })
				if n < 0 {
					got := "nothing"
					if len(outs) > 1 {
						got = outs[1].String()
					}
					run.wrong(file, kind.name(), "("+attack.class+") no right record of the honest line after this, maybe "+got+"\n  want: "+brief(honest[i+1].text), attack.line)
					break
				}
			}
			if what := attack.verdict(outs[:n]); what != "" {
				run.wrong(file, kind.name(), "("+attack.class+") "+what+"\n  subject: "+briefLine(attack.subject), attack.line)
			}
			if n == 1 && outs[0].body != nil && !outs[0].flagged() {
				plain[attack.class]++
			}
			outs = outs[n:]
		}
	}
	t.Logf("seed %d: %d honest lines, %d flagged", run.seed, run.honest, run.flagged)
	t.Logf("hostile lines: %v", hostile)
	t.Logf("of these neither flagged nor unreadable: %v", plain)
	t.Logf("hostile lines left out, as none can decide them: %v", left)
}
