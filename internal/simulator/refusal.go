package simulator

import (
	"encoding/xml"
	"net/http"
)

// The codes of errors API 2.0 is known to answer with.
const (
	codeClient       = "InvalidClientIdentifier"
	codeUnauthorized = "Unauthorized Request"
	codeExpired      = "token_expired"
	codeUnverified   = "token_verification_failed"
	codeAppForbidden = "app_forbidden"
	codeValidation   = "Request Validation Failed"
)

// The codes of errors of API 2.0 for which the service's own are not known.
const (
	codeTooMany  = "too_many_requests"
	codeInternal = "internal_server_error"
)

// The codes of the store of links.
const (
	codeArgument  = "InvalidArgument"
	codeSigned    = "SignatureDoesNotMatch"
	codeDenied    = "AccessDenied"
	codeNoKey     = "NoSuchKey"
	codeStore     = "InternalError"
	codeStoreVerb = "MethodNotAllowed"
)

// gatewayRefusal is a refusal of API 2.0 as a whole.
func (s *Server) gatewayRefusal(status int, code, message string) answer {
	type fail struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	return s.encoded(status, struct {
		Fail []fail `json:"fail"`
	}{[]fail{{code, message}}}, Outcome(code))
}

// eventsRefusal is a refusal of what a call of [PathEvents] asks for.
func (s *Server) eventsRefusal(status int, message string) answer {
	type failure struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	return s.encoded(status, struct {
		Error failure `json:"error"`
	}{failure{codeValidation, message}}, codeValidation)
}

func (s *Server) refuseClient() answer {
	return s.gatewayRefusal(http.StatusUnauthorized, codeClient, "Client credentials are invalid")
}

func (s *Server) refuseApp() answer {
	return s.gatewayRefusal(http.StatusForbidden, codeAppForbidden, "Forbidden to perform the requested operation")
}

func (s *Server) refuseBearer(code string) answer {
	return s.gatewayRefusal(http.StatusUnauthorized, code, "The request is not authorized")
}

// refuseQuota is the 429 of API 2.0, the only answer that tells the quota.
func (s *Server) refuseQuota(q quota) answer {
	a := s.gatewayRefusal(http.StatusTooManyRequests, codeTooMany, "Too many requests")
	q.remaining = 0
	q.tell(a.header)
	return a
}

func (s *Server) refuseCursor(status int) answer {
	return s.eventsRefusal(status, "Invalid page token: `nextPage`")
}

// storeRefusal is a refusal of the store of links.
func storeRefusal(status int, code, message string) answer {
	body, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: message})
	if err != nil {
		body = nil // two plain texts always marshal
	}
	return answer{
		status:  status,
		header:  http.Header{headerContentType: {"application/xml"}},
		body:    append([]byte(xml.Header), body...),
		outcome: Outcome(code),
	}
}

// spoilToken is [Server.spoil] for API 2.0: for bearer tokens, and for what they
// entitle to. The quota is what a 429 tells.
func (s *Server) spoilToken(a answer, at scene, f Fault, n uint32, q quota) answer {
	switch f {
	case FaultRateLimited:
		a = s.refuseQuota(q)
	case FaultServerError:
		statuses := []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, 509}
		a = htmlAnswer(statuses[n%4])
		if n%4 == 0 {
			a = s.gatewayRefusal(statuses[0], codeInternal, "Internal server error")
		}
	case FaultForbidden:
		a = s.refuseApp()
	case FaultUnauthorized:
		a = s.refuseBearer(codeUnauthorized)
	case FaultInvalidClient:
		a = s.refuseClient()
	case FaultTokenExpired:
		a = s.refuseBearer(codeExpired)
	case FaultTokenUnverified:
		a = s.refuseBearer(codeUnverified)
	case FaultValidation:
		a = s.eventsRefusal(http.StatusBadRequest, "Invalid request")
		if at.page {
			a = s.refuseField(codeValue, "data")
		}
	case FaultInvalidToken:
		a = s.refuseCursor(http.StatusBadRequest)
	default:
		return s.spoil(a, f, n)
	}
	a.outcome = Hit(f)
	return a
}

// spoilFile is [Server.spoil] for the store of links. A fault in a file's contents
// is in a already.
func (s *Server) spoilFile(a answer, f Fault, n uint32) answer {
	switch f {
	case FaultServerError:
		a = htmlAnswer(http.StatusInternalServerError + int(n%4))
		if n%4 == 0 {
			a = storeRefusal(http.StatusInternalServerError, codeStore, "We encountered an internal error. Please try again.")
		}
	case FaultLinkExpired:
		a = linkEnded()
	case FaultLinkGone:
		a = linkGone()
	case FaultContentEncoding:
		a.header.Set("Content-Encoding", "gzip")
	default:
		return s.spoil(a, f, n)
	}
	a.outcome = Hit(f)
	return a
}

func linkEnded() answer { return storeRefusal(http.StatusForbidden, codeDenied, "Request has expired") }

func linkGone() answer {
	return storeRefusal(http.StatusNotFound, codeNoKey, "The specified key does not exist.")
}
