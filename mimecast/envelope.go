package mimecast

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// envelope is the shape of every JSON answer of the API.
type envelope struct {
	Meta *struct {
		Pagination struct {
			Next string `json:"next"`
		} `json:"pagination"`
	} `json:"meta"`
	Data []rawJSON  `json:"data"`
	Fail []failures `json:"fail"`
}

type failures struct {
	Errors []struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Field     string `json:"field"`
		Retryable bool   `json:"retryable"`
	} `json:"errors"`
}

// read takes the whole body, up to a limit.
func (a *answer) read(limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(a.body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: reading the answer: %w", a.uri, err)
	}
	if int64(len(body)) > limit {
		return nil, &ResponseError{a.uri, fmt.Sprintf("the answer is larger than %d bytes", limit)}
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
	var e envelope
	if err := unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &e); err != nil || (e.Meta == nil && e.Fail == nil) {
		return nil, a.unexpected(body)
	}
	if refusal := e.refusal(a, http.StatusOK); refusal != nil {
		return nil, refusal
	}
	return &e, nil
}

// unexpected describes an answer that is not what the API sends.
func (a *answer) unexpected(body []byte) error {
	kind := clean(a.mediaType)
	if kind == "" {
		kind = "no media type"
	}
	return &ResponseError{a.uri, fmt.Sprintf("an answer that is not the API's (%s, %d bytes, beginning %q)",
		kind, len(body), clean(a.redact(string(body[:min(len(body), 80)]))))}
}

// refusal returns the first failure in an envelope, nil when there is none.
func (e *envelope) refusal(a *answer, status int) *APIError {
	if len(e.Fail) == 0 {
		return nil
	}
	refusal := &APIError{URI: a.uri, Status: status, Wait: told(a.header)}
	for _, f := range e.Fail {
		for _, one := range f.Errors {
			if refusal.Code == "" {
				refusal.Code = clean(a.redact(one.Code))
				refusal.Message = clean(a.redact(one.Message))
				refusal.Field = clean(a.redact(one.Field))
				refusal.Retryable = one.Retryable
			}
		}
	}
	return refusal
}

// refusal turns an answer with a status other than 200 into an error.
func (a *answer) refusal(resp *http.Response) *APIError {
	status := resp.StatusCode
	refusal := &APIError{URI: a.uri, Status: status, Wait: told(a.header)}
	var e envelope
	body, err := a.read(1 << 20)
	if err == nil && unmarshal(body, &e) == nil {
		if r := e.refusal(a, status); r != nil {
			refusal = r
		}
	}
	switch {
	case status >= 300 && status < 400:
		refusal.Message = "redirects are not followed; check base_url"
	case refusal.Code == "" && refusal.Message == "":
		refusal.Message = http.StatusText(status)
	}
	refusal.Retryable = refusal.Retryable || status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
	return refusal
}
