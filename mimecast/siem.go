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

// SIEM returns the endpoint of the SIEM (MTA) logs of API 1.0, which
// [Client.SIEMLogs] reads. API 2.0 has another.
//
// https://integrations.mimecast.com/documentation/endpoint-reference/logs-and-statistics/get-siem-logs/
func SIEM() Endpoint {
	return Endpoint{
		Path:       "/api/audit/get-siem-logs",
		Permission: "Gateway | Tracking | Read",
		Setting:    "Enhanced Logging",
		Page:       "https://integrations.mimecast.com/documentation/endpoint-reference/logs-and-statistics/get-siem-logs/",
	}
}

// Format is how the service writes the records of a SIEM log file.
type Format string

// The formats of API 1.0.
const (
	JSON     Format = "json"
	KeyValue Format = "key_value"
)

// SIEMRequest asks for one batch of SIEM (MTA) logs.
type SIEMRequest struct {
	Token    string // opaque; empty: the earliest batch that the service still has
	Format   Format // needed
	Compress bool   // a zip of many files rather than one plain file
}

// SIEMBatch is an answer that has records, or leads on without any.
type SIEMBatch struct {
	// FileName is the attachment's, as sent but without control characters: a log
	// file's name when the batch is plain, meaningless when it is a zip. Don't use
	// it as a path.
	FileName string
	// NextToken is at most 16 KiB. It is the request's own when the service names
	// no other: the batch may grow or lead on later.
	NextToken string
	// Body has the batch: a zip, a log file in the format that was asked for, or
	// a JSON list of records. It is nil when there are no records. The caller
	// closes it. Reading ends with an error when no bytes come for the client's
	// timeout, and when the whole takes 30 times as long.
	Body io.ReadCloser
	// NoNext reports whether the answer is not the last one by its own word, and
	// yet names no new token.
	NoNext bool
}

// SIEMLogs asks for the batch at a token. It returns nil, and no error, when
// there is nothing new. It returns an *APIError when the service refuses (see
// [IsInvalidToken]), a *ResponseError when the answer makes no sense, and
// otherwise the network's or the context's error.
//
// That the same token brings the same batch, for the seven days that the service
// keeps logs, is not documented; collectors in production rely on it. So are the
// JSON answers, which were recorded.
//
// https://integrations.mimecast.com/documentation/endpoint-reference/logs-and-statistics/get-siem-logs/
func (c *Client) SIEMLogs(ctx context.Context, r SIEMRequest) (*SIEMBatch, error) {
	type item struct {
		Type       string `json:"type"`
		Token      string `json:"token,omitempty"`
		FileFormat Format `json:"fileFormat"`
		Compress   bool   `json:"compress"`
	}
	a, err := c.post(ctx, SIEM(), map[string][]item{"data": {{"MTA", r.Token, r.Format, r.Compress}}})
	if err != nil {
		return nil, err
	}
	batch, err := a.siem(r)
	if batch == nil || batch.Body == nil {
		a.body.Close()
	}
	return batch, err
}

// siem tells a batch from a JSON answer. No single sign is sure, so an
// attachment, a binary media type, a next token and the first bytes all count.
func (a *answer) siem(r SIEMRequest) (*SIEMBatch, error) {
	body := bufio.NewReaderSize(a.body, maxHead)
	head, err := body.Peek(maxHead)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: reading the answer: %w", a.endpoint.Path, err)
	}
	next := a.header.Get("Mc-Siem-Token")
	attached, name := attachment(a.header.Get("Content-Disposition"))
	attached = attached || isBinary(a.mediaType)
	json := !isZip(head) && isJSON(head)
	switch {
	case json && (isEnvelopeHead(trim(head)) || (!attached && next == "")):
		a.body = readCloser{body, a.body}
		return a.siemJSON(r, next)
	case !isZip(head) && !attached && next == "":
		return nil, a.unexpected(head)
	case next == "":
		return nil, &ResponseError{a.endpoint.Path, "a batch without the token of the next one"}
	case len(next) > maxToken:
		return nil, a.longToken()
	}
	return &SIEMBatch{FileName: name, NextToken: next, Body: readCloser{body, a.body}}, nil
}

func (a *answer) longToken() error {
	return &ResponseError{a.endpoint.Path, "a next token of more than 16 KiB"}
}

type readCloser struct {
	io.Reader
	io.Closer
}

// siemJSON reads a JSON answer: a refusal, nil when nothing is new, a batch when
// it has records or leads on. The answer that is the last for now may name a next
// token too: the request's stays.
func (a *answer) siemJSON(r SIEMRequest, next string) (*SIEMBatch, error) {
	e, err := a.envelope()
	if err != nil {
		return nil, err
	}
	records := jsonList(e.data)
	if next == "" || e.last == "true" || (records == nil && e.last != "false") {
		next = r.Token
	}
	own := next == r.Token
	switch {
	case len(next) > maxToken:
		return nil, a.longToken()
	case records == nil && own && e.last != "false":
		return nil, nil
	}
	b := &SIEMBatch{NextToken: next, NoNext: own && e.last == "false"}
	if records != nil {
		b.Body = readCloser{bytes.NewReader(records), a.body}
	}
	return b, nil
}

// jsonList writes elements as a list, without those that are null; nil when there
// is none.
func jsonList(elements []rawJSON) []byte {
	var list []byte
	for _, e := range elements {
		if string(bytes.TrimSpace(e)) != "null" {
			list = append(append(list, ','), e...)
		}
	}
	if list == nil {
		return nil
	}
	list[0] = '['
	return append(list, ']')
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
