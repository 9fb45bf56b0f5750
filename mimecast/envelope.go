package mimecast

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// envelope is the shape of every JSON answer of the API.
type envelope struct {
	next string // token of the next page
	last string // "true" or "false" where the answer tells it is the last of a log
	data []rawJSON
	fail []rawJSON
}

// readEnvelope reads one; false when body is none.
func readEnvelope(body []byte) (e envelope, ok bool) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	var shape struct {
		Meta *struct {
			IsLastToken rawJSON `json:"isLastToken"`
			Pagination  struct {
				Next string `json:"next"`
			} `json:"pagination"`
		} `json:"meta"`
		Data rawJSON `json:"data"`
		Fail rawJSON `json:"fail"`
	}
	if err := unmarshal(body, &shape); err != nil || (shape.Meta == nil && shape.Fail == nil) {
		return e, false
	}
	if shape.Meta != nil {
		e.next = shape.Meta.Pagination.Next
		e.last = strings.ToLower(strings.Trim(string(shape.Meta.IsLastToken), "\" \t\r\n"))
	}
	var err error
	if shape.Data != nil {
		if e.data, err = elements(shape.Data); err != nil {
			return e, false
		}
	}
	if shape.Fail != nil {
		if e.fail, err = elements(shape.Fail); err != nil {
			e.fail = []rawJSON{shape.Fail} // an object where a list should be
		}
	}
	return e, true
}

// read takes the whole body, up to a limit.
func (a *answer) read(limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(a.body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: reading the answer: %w", a.endpoint.Path, err)
	}
	if int64(len(body)) > limit {
		return nil, &ResponseError{a.endpoint.Path, fmt.Sprintf("the answer is larger than %d bytes", limit)}
	}
	return body, nil
}

// envelope reads an answer that must be one. The failures in it come first:
// they are returned as an *APIError, whatever the data beside them.
func (a *answer) envelope() (*envelope, error) {
	body, err := a.read(maxEnvelope)
	if err != nil {
		return nil, err
	}
	return a.parse(body)
}

func (a *answer) parse(body []byte) (*envelope, error) {
	e, ok := readEnvelope(body)
	if !ok {
		return nil, a.unexpected(body)
	}
	if refusal := e.refusal(a, http.StatusOK); refusal != nil {
		return nil, a.refused(refusal)
	}
	return &e, nil
}

// refused has the refused caller of a request authorized anew before it returns
// the refusal. If that has changed anything, another try may come soon.
func (a *answer) refused(refusal *APIError) error {
	if IsCredentials(refusal) && a.auth.Refused(a.request) {
		refusal.Retryable = true
	}
	return refusal
}

// unexpected describes an answer that is not what the API sends.
func (a *answer) unexpected(body []byte) error {
	kind := clean(a.mediaType)
	if kind == "" {
		kind = "no media type"
	}
	return &ResponseError{a.endpoint.Path, fmt.Sprintf("an answer that is not the API's (%s, %d bytes, beginning %q)",
		kind, len(body), short(clean(a.auth.Redact(string(body[:min(len(body), 2<<10)]))), 80))}
}

// refusal returns the first failure in an envelope, nil when there is none. In
// API 1.0 it is in a list errors of its own, in 2.0 it stands bare.
func (e *envelope) refusal(a *answer, status int) *APIError {
	if len(e.fail) == 0 {
		return nil
	}
	first := e.fail[0]
	if inner, err := elements(member(first, "errors")); err == nil && len(inner) > 0 {
		first = inner[0]
	}
	said := func(key string) string { return clean(a.auth.Redact(text(first, key))) }
	return &APIError{
		Endpoint: a.endpoint, Status: status, Code: said("code"), Message: said("message"), Field: said("field"),
		Retryable: truth(first, "retryable"), Wait: told(a.header),
	}
}

// refusal turns an answer with a status other than 200 into an error.
func (a *answer) refusal(resp *http.Response) *APIError {
	status := resp.StatusCode
	refusal := &APIError{Endpoint: a.endpoint, Status: status, Wait: told(a.header)}
	if body, err := a.read(1 << 20); err == nil {
		if e, ok := readEnvelope(body); ok && len(e.fail) > 0 {
			refusal = e.refusal(a, status)
		}
	}
	switch {
	case status >= 300 && status < 400:
		refusal.Message = "redirects are not followed"
	case refusal.Code == "" && refusal.Message == "":
		refusal.Message = http.StatusText(status)
	}
	refusal.Retryable = refusal.Retryable || status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
	return refusal
}
