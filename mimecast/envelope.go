package mimecast

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
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
	if !IsAccessRefused(refusal) {
		return refusal
	}
	if a.auth.Refused(a.request) {
		refusal.Retryable = true
	}
	if a.refusals != nil && refusal.Cause() == CauseClient {
		refusal.Transient = !a.refusals.lasting(time.Now())
		refusal.Retryable = refusal.Transient
	}
	return refusal
}

// accepted notes that the service took the token of the request, if it had one.
func (a *answer) accepted() {
	if a.refusals != nil && a.request.Header.Get("Authorization") != "" {
		a.refusals.end()
	}
}

// unexpected describes an answer that is not what the API sends.
func (a *answer) unexpected(body []byte) error {
	kind := clean(a.mediaType)
	if kind == "" {
		kind = "no media type"
	}
	return &ResponseError{a.endpoint.Path, fmt.Sprintf("an answer that is not the API's (%s, %d bytes, beginning %q)",
		kind, len(body), short(clean(a.auth.Redact(string(body[:min(len(body), 2*maxToken)]))), 80))}
}

// refusal returns the first failure in an envelope, nil when there is none.
func (e *envelope) refusal(a *answer, status int) *APIError {
	if len(e.fail) == 0 {
		return nil
	}
	return a.failed(status, innerFailure(e.fail[0]))
}

// failure returns the first failure that an answer tells of, nil if there is
// none. It stands in a list fail, in errors, or in error, which may also be the
// code itself with an error_description beside it.
func failure(body []byte) rawJSON {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	for _, key := range []string{"fail", "errors"} {
		raw := member(body, key)
		list, err := elements(raw)
		switch {
		case err != nil && raw != nil:
			return innerFailure(raw) // an object where a list should be
		case len(list) > 0:
			return innerFailure(list[0])
		}
	}
	switch inner := member(body, "error"); string(inner) {
	case "", "null", `""`, "false":
	default:
		if inner[0] == '{' {
			return inner
		}
		return body
	}
	return nil
}

// innerFailure returns the first element of a failure's own list errors, which
// API 1.0 has, else the failure.
func innerFailure(failure rawJSON) rawJSON {
	if inner, err := elements(member(failure, "errors")); err == nil && len(inner) > 0 {
		return inner[0]
	}
	return failure
}

// failed makes an error of a failure, which may be nil.
func (a *answer) failed(status int, failure rawJSON) *APIError {
	said := func(keys ...string) string {
		for _, key := range keys {
			if s := clean(a.auth.Redact(text(failure, key))); s != "" {
				return s
			}
		}
		return ""
	}
	return &APIError{
		Endpoint: a.endpoint, Status: status,
		Code: said("code", "error"), Message: said("message", "error_description"), Field: said("field"),
		Retryable: truth(failure, "retryable"), Wait: told(a.header),
		RequestID: short(clean(a.auth.Redact(a.header.Get("X-Request-Id"))), maxRequestID),
		token:     a.refusals != nil,
	}
}

// maxRequestID bounds a request id, in characters. Those seen are UUIDs.
const maxRequestID = 64

// refusal turns an answer with a status other than 200 into an error.
func (a *answer) refusal(resp *http.Response) *APIError {
	status := resp.StatusCode
	body, _ := a.read(1 << 20) // the status says enough
	refusal := a.failed(status, failure(body))
	switch {
	case status >= 300 && status < 400:
		refusal.Message = "redirects are not followed"
	case refusal.Code == "" && refusal.Message == "":
		refusal.Message = http.StatusText(status)
	}
	refusal.Retryable = refusal.Retryable || status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
	return refusal
}
