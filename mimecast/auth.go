package mimecast

import (
	"net/http"
	"time"
)

// Auth authorizes the requests of a client. [HMAC] does so for API 1.0.
// Implementations are safe for concurrent use. Their errors hold no secret.
type Auth interface {
	// Authorize sets the headers that authorize r, before it is sent. now is the
	// time by the service's clock. The client calls it for each try and
	// holds no lock meanwhile. It may block until r's context ends.
	Authorize(r *http.Request, now time.Time) error
	// Refused is called after the service refused the caller of r, which
	// Authorize has authorized. The implementation reads its keys anew. It reports
	// whether they differ from those of r, so that another try may come soon.
	Refused(r *http.Request) (changed bool)
	// Application returns the id of the application that the latest request was
	// authorized for; empty before the first.
	Application() string
	// Redact returns text from the network without the secrets that may have
	// been sent there.
	Redact(text string) string
}
