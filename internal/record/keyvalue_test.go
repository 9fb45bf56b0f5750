package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openKeyValue(r io.Reader) Decoder {
	d := new(KeyValueDecoder)
	d.Reset(r, origin())
	return d
}

func TestKeyValueLines(t *testing.T) {
	check := func(content string, want ...string) {
		t.Helper()
		checkFile(t, openKeyValue, content, want...)
	}
	a, b := `{,"a":"1"}`, `{,"b":"2"}`
	check("a=1\nb=2\n", a, b)
	check("a=1\r\nb=2\r\n", a, b)
	check("a=1\rb=2\r", a, b)
	check("a=1\n\nb=2", a, b)
	check("\ufeffa=1\nb=2", a, b)
	check("", nil...)
	check("\n\n")
	check("a=1\nno field\nb=2\n", a, `!a line that does not begin with a field at offset 4: no field`, b)
	check("no field\na=1\n", "!a line that does not begin with a field at offset 0: no field", a)
	check(" \t|a=1\n||b=2|\r\n", a, b)
	long := "a=" + strings.Repeat("x", MaxRecord)
	check("a=1\n"+long+"\nb=2\n", a, "!a record of more than 1048576 bytes at offset 4: "+long+"\nb=2\n")
	check("a=1\n"+long[:MaxRecord+1]+"\r\nb=2\r\n", a, "!a record of more than 1048576 bytes at offset 4: "+long[:MaxRecord+1]+"\r\nb=2\r\n")
	for _, before := range []int{0, 1, 2, 3, windowSize/2 - 2} {
		// The line's end lies between two reads, somewhere.
		check("a="+strings.Repeat("1", before)+"\n"+long[:MaxRecord]+"\r\nb=2\r\n", `{,"a":`+map[bool]string{true: "null", false: `"` + strings.Repeat("1", before) + `"`}[before == 0]+`}`,
			`{,"a":"`+long[2:MaxRecord]+`"}`, b)
	}
	fits := long[:MaxRecord]
	check("a=1\n"+fits+"\nb=2\n", a, `{,"a":"`+fits[2:]+`"}`, b)
}

// TestKeyValueLineEnds has files of records with every mixture of line ends.
func TestKeyValueLineEnds(t *testing.T) {
	check := func(content string, want ...string) {
		t.Helper()
		checkFile(t, openKeyValue, content, want...)
	}
	const at = "datetime=2021-10-19T07:06:40+0100"
	line := func(n int) string { return fmt.Sprintf(at+"|aCode=a%d|Route=MX", n) }
	var wants []string
	for n := range 40 {
		wants = append(wants, fmt.Sprintf(`@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","aCode":"a%d","Route":"MX"}`, n))
	}
	file := func(records int, ends ...string) string {
		var b strings.Builder
		for n := range records {
			b.WriteString(line(n) + ends[n%len(ends)])
		}
		return b.String()
	}
	check(file(3, "\r", "\r", "\n"), wants[:3]...)
	check(file(35, "\r")+"\r\n", wants[:35]...)
	check(file(4, "\r", "\r\n"), wants[:4]...)
	check(file(40, "\r", "\n", "\r\n", "\r\r\n", "\n\r", "|\r\n", "\n \n", "\r|"), wants...)
	check(file(3, "\n", "\r"), wants[:3]...)
	long := at + "|Route=" + strings.Repeat("x", windowSize+1<<10)
	check(long+"\r"+line(0)+"\r"+line(1)+"\n", `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","Route":"`+strings.Repeat("x", windowSize+1<<10)+`"}`, wants[0], wants[1])

	// A line end inside a text is the text's.
	text := func(subject string) string {
		return at + `|Act=Rej|Dir=Inbound|Subject=\` + subject + `\|Sender=real|Rcpt=me`
	}
	want := func(subject string) string {
		return `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","Act":"Rej","Dir":"Inbound","Subject":` + compact(t, subject) + `,"Sender":"real","Rcpt":"me"}`
	}
	for _, end := range []string{"\r", "\n", "\r\n"} {
		for _, subject := range []string{"one\ntwo", "\rone", "one\n", "\n", "a\r\n\r\nb", "a\rno field|Act=Acc", "a\nfoo=1", "a\nfoo=1|bar=2|x", "a\nx\\|y\nz", "datetime=2026-01-01T00:00:00+0000|Act=Acc"} {
			check(line(0)+end+text(subject)+end+line(1)+end, wants[0], want(subject), wants[1])
		}
	}
	// A subject that holds what begins a record is one all the same.
	for _, subject := range []string{
		"a\rdatetime=2026-01-01T00:00:00+0000|Act=Acc", "a\r\ndatetime=2026-01-01T00:00:00+0000|Act=Acc|Subject=\\b",
		"a\\\rdatetime=2026-01-01T00:00:00+0000|Act=Acc", "a\\|\rdatetime=2026-01-01T00:00:00+0000|Act=Acc",
		"a\\datetime=2026-01-01T00:00:00+0000|aCode=1",
	} {
		check(line(0)+"\r"+text(subject)+"\r"+line(1)+"\r", wants[0], flagged(t, want(subject), textEnds, text(subject)), wants[1])
	}
	// Lines that no field begins belong to the text before them.
	check(text("x\\|Act=Acc\rfoo")+"\r"+line(0), want("x\\|Act=Acc\rfoo"), wants[0])
	// A text that nothing closes ends with its line where its record is whole,
	// and where nothing comes that could close it.
	whole := at + `|Act=Rej|Dir=Inbound|Sender=real|Rcpt=me|Route=\\host`
	check(whole+"\n"+text("x")+"\n", `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","Act":"Rej","Dir":"Inbound","Sender":"real","Rcpt":"me","Route":"\\host"}`, want("x"))
	check(at+"|Subject=\\x\n"+line(0)+"\n", `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","Subject":"x"}`, wants[0])
}

// TestKeyValueKeepsTheNextRecord has lines that look as if their text went on,
// before lines that are whole.
func TestKeyValueKeepsTheNextRecord(t *testing.T) {
	const at = "datetime=2021-10-19T07:06:40+0100"
	next := at + `|Dir=In|MsgId=2|Subject=\second\|Sender=s|Rcpt=r|Act=Acc`
	want := `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","Dir":"In","MsgId":"2","Subject":"second","Sender":"s","Rcpt":"r","Act":"Acc"}`
	for line, first := range map[string]string{
		`|Dir=In|MsgId=1|Subject=\hello\|headerFrom=x|Sender=y@evil.example|Sender=s|Rcpt=r|Act=Acc`: `,"Dir":"In","MsgId":"1","Subject":"hello","headerFrom":"x","Sender":"y@evil.example","Rcpt":"r","Act":"Acc"}`,
		`|Dir=In|MsgId=1|Subject=\cut`:                                 `,"Dir":"In","MsgId":"1","Subject":"cut"}`,
		`|Dir=In|MsgId=1|Subject=\`:                                    `,"Dir":"In","MsgId":"1","Subject":null}`,
		`|Dir=In|Subject=\hello\|Sender=s|Rcpt=r|Act=Acc|Route=\\host`: `,"Dir":"In","Subject":"hello","Sender":"s","Rcpt":"r","Act":"Acc","Route":"\\host"}`,
	} {
		for _, end := range []string{"\n", "\r", "\r\n"} {
			first := flagged(t, `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100"`+first, textEnds, at+line)
			checkFile(t, openKeyValue, at+line+end+next+end+next+end, first, want, want)
		}
	}
}

// TestKeyValueDependsOnNoReadSize has a line whose end comes into view late.
func TestKeyValueDependsOnNoReadSize(t *testing.T) {
	const at = "datetime=2021-10-19T07:06:40+0100|"
	for _, long := range []int{60000, 100000, 300000} {
		content := at + `Dir=a|Subject=\x\|Dir=In` + "\n" + at + `Dir=In|Subject=\y\|Dir=` + strings.Repeat("z", long) + `\|Act=Acc|Sender=a|Rcpt=b` + "\n"
		whole := read(t, openKeyValue(strings.NewReader(content)))
		for _, size := range []int{1000, 64 << 10, 70000, 128 << 10} {
			if diff := cmp.Diff(whole, read(t, openKeyValue(&sized{strings.NewReader(content), size}))); diff != "" {
				t.Errorf("%d in reads of %d: %.500s", long, size, diff)
			}
		}
	}
}

// sized reads so many bytes at a time.
type sized struct {
	r    io.Reader
	size int
}

func (s *sized) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.size)]) }

// flagged returns a shown record with the fields of one that is ambiguous.
func flagged(t *testing.T, shown, why, line string) string {
	t.Helper()
	return strings.TrimSuffix(shown, "}") + `,"log_ambiguous":` + compact(t, why) + `,"log_original":` + compact(t, line) + `}`
}

// TestKeyValueWithoutLineEnds has records that follow each other without an end.
func TestKeyValueWithoutLineEnds(t *testing.T) {
	check := func(content string, want ...string) {
		t.Helper()
		checkFile(t, openKeyValue, content, want...)
	}
	const at = "datetime=2021-10-19T07:06:40+0100"
	line := at + "|Act=Acc|Dir=Inbound|Sender=a|Rcpt=b|Route=MX"
	want := `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","Act":"Acc","Dir":"Inbound","Sender":"a","Rcpt":"b","Route":"MX"}`
	check(line+line+line, want, want, want)
	check(line+line+"\r"+line+"\r\n"+line+line, want, want, want, want, want)
	check(strings.TrimSuffix(line, "MX")+line, strings.Replace(want, `"MX"`, "null", 1), want)
	long := strings.Repeat("a", 4000)
	wide, wantWide := strings.Replace(line, "Sender=a", "Sender="+long, 1), strings.Replace(want, `"Sender":"a"`, `"Sender":"`+long+`"`, 1)
	many := 2*MaxRecord/len(wide) + 10
	if got := read(t, openKeyValue(strings.NewReader(strings.Repeat(wide, many)))); len(got) != many || slices.ContainsFunc(got, func(s string) bool { return s != wantWide }) {
		t.Errorf("%d of %d records in a file of 2 MB", len(got), many)
	}
	// What is no time, or leads to no field, begins no record.
	for _, tail := range []string{"datetime=2021-13-19T07:06:40+0100", "datetime=2021-10-19 07:06:40+0100", "atetime=2021-10-19T07:06:40+0100"} {
		check(line+tail+"|x=1", strings.TrimSuffix(strings.Replace(want, `"MX"`, `"MX`+tail+`"`, 1), "}")+`,"x":"1"}`)
	}
	check(line+at, strings.Replace(want, `"MX"`, `"MX`+at+`"`, 1))
	// A text may hold all that too, so only a file without line ends is split.
	text := at + `|Act=Acc|Dir=Inbound|Subject=\s\|Sender=a|Rcpt=b|Route=MX`
	wantText := `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","Act":"Acc","Dir":"Inbound","Subject":"s","Sender":"a","Rcpt":"b","Route":"MX"}`
	split := flagged(t, wantText, anotherRecord, text)
	check(text+text+text, split, split, wantText)
	one := strings.Replace(wantText, `"s"`, compact(t, `s\|Sender=a|Rcpt=b|Route=MX`+at+`|Act=Acc|Dir=Inbound|Subject=\s`), 1)
	check(text+text+"\n"+text, flagged(t, one, textEnds, text+text), wantText)
	// A record that lacks what its type always has may hold it as a value.
	short := at + "|headerFrom=x" + at + "|Act=Acc"
	check(short, flagged(t, `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","headerFrom":"x`+at+`","Act":"Acc"}`, anotherRecord, short))
}

func TestKeyValueFields(t *testing.T) {
	check := func(line string, want string) {
		t.Helper()
		checkFile(t, openKeyValue, line+"\n", want)
	}
	// Each way of writing a value, in the types that JSON has for the field.
	check(`a=1|b=|c=x y`, `{,"a":"1","b":null,"c":"x y"}`)
	check(`AttCnt=3|SpamScore=-1|Size=12345678901|Latency=1.5|Snt=x|Attempt=|MsgSize=007`,
		`{,"AttCnt":3,"SpamScore":-1,"Size":12345678901,"Latency":1.5,"Snt":"x","Attempt":null,"MsgSize":"007"}`)
	check(`Delivered=true|x=true`, `{,"Delivered":true,"x":"true"}`)
	check(`Delivered=false`, `{,"Delivered":false}`)
	check(`Delivered=maybe`, `{,"Delivered":"maybe"}`)
	check(`SpamInfo=[]|SpamProcessingDetail={"spf":{"info":"a|b=c","allow":true}}|Act=Acc`,
		`{,"SpamInfo":"[]","SpamProcessingDetail":{"spf":{"info":"a|b=c","allow":true}},"Act":"Acc"}`)
	check(`SpamProcessingDetail={"cut|Act=Acc`, `{,"SpamProcessingDetail":"{\"cut","Act":"Acc"}`)
	check(`SpamProcessingDetail={"o":`+strings.Repeat(`{"o":`, MaxDepth)+`1`+strings.Repeat(`}`, MaxDepth)+`}|b=2`,
		`{,"SpamProcessingDetail":"`+strings.ReplaceAll(`{"o":`+strings.Repeat(`{"o":`, MaxDepth)+`1`+strings.Repeat(`}`, MaxDepth)+`}`, `"`, `\"`)+`","b":"2"}`)
	check(`credentialTheft={"a":1}`, `{,"credentialTheft":{"a":1}}`)
	// What belongs to a value.
	check(`a=x|y|b=z`, `{,"a":"x|y","b":"z"}`)
	check(`a=x||b=z|`, `{,"a":"x|","b":"z"}`)
	check(`a=x|b=\z\|`, `{,"a":"x","b":"z"}`)
	check(`AttCnt= 2|Snt=3 |Size= |Latency= x|Delivered= true`, `{,"AttCnt":2,"Snt":3,"Size":" ","Latency":" x","Delivered":true}`)
	check(`a=b=c|d=e`, `{,"a":"b=c","d":"e"}`)
	check(`a=x|not a key=y|9k=z`, `{,"a":"x|not a key=y|9k=z"}`)
	check(`Subject=\message subject\|b=c`, `{,"Subject":"message subject","b":"c"}`)
	check(`Subject=\message subject\`, `{,"Subject":"message subject"}`)
	check(`Subject=\message subject`, `{,"Subject":"message subject"}`)
	check(`Subject=\\|b=c`, `{,"Subject":null,"b":"c"}`)
	check(`Subject=\`, `{,"Subject":null}`)
	check(`Subject=plain|b=c`, `{,"Subject":"plain","b":"c"}`)
	check(`AttNames="a.docx", "b|c.xlsx"|b=c`, `{,"AttNames":"\"a.docx\", \"b|c.xlsx\"","b":"c"}`)
	several := `Subject=\one\|x=y|fileName=\two\|b=c`
	check(several, flagged(t, `{,"Subject":"one","x":"y","fileName":"two","b":"c"}`, textEnds, several))
	check(`Subject=\one\|Sender=y|fileName=\two\|b=c`, `{,"Subject":"one","Sender":"y","fileName":"two","b":"c"}`)
	check(`Subject=\one\|fileName=\two\`, `{,"Subject":"one","fileName":"two"}`)
	check(`datetime=2021-10-19T07:06:40+0100|a=1`, `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","a":"1"}`)
	for _, twice := range []string{`a=1|a=2|log_type=forged|log_source=forged|b=3`, `a=1|b=3|log_original=x|log_ambiguous=y`, `a=1|b=3|a=1`} {
		check(twice, flagged(t, `{,"a":"1","b":"3"}`, fieldTwice, twice))
	}
	// Bytes that are not UTF-8 stay as they are.
	if rec, err := openKeyValue(strings.NewReader("a=\xff\xfe|b=\\\xc3\\")).Next(nil); err != nil || !bytes.HasSuffix(rec, []byte("\xa1a\xa2\xff\xfe\xa1b\xa1\xc3")) {
		t.Errorf("got %q, %v", rec, err)
	}
}

// TestSubjectWritesNoFields is what a sender could try who knows the format.
func TestSubjectWritesNoFields(t *testing.T) {
	for _, subject := range []string{
		`x|Act=Acc`, `x|Act=Acc|Sender=ceo@example.com`, `\x`, `x\`, `x\y`, `|`, `||`, `=`, `|=`, `x|Act=\Acc`,
		`x\|Act=Acc`, `x\|Act=Acc|y`, `x\|Act=Acc|Sender=ceo@example.com\`, `x\|datetime=2001-01-01T00:00:00+0000`,
		`x\|Virus=EICAR`, `\|Act=Acc`, `x|Virus=\EICAR`, `{"a":1}`, `[]`, `null`, `"quoted"`, "tab\there", "x\ry=z",
	} {
		line := `datetime=2021-10-19T07:06:40+0100|Act=Rej|Subject=\` + subject + `\|Sender=real@example.com|Rcpt=me@example.com`
		want := `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","Act":"Rej","Subject":` + compact(t, subject) + `,"Sender":"real@example.com","Rcpt":"me@example.com"}`
		if strings.Contains(subject, `\|Virus`) { // which the line lacks
			want = flagged(t, want, textEnds, line)
		}
		checkFile(t, openKeyValue, line+"\n", want)
	}
	check := func(content string, want ...string) {
		t.Helper()
		checkFile(t, openKeyValue, content, want...)
	}
	// One that imitates a text, with a field that the record has.
	check(`Act=Rej|Subject=\x\|Act=Acc|Foo=\y\|Sender=real`+"\n", `{,"Act":"Rej","Subject":"x\\|Act=Acc|Foo=\\y","Sender":"real"}`)
	check(`Foo=1|Subject=\x\|Foo=2|Bar=\y\|Sender=real`+"\n", `{,"Foo":"1","Subject":"x\\|Foo=2|Bar=\\y","Sender":"real"}`)
	check(`log_type=1|Subject=\x\|log_type=2|Bar=\y\|Sender=real`+"\n",
		flagged(t, `{,"Subject":"x\\|log_type=2|Bar=\\y","Sender":"real"}`, fieldTwice, `log_type=1|Subject=\x\|log_type=2|Bar=\y\|Sender=real`))
	// With one that it lacks the line can be read in two ways.
	forged := `Subject=\x\|Virus=E|Foo=\y\|Sender=real`
	check(forged, flagged(t, `{,"Subject":"x","Virus":"E","Foo":"y","Sender":"real"}`, textEnds, forged))
	// A later value that ends with a backslash hides nothing from there on.
	hiding := `Dir=In|Subject=\hi\|Sender=real|Act=Rej|URL=http://evil/\|Rcpt=me`
	check(hiding, flagged(t, `{,"Dir":"In","Subject":"hi","Sender":"real","Act":"Rej","URL":"http://evil/\\","Rcpt":"me"}`, textEnds, hiding))
	last := `a=1|Subject=\x\|Virus=E\`
	check(last, flagged(t, `{,"a":"1","Subject":"x\\|Virus=E"}`, textEnds, last))
	check(`Subject=\s\|SpamProcessingDetail={"a":"\\|x=1"}|Act=c`+"\n", `{,"Subject":"s","SpamProcessingDetail":{"a":"\\|x=1"},"Act":"c"}`)

	// Each of the real fields is before or after the subject, with other texts on
	// either side. None gets its value from the subject.
	for _, subject := range []string{
		`x\|Act=Acc|RejInfo=\y`, `x\|Foo=\y\|Act=Acc|Bar=\z`, `x\|MsgId=<f>|Foo=\z`, `x\|MsgId=<f>`, `x\|Subject=y`, `x\|Subject=\y`, `x\|Act=Acc|Foo=`,
		`x\|ReceiptAck=\y\|Act=Acc|Foo=\z`, `x\|Rcpt=f|SpamProcessingDetail={"a":"`, `x\|Error=y|Act=Acc|Foo=\z`, strings.Repeat(`\|Act=Acc|Foo=\z`, 100),
		`x\|Err=\a\|Hld=\b\|Act=Acc|Foo=\c`,
	} {
		line := `MsgId=<m>|ReceiptAck=\250 ok\|Dir=In|Subject=\` + subject + `\|Sender=real|Act=Rej|Error=\e\|Rcpt=me|Size=7`
		rec, err := openKeyValue(strings.NewReader(line)).Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]any{}
		if err := json.Unmarshal([]byte(show(t, rec)), &fields); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]any{"MsgId": "<m>", "ReceiptAck": "250 ok", "Dir": "In", "Sender": "real", "Act": "Rej", "Error": "e", "Rcpt": "me", "Size": 7.0} {
			if got, ok := fields[key]; got != want && (ok || fields[keyOriginal] == nil) {
				t.Errorf("subject %.100q: %s is %v", subject, key, got)
			}
		}
	}
}

func TestKeyValueAllocatesNothingPerRecord(t *testing.T) {
	content := strings.Repeat(`datetime=2021-10-19T07:06:40+0100|AttCnt=3|Latency=1.5|Subject=\a|b=c\|SpamProcessingDetail={"spf":{"allow":true}}|Delivered=true|x=`+"\n", 1000)
	d := new(KeyValueDecoder)
	allocatesLittle(t, d, func() { d.Reset(strings.NewReader(content), origin()) })
}

// FuzzKeyValue looks for crashes, lost bytes, and records that are none.
func FuzzKeyValue(f *testing.F) {
	for _, s := range []string{
		"a=1|b=2\nc=3", `Subject=\x|Act=Acc\|Sender=y`, `Subject=\x\|Act=\y\|z=1`, `SpamProcessingDetail={"a":[1,{"b":null}]}|Snt=1e9|Delivered=true`,
		"a=1\r\nb\rc=2\n", "\ufeffa=\\\\|b=|c=\\", "datetime=2021-10-19T07:06:40+0100|datetime=x", "Size=-\nSize=1.\nSize=0x1", "a=1\nb",
		"a=1\rb=2\rc=3\n", "a=1\rb=2\r\nc=3", "a=1\r\r\nb=2|\r\n |c= 3", "Route=MXdatetime=2021-10-19T07:06:40+0100|acc=C0|Route=MXdatetime=2021-10-19T07:06:40+0100|acc=C0",
		"Subject=\\a\rdatetime=2026-01-01T00:00:00+0000|Act=Acc\\|Sender=x\ra=1", "Subject=\\a\\\rdatetime=2026-01-01T00:00:00+0000|Act=Acc\\|Sender=x", "Subject=\\a\nfoo\\|b=1\nfoo",
		`Delivered=true|ReceiptAck=\250 2.6.0 ok\|MsgId=<2@x>|Subject=\Auto Reply\|Latency=5618|Route=Office365`, "Size= 2|Delivered= true|AttCnt= ", "Route=\\x\\|\nSubject=\\y",
	} {
		f.Add([]byte(s), []byte(`x|Act=Acc`))
	}
	for _, s := range []string{`x\|Act=Acc`, "a\rdatetime=2026-01-01T00:00:00+0000|Act=Acc", `x\|Virus=EICAR`, "x\\|Act=Acc\rfoo", `x\|Sender=y\|Act=z`} {
		f.Add([]byte("a=1"), []byte(s))
	}
	f.Fuzz(func(t *testing.T, content, subject []byte) {
		records, _, passed := pieces(t, openKeyValue(bytes.NewReader(content)), content)
		if strings.Trim(passed, " \t\r\n|\ufeff") != "" {
			t.Fatalf("%q: %q went nowhere", content, passed)
		}
		for _, rec := range records {
			generic(t, rec)
		}
		if len(subject) == 0 || undecided.Match(subject) {
			return
		}
		// No subject that neither opens a text of its own nor imitates the end of
		// its line is more than a subject.
		line := []byte("Act=Rej|Dir=In|Subject=\\" + string(subject) + "\\|Sender=real|Rcpt=me\n")
		records, left, _ := pieces(t, openKeyValue(bytes.NewReader(line)), line)
		if len(records) != 1 || len(left) != 0 {
			t.Fatalf("%q: %d records, left %q", line, len(records), left)
		}
		want := msgpText("Act", "Rej", "Dir", "In", "Subject", string(subject), "Sender", "real", "Rcpt", "me")
		if !bytes.Contains(records[0], want) {
			t.Fatalf("%q:\n got %q\nwant %q", line, records[0], want)
		}
	})
}

// undecided is what a subject may hold that makes its line the same, byte for
// byte, as an honest one.
var undecided = regexp.MustCompile(`=\\|=\{|\\\|?[\r\n]`)

func msgpText(words ...string) []byte {
	var b []byte
	for _, w := range words {
		b = appendText(b, []byte(strings.ReplaceAll(w, `\`, `\\`)))
	}
	return b
}
