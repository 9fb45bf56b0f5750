package mimecast

import (
	"context"
	"io"
	"strings"
	"testing"
)

func TestABatchWhoseNextTokenIsItsOwn(t *testing.T) {
	c := newTestClient(t, answering(200, "PK\x03\x04", "Mc-Siem-Token", "old"))
	if content, b, err := siem(c, "old"); err != nil || content != "PK\x03\x04" || b.NextToken != "old" {
		t.Errorf("got %q, %+v, %v", content, b, err)
	}
}

func TestSIEMJSONAnswers(t *testing.T) {
	// request is the token asked for, header that of the answer.
	answer := func(request, header, body string) (content string, b *SIEMBatch, err error) {
		headers := []string{"Content-Type", "application/json"}
		if header != "" {
			headers = append(headers, "Mc-Siem-Token", header)
		}
		return siemOrStep(newTestClient(t, answering(200, body, headers...)), request)
	}
	const (
		open    = `{"meta":{"isLastToken":false,"status":200},"data":[`
		last    = `{"meta":{"isLastToken":true,"status":200},"data":[`
		silent  = `{"meta":{"status":200},"data":[`
		records = `{"a":1}, {"b":[2]}`
		end     = `],"fail":[]}`
	)
	for _, test := range []struct {
		body, request, header string
		next, content         string // next is empty: nothing new
		noNext                bool
	}{
		{body: open + end, request: "old", header: "new", next: "new"},
		{body: open + end, header: "new", next: "new"},
		{body: `{"meta":{"isLastToken":"false"},"data":[]}`, request: "old", header: "new", next: "new"},
		{body: `{"meta":{"isLastToken" : "False"},"data":null}`, request: "old", header: "new", next: "new"},
		{body: `{"fail":[],"meta":{"status":200,"isLastToken": false }}`, request: "old", header: "new", next: "new"},
		{body: open + "null,null" + end, request: "old", header: "new", next: "new"},
		{body: last + end, request: "old", header: "new"},
		{body: `{"meta":{"isLastToken":"true"},"data":[]}`, request: "old", header: "new"},
		{body: silent + end, request: "old", header: "new"},
		{body: silent + end, request: "old"},
		{body: silent + "null" + end, request: "old", header: "new"},
		{body: `{"meta":{"isLastToken":7},"data":[]}`, request: "old", header: "new"},
		{body: last + end, request: "old", header: strings.Repeat("t", 16<<10+1)},

		{body: open + end, request: "old", next: "old", noNext: true},
		{body: open + end, request: "old", header: "old", next: "old", noNext: true},
		{body: open + records + end, request: "old", next: "old", noNext: true, content: `[{"a":1}, {"b":[2]}]`},

		{body: open + records + end, request: "old", header: "new", next: "new", content: `[{"a":1}, {"b":[2]}]`},
		{body: silent + records + end, request: "old", header: "new", next: "new", content: `[{"a":1}, {"b":[2]}]`},
		{body: silent + records + end, request: "old", next: "old", content: `[{"a":1}, {"b":[2]}]`},
		{body: last + records + end, request: "old", header: "new", next: "old", content: `[{"a":1}, {"b":[2]}]`},
		{body: open + `null,{"a":1},null, null ,7,"x"` + end, request: "old", header: "new", next: "new", content: `[{"a":1},7,"x"]`},
	} {
		content, b, err := answer(test.request, test.header, test.body)
		switch {
		case err != nil:
			t.Errorf("%s: %v", test.body, err)
		case b == nil && (test.next != "" || test.noNext):
			t.Errorf("%s: got nothing new", test.body)
		case b != nil && (b.NextToken != test.next || b.NoNext != test.noNext || strings.ReplaceAll(content, " ", "") != strings.ReplaceAll(test.content, " ", "") || (b.Body == nil) != (test.content == "")):
			t.Errorf("%s: got %q, %+v", test.body, content, b)
		}
	}
	for _, body := range []string{open + end, open + records + end} {
		if _, b, err := answer("old", strings.Repeat("t", 16<<10+1), body); err == nil || !strings.Contains(err.Error(), "more than 16 KiB") {
			t.Errorf("%s with a token that is too long: got %+v, %v", body, b, err)
		}
	}
	refused := `{"meta":{"isLastToken":false},"data":[{"a":1}],"fail":[{"errors":[{"code":"err_some_code"}]}]}`
	if _, b, err := answer("old", "new", refused); err == nil || !strings.Contains(err.Error(), "err_some_code") {
		t.Errorf("a refusal with data: got %+v, %v", b, err)
	}
	// The first answer of all, with no token yet.
	if content, b, err := answer("", "", last+records+end); err != nil || b == nil || b.NextToken != "" || content == "" {
		t.Errorf("records without any token: got %q, %+v, %v", content, b, err)
	}
}

// siemOrStep makes a request whose answer may have no records.
func siemOrStep(c *Client, token string) (content string, batch *SIEMBatch, err error) {
	batch, err = c.SIEMLogs(context.Background(), SIEMRequest{Token: token, Format: JSON, Compress: true})
	if batch == nil || batch.Body == nil {
		return "", batch, err
	}
	defer batch.Body.Close()
	b, err := io.ReadAll(batch.Body)
	return string(b), batch, err
}
