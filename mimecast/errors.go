package mimecast

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// Error codes that Mimecast documents or that were seen in its answers. The last
// ones are API 2.0's; the service also gives them to good credentials, for a
// while.
const (
	codeDeveloperKey     = "err_developer_key"
	codeInvalidSignature = "err_xdk_invalid_signature"
	codeBindingExpired   = "err_xdk_binding_expired"
	codeInvalidToken     = "err_audit_siem_invalid_token"
	codeIncorrectRegion  = "err_audit_log_incorrect_region"

	codeForbidden       = "app_forbidden"
	codeClientID        = "InvalidClientIdentifier"
	codeInvalidClient   = "invalid_client" // of RFC 6749
	codeUnauthorized    = "Unauthorized Request"
	codeTokenExpired    = "token_expired"
	codeTokenUnverified = "token_verification_failed"
)

// APIError is a refusal by the service. It never holds a secret, and what it
// holds of the service's own words is cleaned and short.
type APIError struct {
	Endpoint  Endpoint // of the request
	Status    int      // HTTP status; 200 when the refusal came in the body alone
	Code      string   // for instance err_xdk_invalid_signature; may be empty
	Message   string   // may be empty
	Field     string   // the field of the request it is about; may be empty
	Retryable bool     // the same request may succeed later, or with the keys of now
	// Transient reports whether the service refused the caller in a way that it
	// also refuses good credentials, and has not done so for long: see [OAuth2].
	Transient bool
	// Wait is how long the service asks to stay away; 0 when it doesn't say.
	Wait time.Duration
	// RequestID is the service's name for the request, which its support asks
	// for; may be empty.
	RequestID string

	token bool // the request carried a token, or asked for one
}

func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: the service refused the request: status %d", e.Endpoint.Path, e.Status)
	for _, part := range []string{e.Code, e.Message} {
		if part != "" {
			b.WriteString(", " + part)
		}
	}
	if e.Field != "" {
		b.WriteString(" (field " + e.Field + ")")
	}
	if e.RequestID != "" {
		b.WriteString(" (request id " + e.RequestID + ")")
	}
	return b.String()
}

// ResponseError is an answer that makes no sense: HTML where JSON should be, a
// batch without its next token. Another try may bring a better one. It holds no
// secret.
type ResponseError struct {
	Path   string // of the request
	Reason string // may quote the beginning of the answer, cleaned
}

func (e *ResponseError) Error() string { return e.Path + ": " + e.Reason }

// ProxyError is a refusal by the proxy to connect to the service. It holds none
// of the proxy's own words.
type ProxyError struct {
	Status int // HTTP status; 407 when the proxy wants other credentials
}

func (e *ProxyError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the proxy refused to connect: status %d %s", e.Status, http.StatusText(e.Status)))
}

// passing reports whether the service refuses for now, for a reason of its own:
// too many requests, or trouble. A code says nothing then.
func (e *APIError) passing() bool {
	return e.Transient || e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError
}

// Cause is what has to change before a request that the service refused can
// succeed, as far as the answer tells.
type Cause int

// The causes of refusals.
const (
	CauseUnknown     Cause = iota
	CausePermission        // the caller lacks the Permission of the Endpoint, or its Setting is off
	CauseExpiredKey        // the access key has expired
	CauseApplication       // the application is unknown or not enabled
	CauseKeys              // the keys do not fit, or this machine's clock is off
	CauseRegion            // the account is in another region
	CausePath              // nothing is served there: it may be no service of Mimecast's
	CauseRedirect          // the service is elsewhere; redirects are not followed
	CauseClient            // the client id and secret do not fit, or the application is not enabled
	CauseProduct           // the application lacks the Product of the Endpoint, or its role the Permission
)

// Cause returns why the service refused. The status goes before the code. It is
// unknown while the service refuses for now, for a reason of its own.
//
// https://integrations.mimecast.com/documentation/api-overview/api-concepts/
func (e *APIError) Cause() Cause {
	switch {
	case e.passing():
		return CauseUnknown
	case e.refusesClient():
		return CauseClient
	case e.Code == codeForbidden, e.token && e.Status == http.StatusForbidden:
		return CauseProduct
	case e.Status == http.StatusForbidden:
		return CausePermission
	case e.Status == http.StatusTeapot || e.Code == codeBindingExpired:
		return CauseExpiredKey
	case e.Code == codeDeveloperKey:
		return CauseApplication
	case e.Status == http.StatusUnauthorized || e.Code == codeInvalidSignature:
		return CauseKeys
	case e.Code == codeIncorrectRegion:
		return CauseRegion
	case e.Status == http.StatusNotFound:
		return CausePath
	case e.Status >= 300 && e.Status < 400:
		return CauseRedirect
	}
	return CauseUnknown
}

// refusesClient reports whether a service of API 2.0 refused the token or the
// credentials.
func (e *APIError) refusesClient() bool {
	switch e.Code {
	case codeClientID, codeInvalidClient, codeUnauthorized, codeTokenExpired, codeTokenUnverified:
		return true
	}
	return e.token && e.Status == http.StatusUnauthorized
}

// IsAccessRefused reports whether the service refused the caller rather than the
// request: nothing but other credentials or another permission helps.
func IsAccessRefused(err error) bool {
	var e *APIError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Cause() {
	case CausePermission, CauseExpiredKey, CauseApplication, CauseKeys, CauseClient, CauseProduct:
		return true
	}
	return false
}

// IsInvalidToken reports whether the service no longer knows the token of the
// request.
func IsInvalidToken(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Code == codeInvalidToken && !e.passing()
}

// IsRateLimited reports whether there were too many requests.
func IsRateLimited(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Status == http.StatusTooManyRequests
}

// maxErrorText bounds what is repeated of the service's words.
const maxErrorText = 200

// clean makes text from the network fit for a log line: no control characters,
// no line ends, a bounded length.
func clean(text string) string {
	if len(text) > 4*maxErrorText {
		text = text[:4*maxErrorText]
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	return short(text, maxErrorText)
}

// short cuts a text to so many characters.
func short(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n]) + "…"
	}
	return text
}

// cleanError is an error whose text may hold what came from the network; the
// error itself is still there for errors.As.
type cleanError struct {
	text string
	err  error
}

func (e *cleanError) Error() string { return e.text }

func (e *cleanError) Unwrap() error { return e.err }
