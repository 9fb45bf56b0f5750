package mimecast

import (
	"net/http"
	"time"
)

// Auth authorizes the requests of a client. [HMAC] is the way of API 1.0.
// Implementations are safe for concurrent use, and no error of theirs holds a
// secret.
type Auth interface {
	// Authorize sets the headers that authorize r, which no one has sent yet.
	// now is the time by the service's clock. It may block, until r's context
	// ends. The client calls it for each try.
	Authorize(r *http.Request, now time.Time) error
	// Refused is called after the service refused the caller of r, a request
	// that Authorize has authorized. It reports whether r would be authorized in
	// another way by now, so that another try may come soon.
	Refused(r *http.Request) (changed bool)
	// Redact returns text from the network without the secrets that may have
	// been sent there.
	Redact(text string) string
}
