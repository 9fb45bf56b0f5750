package record

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// twins makes log lines and the JSON that they stand for. It shares no code with
// the decoders.
type twins struct{ *rand.Rand }

// fieldsOf has the fields of each type in the order of the documented records:
// a word that says how its value is made, and the name.
var fieldsOf = map[string]string{
	"receipt": "n:SpamLimit w:IP w:Dir w:MsgId t:Subject a:headerFrom a:Sender a:Rcpt w:SpamInfo t:RejType w:RejCode t:RejInfo w:Act w:TlsVer w:Cphr o:SpamProcessingDetail n:SpamScore t:Virus t:Error",
	"process": "w:Act w:Hld n:AttCnt n:AttSize q:AttNames w:MsgId n:MsgSize w:IPInternalName w:IPNewDomain w:IPReplyMismatch w:IPSimilarDomain w:IPThreadDict",
	"delivery": "b:Delivered t:Err t:RejType w:RejCode t:RejInfo w:IP n:AttCnt w:Dir t:ReceiptAck w:MsgId t:Subject n:Latency a:Sender a:Rcpt n:AttSize n:Attempt " +
		"w:TlsVer w:Cphr n:Snt w:UseTls t:Route",
	"av_tse":          "w:MsgId t:fileName w:sha256 n:Size w:IP a:Recipient w:SenderDomain t:Subject w:fileExt w:sha1 a:Sender w:md5 t:Route t:Virus w:fileMime w:CustomerIP",
	"spameventthread": "w:SourceIP w:SenderDomain t:Route a:Sender a:Recipient t:Subject w:MsgId a:headerFrom",
	"iep":             "w:MsgId t:Subject t:ScanResultInfo t:URL t:UrlCategory a:Sender a:Recipient t:Route",
	"ttp_url":         "t:reason t:url a:recipient t:route a:sender w:senderDomain w:sourceIp t:urlCategory t:subject o:credentialTheft w:action",
}

// one makes a line without its end, and its JSON.
func (g twins) one(logType string) (line, object string) {
	stamp := fmt.Sprintf("2026-%02d-%02dT%02d:%02d:%02d%+03d00", 1+g.IntN(12), 1+g.IntN(28), g.IntN(24), g.IntN(60), g.IntN(60), g.IntN(25)-12)
	raw := make([]byte, 16)
	for i := range raw {
		raw[i] = byte(g.IntN(256))
	}
	code := base64.RawURLEncoding.EncodeToString(raw)
	fields := []string{"datetime=" + stamp, "aCode=" + code, "acc=C" + strconv.Itoa(g.IntN(100))}
	members := []string{fmt.Sprintf(`"datetime":%q`, stamp), fmt.Sprintf(`"aCode":%q`, code), fmt.Sprintf(`"acc":%q`, fields[2][4:])}
	for _, f := range strings.Fields(fieldsOf[logType]) {
		how, name, _ := strings.Cut(f, ":")
		if g.IntN(6) == 0 {
			continue
		}
		value, twin := g.value(how)
		if g.IntN(8) == 0 {
			value, twin = "", "null"
		}
		fields = append(fields, name+"="+value)
		members = append(members, fmt.Sprintf("%q:%s", name, twin))
	}
	return strings.Join(fields, "|"), "{" + strings.Join(members, ",") + "}"
}

// value makes a value as it stands in a line and in JSON.
func (g twins) value(how string) (string, string) {
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
	}
	pick := func(list ...string) string { return list[g.IntN(len(list))] }
	var s string
	switch how {
	case "n":
		s = strconv.Itoa(g.IntN(1<<g.IntN(40)+1) - g.IntN(3))
		return s, s
	case "b":
		s = pick("true", "false")
		return s, s
	case "o":
		s = fmt.Sprintf(`{"spf":{"info":%s,"allow":%s},"list":[1,null,%s]}`, quote(g.prose()), pick("true", "false"), quote(pick(`\|Act=x`, "a|b=c", "")))
		return s, s
	case "q":
		s = `"` + pick("a.docx", "b|c.xlsx", "ü.pdf", "x=y.txt") + `", "` + pick("d.zip", "e f.eml") + `"`
	case "a":
		s = pick("<>", "a@example.com", `"Doe, Jane" <jane@example.com>`, "x+y=z@example.net", "bounce=1=@example.org")
	case "w":
		s = pick("Inbound", "TLSv1.3", "192.0.2.7", "<81ce15$8r2j59@mail01.example.com>", "[]", "TLS_AES_256_GCM_SHA384", "true", "application/pdf", "Acc")
	default:
		s = g.prose()
		if wrapped := strings.Contains(s, "|") || strings.HasPrefix(s, `\`) || strings.HasSuffix(s, `\`) || strings.ContainsAny(s, "\r\n"); wrapped || g.IntN(3) > 0 {
			return `\` + s + `\`, quote(s)
		}
	}
	return s, quote(s)
}

// prose is what an honest person writes.
func (g twins) prose() string {
	words := []string{
		"Auto Reply", "250 2.6.0 Queued mail for delivery", "RE: a | b", "50% = half", "x=y", `C:\temp\new`, `\\server\share`, `ends with \`, "tab\there", "Grüße 会议 🚀",
		`"quoted"`, `{"a":1}`, "||", "https://example.com/?a=b&c=d|e", "550 5.7.1 refused\r\n550 see below", "datetime=today", `\ |`, "null", "0", strings.Repeat("long ", 100),
	}
	var out []string
	for range 1 + g.IntN(3) {
		out = append(out, words[g.IntN(len(words))])
	}
	return strings.Join(out, " ")
}

// seeded returns a source of chance whose seed MIMECAST_SEED sets, and the count
// that MIMECAST_LINES sets.
func seeded(t *testing.T) (*rand.Rand, int) {
	t.Helper()
	seed, lines := rand.Uint64(), 5000
	if s, err := strconv.ParseUint(os.Getenv("MIMECAST_SEED"), 10, 64); err == nil {
		seed = s
	}
	if n, err := strconv.Atoi(os.Getenv("MIMECAST_LINES")); err == nil {
		lines = n
	}
	t.Logf("MIMECAST_SEED=%d MIMECAST_LINES=%d", seed, lines)
	return rand.New(rand.NewPCG(seed, seed)), lines
}

// TestKeyValueTwins holds honest lines with any number of texts to the records of
// the JSON that they stand for, byte for byte.
func TestKeyValueTwins(t *testing.T) {
	rng, lines := seeded(t)
	g := twins{rng}
	var types []string
	for name := range fieldsOf {
		types = append(types, name)
	}
	ends := []string{"\n", "\r\n", "\r"}
	flagged, wrong := 0, 0
	for done := 0; done < lines && wrong < 5; {
		o := origin()
		o.Type = types[g.IntN(len(types))]
		var file, list strings.Builder
		end := ends[g.IntN(len(ends))]
		n := 1 + g.IntN(200)
		var all []string
		for range n {
			line, object := g.one(o.Type)
			if g.IntN(10) == 0 {
				end = ends[g.IntN(len(ends))]
			}
			file.WriteString(line + end)
			list.WriteString(object)
			all = append(all, line)
		}
		keyValue, json := new(KeyValueDecoder), new(JSONDecoder)
		keyValue.Reset(strings.NewReader(file.String()), o)
		json.Reset(strings.NewReader(list.String()), o)
		for i := range n {
			want, err := json.Next(nil)
			if err != nil {
				t.Fatalf("the JSON of %q: %v", all[i], err)
			}
			got, err := keyValue.Next(nil)
			if bytes.Contains(got, []byte(keyAmbiguous)) {
				flagged++
				t.Logf("flagged: %q", all[i])
			} else if !bytes.Equal(got, want) {
				t.Errorf("line %q (%v)\n got %q\nwant %q", all[i], err, got, want)
				wrong++
				break
			}
		}
		done += n
	}
	if flagged > 1+lines/10000 {
		t.Errorf("%d of %d lines are called ambiguous", flagged, lines)
	}
}
