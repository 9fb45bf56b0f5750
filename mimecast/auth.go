package mimecast

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Auth authorizes the requests of a client. [HMAC] does so for API 1.0, [OAuth2]
// for 2.0.
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

// tokenAuth is an Auth whose requests carry a token that the service gives.
type tokenAuth interface {
	Auth
	// renew gets another token by post if one is needed. The client calls it
	// before Authorize. It blocks until there is a token, or ctx ends.
	renew(ctx context.Context, post formPoster) error
}

// formPoster sends a form to the service of the client, without authorization,
// and returns the content of the answer. A refusal is an *APIError.
type formPoster func(ctx context.Context, e Endpoint, form url.Values) ([]byte, error)

// withoutSecrets takes secrets out of text that came from the network, where they
// may stand as in JSON or in a form.
func withoutSecrets(text string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) < 4 {
			continue
		}
		for _, spelling := range []string{secret, strings.ReplaceAll(secret, "/", `\/`), url.QueryEscape(secret)} {
			text = strings.ReplaceAll(text, spelling, "…")
		}
	}
	return text
}
