package mimecast

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"strings"
)

const uriSIEM = "/api/audit/get-siem-logs"

// maxToken bounds the opaque tokens that are kept and sent back.
const maxToken = 16 << 10

// Format is how the service writes the records of a SIEM log file.
type Format string

// The formats of API 1.0.
const (
	JSON     Format = "json"
	KeyValue Format = "key_value"
)

// SIEMRequest asks for one batch of SIEM (MTA) logs.
type SIEMRequest struct {
	Token    string // empty: the earliest batch that the service still has
	Format   Format
	Compress bool // a zip of many files rather than one plain file
}

// SIEMBatch is one batch. Close Body when done; it must be read to its end
// within the client's time limits.
type SIEMBatch struct {
	// FileName is the attachment's, as sent: a log file's name when the batch
	// is plain, meaningless when it is a zip. Don't use it as a path.
	FileName string
	// NextToken is the request's own when the service names no other: the batch
	// may grow or lead on later.
	NextToken string
	Body      io.ReadCloser
}

// SIEMLogs asks for the batch at a token. It returns nil, and no error, when
// there is nothing new. The service is relied on to return the same batch for
// the same token, for the seven days that it keeps logs.
//
// Source: Mimecast's page of the endpoint, and recorded answers.
func (c *Client) SIEMLogs(ctx context.Context, r SIEMRequest) (*SIEMBatch, error) {
	type item struct {
		Type       string `json:"type"`
		Token      string `json:"token,omitempty"`
		FileFormat Format `json:"fileFormat"`
		Compress   bool   `json:"compress"`
	}
	a, err := c.post(ctx, uriSIEM, map[string][]item{"data": {{"MTA", r.Token, r.Format, r.Compress}}})
	if err != nil {
		return nil, err
	}
	batch, err := c.siemAnswer(a)
	if batch == nil {
		a.body.Close()
	}
	return batch, err
}

// siemAnswer tells a batch from "nothing new" and from a refusal. No single
// sign is sure, so an attachment, a binary media type, a next token and the
// first bytes all count.
func (c *Client) siemAnswer(a *answer) (*SIEMBatch, error) {
	body := bufio.NewReaderSize(a.body, maxHead)
	head, err := body.Peek(maxHead)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: reading the answer: %w", a.uri, err)
	}
	next := a.header.Get("Mc-Siem-Token")
	attached, name := attachment(a.header.Get("Content-Disposition"))
	attached = attached || isBinary(a.mediaType)
	json := !isZip(head) && isJSON(head)
	switch {
	case json && (isEnvelopeHead(trim(head)) || (!attached && next == "")):
		return nil, c.siemNothing(&answer{a.uri, a.header, a.mediaType, io.NopCloser(body), a.redact})
	case !isZip(head) && !attached && next == "":
		return nil, a.unexpected(head)
	case next == "":
		return nil, &ResponseError{a.uri, "a batch without the token of the next one"}
	case len(next) > maxToken:
		return nil, &ResponseError{a.uri, "a next token of more than 16 KiB"}
	}
	return &SIEMBatch{name, next, struct {
		io.Reader
		io.Closer
	}{body, a.body}}, nil
}

// siemNothing reads a JSON answer: nil when it says that nothing is new.
func (c *Client) siemNothing(a *answer) error {
	e, err := a.envelope()
	switch refusal, ok := err.(*APIError); {
	case ok:
		return c.refused(refusal)
	case err != nil:
		return err
	case len(e.data) > 0:
		return &ResponseError{a.uri, "a JSON answer with data where a batch should be"}
	}
	return nil
}

// maxHead is how much of an answer is looked at to tell what it is.
const maxHead = 16 << 10

func trim(head []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
}

func isJSON(head []byte) bool {
	head = trim(head)
	return len(head) > 0 && head[0] == '{'
}

func isZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

func isBinary(mediaType string) bool {
	return strings.HasPrefix(mediaType, "application/octet-stream") ||
		strings.HasPrefix(mediaType, "application/zip") || strings.HasPrefix(mediaType, "application/x-zip")
}

func attachment(disposition string) (attached bool, name string) {
	kind, params, err := mime.ParseMediaType(disposition)
	if err != nil {
		return strings.HasPrefix(strings.ToLower(strings.TrimSpace(disposition)), "attachment"), ""
	}
	return kind == "attachment", clean(params["filename"])
}
