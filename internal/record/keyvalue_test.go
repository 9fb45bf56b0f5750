package record

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
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
	// A lone \r ends no line where \n does: it came with a text.
	check("a=1\nb=x\rSubject=y\n", a, `{,"b":"x\rSubject=y"}`)
	check("a=1\nno field\nb=2\n", a, `!a line that does not begin with a field at offset 4: no field`, b)
	check("no field\na=1\n", "!a line that does not begin with a field at offset 0: no field\na=1\n")
	long := "a=" + strings.Repeat("x", MaxRecord)
	check("a=1\n"+long+"\nb=2\n", a, "!a record of more than 1048576 bytes at offset 4: "+long+"\nb=2\n")
	check("a=1\n"+long[:MaxRecord+1]+"\r\nb=2\r\n", a, "!a record of more than 1048576 bytes at offset 4: "+long[:MaxRecord+1]+"\r\nb=2\r\n")
	for _, before := range []int{0, 1, 2, 3, windowSize/2 - 2} {
		// The line's end lies between two reads, somewhere.
		check("a="+strings.Repeat("1", before)+"\n"+long[:MaxRecord]+"\r\nb=2\r\n", `{,"a":`+map[bool]string{true: "null", false: `"` + strings.Repeat("1", before) + `"`}[before == 0]+`}`,
			`{,"a":"`+long[2:MaxRecord]+`"}`, b)
	}
	// What is read ahead does not decide how lines end.
	returns := strings.Repeat("a=1\r", windowSize/4+10)
	checkFile(t, openKeyValue, returns+"\nb=2\r", append(slices.Repeat([]string{a}, windowSize/4+10), "!a line that does not begin with a field at offset "+fmt.Sprint(len(returns))+": \nb=2")...)
	fits := long[:MaxRecord]
	check("a=1\n"+fits+"\nb=2\n", a, `{,"a":"`+fits[2:]+`"}`, b)
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
	check(`a=x||b=z|`, `{,"a":"x|","b":"z|"}`)
	check(`a=b=c|d=e`, `{,"a":"b=c","d":"e"}`)
	check(`a=x|not a key=y|9k=z`, `{,"a":"x|not a key=y|9k=z"}`)
	check(`Subject=\message subject\|b=c`, `{,"Subject":"message subject","b":"c"}`)
	check(`Subject=\message subject\`, `{,"Subject":"message subject"}`)
	check(`Subject=\message subject`, `{,"Subject":"message subject"}`)
	check(`Subject=\\|b=c`, `{,"Subject":null,"b":"c"}`)
	check(`Subject=\`, `{,"Subject":null}`)
	check(`Subject=plain|b=c`, `{,"Subject":"plain","b":"c"}`)
	check(`AttNames="a.docx", "b|c.xlsx"|b=c`, `{,"AttNames":"\"a.docx\", \"b|c.xlsx\"","b":"c"}`)
	check(`Subject=\one\|x=y|fileName=\two\|b=c`, `{,"Subject":"one","x":"y","fileName":"two","b":"c"}`)
	check(`Subject=\one\|fileName=\two\`, `{,"Subject":"one","fileName":"two"}`)
	check(`datetime=2021-10-19T07:06:40+0100|a=1`, `@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","a":"1"}`)
	check(`a=1|a=2|log_type=forged|log_source=forged|b=3`, `{,"a":"1","b":"3"}`)
}

// TestSubjectWritesNoFields is what a sender could try who knows the format.
func TestSubjectWritesNoFields(t *testing.T) {
	for _, subject := range []string{
		`x|Act=Acc`, `x|Act=Acc|Sender=ceo@example.com`, `\x`, `x\`, `x\y`, `|`, `||`, `=`, `|=`, `x|Act=\Acc`,
		`x\|Act=Acc`, `x\|Act=Acc|y`, `x\|Act=Acc|Sender=ceo@example.com\`, `x\|datetime=2001-01-01T00:00:00+0000`,
		`x\|Virus=EICAR`, `\|Act=Acc`, `x|Virus=\EICAR`, `{"a":1}`, `[]`, `null`, `"quoted"`, "tab\there", "x\ry=z",
	} {
		line := `datetime=2021-10-19T07:06:40+0100|Act=Rej|Subject=\` + subject + `\|Sender=real@example.com|Rcpt=me@example.com`
		checkFile(t, openKeyValue, line+"\n",
			`@1634623600 {,"datetime":"2021-10-19T07:06:40+0100","Act":"Rej","Subject":`+compact(t, subject)+`,"Sender":"real@example.com","Rcpt":"me@example.com"}`)
	}
	check := func(content string, want ...string) {
		t.Helper()
		checkFile(t, openKeyValue, content, want...)
	}
	// One that imitates a text, with a field that the record has.
	check(`Act=Rej|Subject=\x\|Act=Acc|Foo=\y\|Sender=real`+"\n", `{,"Act":"Rej","Subject":"x\\|Act=Acc|Foo=\\y","Sender":"real"}`)
	check(`Foo=1|Subject=\x\|Foo=2|Bar=\y\|Sender=real`+"\n", `{,"Foo":"1","Subject":"x\\|Foo=2|Bar=\\y","Sender":"real"}`)
	check(`log_type=1|Subject=\x\|log_type=2|Bar=\y\|Sender=real`+"\n", `{,"Subject":"x\\|log_type=2|Bar=\\y","Sender":"real"}`)
	// With one that it lacks, the format alone can't tell; another line can.
	forged := `Subject=\x\|Virus=E|Foo=\y\|Sender=real` + "\n"
	check(forged, `{,"Subject":"x","Virus":"E","Foo":"y","Sender":"real"}`)
	check(`Subject=\z\|Sender=a`+"\n"+forged, `{,"Subject":"z","Sender":"a"}`, `{,"Subject":"x\\|Virus=E|Foo=\\y","Sender":"real"}`)
	// A later value that ends with a backslash hides nothing from there on.
	hiding := `Subject=\hi\|Sender=real|Act=Rej|URL=http://evil/\|Rcpt=me` + "\n"
	check(`Subject=\z\|Sender=a`+"\n"+hiding, `{,"Subject":"z","Sender":"a"}`, `{,"Subject":"hi","Sender":"real","Act":"Rej","URL":"http://evil/\\","Rcpt":"me"}`)
	// At the end of the line there is no field to lead to.
	check(`a=1|Subject=\x\|Virus=E\`+"\n", `{,"a":"1","Subject":"x\\|Virus=E"}`)
	check(`Subject=\s\|SpamProcessingDetail={"a":"\\|x=1"}|b=c`+"\n", `{,"Subject":"s","SpamProcessingDetail":{"a":"\\|x=1"},"b":"c"}`)
}

func TestKeyValueAllocatesNothingPerRecord(t *testing.T) {
	content := strings.Repeat(`datetime=2021-10-19T07:06:40+0100|AttCnt=3|Latency=1.5|Subject=\a|b=c\|SpamProcessingDetail={"spf":{"allow":true}}|Delivered=true|x=`+"\n", 1000)
	d := new(KeyValueDecoder)
	dst := make([]byte, 0, 1<<10)
	perFile := testing.AllocsPerRun(10, func() {
		d.Reset(strings.NewReader(content), origin())
		for {
			out, err := d.Next(dst[:0])
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			dst = out
		}
	})
	if perFile > 5 && !raceDetector {
		t.Errorf("%v allocations for a file of 1000 records", perFile)
	}
}

// FuzzKeyValue looks for crashes, lost bytes, and records that are none.
func FuzzKeyValue(f *testing.F) {
	for _, s := range []string{
		"a=1|b=2\nc=3", `Subject=\x|Act=Acc\|Sender=y`, `Subject=\x\|Act=\y\|z=1`, `SpamProcessingDetail={"a":[1,{"b":null}]}|Snt=1e9|Delivered=true`,
		"a=1\r\nb\rc=2\n", "\ufeffa=\\\\|b=|c=\\", "datetime=2021-10-19T07:06:40+0100|datetime=x", "Size=-\nSize=1.\nSize=0x1", "a=1\nb",
	} {
		f.Add([]byte(s), []byte(`x|Act=Acc`))
	}
	f.Fuzz(func(t *testing.T, content, subject []byte) {
		records, _ := pieces(t, openKeyValue(bytes.NewReader(content)), content)
		for _, rec := range records {
			generic(t, rec)
		}
		if bytes.ContainsAny(subject, "\r\n") || bytes.Contains(subject, []byte(`=\`)) || bytes.Contains(subject, []byte(`={`)) || len(subject) == 0 {
			return
		}
		// No subject without a key of its own that opens free text is more
		// than a subject.
		line := []byte("Act=Rej|Subject=\\" + string(subject) + "\\|Sender=real\n")
		records, left := pieces(t, openKeyValue(bytes.NewReader(line)), line)
		if len(records) != 1 || len(left) != 0 {
			t.Fatalf("%q: %d records, left %q", line, len(records), left)
		}
		want := msgpText("Act", "Rej", "Subject", string(subject), "Sender", "real")
		if !bytes.HasSuffix(records[0], want) {
			t.Fatalf("%q:\n got %q\nwant %q", line, records[0], want)
		}
	})
}

func msgpText(words ...string) []byte {
	var b []byte
	for _, w := range words {
		b = appendText(b, []byte(strings.ReplaceAll(w, `\`, `\\`)))
	}
	return b
}
