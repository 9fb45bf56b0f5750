package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// The codes of errors the service is known to answer with.
const (
	codeAppID      = "err_developer_key"
	codeSignature  = "err_xdk_invalid_signature"
	codeKeyExpired = "err_xdk_binding_expired"
	codeForbidden  = "err_xdk_operation_forbidden_for_address"
	codeSIEMToken  = "err_audit_siem_invalid_token"
	codeNull       = "err_validation_null"
	codeBlank      = "err_validation_blank"
)

// The codes of errors for which the service's own are not known. A client must
// not depend on them.
const (
	codeHeader        = "err_xdk_missing_header"
	codeRequestID     = "err_validation_request_id"
	codeDate          = "err_xdk_invalid_date"
	codeReplay        = "err_xdk_duplicate_request"
	codeJSON          = "err_validation_json"
	codeValue         = "err_validation_invalid_value"
	codePageToken     = "err_pagination_invalid_token"
	codeRateLimit     = "err_rate_limit_exceeded"
	codePath          = "err_resource_not_found"
	codeMethod        = "err_method_not_allowed"
	codeServer        = "err_internal_server_error"
	codeFailRetryable = "err_service_temporarily_unavailable"
)

const (
	headerContentType = "Content-Type"
	headerDisposition = "Content-Disposition"
	headerSIEMToken   = "Mc-Siem-Token"

	contentTypeBatch = "application/octet-stream"
	contentTypeHTML  = "text/html; charset=utf-8"

	htmlPage = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><p>Please sign in.</p></body></html>\n"
)

// answer is a response before it is sent.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	outcome Outcome
	mishap  Fault // body_cut, reset or stall: how the sending goes wrong
	drained bool  // the rate limit headers say that nothing remains
}

type envelope struct {
	Meta meta   `json:"meta"`
	Data []any  `json:"data"`
	Fail []fail `json:"fail"`
}

type meta struct {
	IsLastToken bool        `json:"isLastToken,omitempty"`
	Status      int         `json:"status"`
	Pagination  *pagination `json:"pagination,omitempty"`
}

type pagination struct {
	PageSize   int    `json:"pageSize"`
	TotalCount int    `json:"totalCount"`
	Next       string `json:"next,omitempty"`
	Previous   string `json:"previous,omitempty"`
}

type fail struct {
	Errors []failure `json:"errors"`
}

type failure struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Field     string `json:"field,omitempty"`
	Retryable bool   `json:"retryable"`
}

// jsonAnswer answers with an envelope; its empty parts become empty arrays.
func (s *Server) jsonAnswer(status int, e envelope, o Outcome) answer {
	if e.Data == nil {
		e.Data = []any{}
	}
	if e.Fail == nil {
		e.Fail = []fail{}
	}
	return s.encoded(status, e, o)
}

// encoded answers with v as JSON.
func (s *Server) encoded(status int, v any, o Outcome) answer {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return answer{status: http.StatusInternalServerError, header: http.Header{}, outcome: codeServer}
	}
	return answer{
		status:  status,
		header:  http.Header{headerContentType: {s.config.JSONContentType}},
		body:    bytes.TrimSuffix(body.Bytes(), []byte("\n")),
		outcome: o,
	}
}

// refuse answers with a fail and nothing else.
func (s *Server) refuse(status int, f failure) answer {
	return s.jsonAnswer(status, envelope{
		Meta: meta{Status: status},
		Fail: []fail{{Errors: []failure{f}}},
	}, Outcome(f.Code))
}

// refuseField answers 400 for one field of the body.
func (s *Server) refuseField(code, field string) answer {
	return s.refuse(http.StatusBadRequest, failure{
		Code:    code,
		Message: fmt.Sprintf("The field %s is missing or has a value that is not allowed", field),
		Field:   field,
	})
}

func (s *Server) refuseRate() answer {
	a := s.refuse(http.StatusTooManyRequests, failure{Code: codeRateLimit, Message: "Rate limit exceeded", Retryable: true})
	a.drained = true
	return a
}

func (s *Server) refuseSignature() answer {
	return s.refuse(http.StatusUnauthorized, failure{Code: codeSignature, Message: "0004 Invalid Signature"})
}

func (s *Server) refuseExpired() answer {
	return s.refuse(http.StatusTeapot, failure{Code: codeKeyExpired, Message: "Access key has expired"})
}

func (s *Server) refusePath() answer {
	return s.refuse(http.StatusNotFound, failure{Code: codePath, Message: "No such resource"})
}

func (s *Server) refuseAddress(status int) answer {
	return s.refuse(status, failure{Code: codeForbidden, Message: "Operation forbidden for address"})
}

func (s *Server) refuseToken() answer {
	return s.refuse(s.config.InvalidTokenStatus, failure{Code: codeSIEMToken, Message: "Invalid token"})
}

func (s *Server) refusePageToken() answer {
	return s.refuse(http.StatusBadRequest, failure{Code: codePageToken, Message: "The page token is invalid or has expired", Field: "pageToken"})
}

// spoil returns a as the fault makes it; n chooses among the fault's varieties.
// A fault in a batch's contents is in a already and only named.
func (s *Server) spoil(a answer, f Fault, n uint32) answer {
	switch f {
	case "":
		return a
	case FaultRateLimited:
		a = s.refuseRate()
	case FaultServerError:
		a = s.serverError(n)
	case FaultHTML:
		a = htmlAnswer(http.StatusOK)
	case FaultFailRetryable:
		a = s.refuse(http.StatusOK, failure{Code: codeFailRetryable, Message: "Please try again", Retryable: true})
	case FaultFailFinal:
		a = s.refuseAddress(http.StatusOK)
	case FaultKeyExpired:
		a = s.refuseExpired()
	case FaultForbidden:
		a = s.refuseAddress(http.StatusForbidden)
	case FaultUnauthorized:
		a = s.refuseSignature()
	case FaultInvalidToken:
		a = s.refuseToken()
	case FaultPageTokenStale:
		a = s.refusePageToken()
	case FaultNoToken:
		a.header.Del(headerSIEMToken)
	case FaultBodyCut, FaultReset, FaultStall:
		a.mishap = f
	}
	a.outcome = Hit(f)
	return a
}

func (s *Server) serverError(n uint32) answer {
	status := http.StatusInternalServerError
	if n%4 != 0 {
		return htmlAnswer(status + 1 + int(n%4)) // 502, 503, 504
	}
	return s.refuse(status, failure{Code: codeServer, Message: "Internal server error", Retryable: true})
}

func htmlAnswer(status int) answer {
	return answer{status: status, header: http.Header{headerContentType: {contentTypeHTML}}, body: []byte(htmlPage)}
}
