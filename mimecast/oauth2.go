package mimecast

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Credentials are what API 2.0 gives a token for. The secret alone is secret.
type Credentials struct {
	ClientID     string
	ClientSecret string
}

// CredentialSource returns the current credentials. It may be called
// concurrently. Its errors must not hold a secret.
type CredentialSource func() (Credentials, error)

// OAuth2 is the [Auth] of API 2.0: one token authorizes all requests of a client,
// and is renewed before it ends. It asks its source for the credentials before
// it asks for a token, so that they can be rotated while a client runs. Make one
// with [NewOAuth2] for each client.
//
// The service also refuses good tokens and credentials now and then. The client
// then asks for another token, and makes the same request once more. A refusal
// is an [APIError.Transient] one until three have come in a row, over a minute
// or longer: only then is it [CauseClient] and [IsAccessRefused].
//
// https://developer.services.mimecast.com/api-overview
type OAuth2 struct {
	source CredentialSource

	mu             sync.Mutex
	renewal        *renewal // under way; nil: none
	bearer         string   // the latest token
	renewAt, end   time.Time
	bearerBefore   string // an answer to it may be on its way
	latest, before Credentials
}

// renewal is a request for a token, which several requests wait for.
type renewal struct {
	done chan struct{} // closed in the end
	err  error
	// abandoned reports whether the context of the request that made it ended.
	abandoned bool
}

// Bounds on tokens.
const (
	// A token is renewed this long before it ends, or a tenth of its life.
	renewBefore = time.Minute
	// defaultTokenLife is that of a token whose answer does not tell it.
	defaultTokenLife = 30 * time.Minute
	maxTokenLife     = 24 * time.Hour
)

// tokens is the endpoint that gives tokens.
func tokens() Endpoint { return Endpoint{Path: "/oauth/token"} }

// NewOAuth2 makes an Auth of the credentials that source returns. It asks for
// none yet.
func NewOAuth2(source CredentialSource) *OAuth2 { return &OAuth2{source: source} }

// Authorize implements [Auth].
func (o *OAuth2) Authorize(r *http.Request, _ time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bearer == "" {
		return errors.New("no token: only a client of this package gets one")
	}
	r.Header.Set("Authorization", "Bearer "+o.bearer)
	return nil
}

// Refused implements [Auth]: the next request waits for another token. It reports
// whether r had another one than the latest.
func (o *OAuth2) Refused(r *http.Request) (changed bool) {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if bearer != o.bearer {
		return true
	}
	o.renewAt, o.end = time.Time{}, time.Time{}
	return false
}

// Application implements [Auth]: the id of a client is its application's.
func (o *OAuth2) Application() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.latest.ClientID
}

// Redact implements [Auth].
func (o *OAuth2) Redact(text string) string {
	o.mu.Lock()
	secrets := []string{o.latest.ClientSecret, o.before.ClientSecret, o.bearer, o.bearerBefore}
	o.mu.Unlock()
	return withoutSecrets(text, secrets...)
}

// String keeps the secrets out of whatever o is printed to.
func (o *OAuth2) String() string { return "OAuth2" }

// GoString is String, for %#v.
func (o *OAuth2) GoString() string { return o.String() }

// String keeps the secret out of whatever the value is printed to.
func (c Credentials) String() string { return "credentials of client " + c.ClientID }

// GoString is String, for %#v.
func (c Credentials) GoString() string { return c.String() }

// renew implements tokenAuth. One request for a token is under way at a time;
// others wait for it, and share its error.
func (o *OAuth2) renew(ctx context.Context, post formPoster) error {
	for {
		o.mu.Lock()
		now := time.Now()
		usable := now.Before(o.end)
		if now.Before(o.renewAt) || (usable && o.renewal != nil) {
			o.mu.Unlock()
			return nil
		}
		other := o.renewal
		if other == nil {
			own := &renewal{done: make(chan struct{})}
			o.renewal = own
			o.mu.Unlock()
			own.err = o.fetch(ctx, post)
			own.abandoned = ctx.Err() != nil
			o.mu.Lock()
			o.renewal = nil
			o.mu.Unlock()
			close(own.done)
			if usable {
				return nil
			}
			return own.err
		}
		o.mu.Unlock()
		select {
		case <-other.done:
			if other.err != nil && !other.abandoned {
				return other.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fetch asks for a token.
func (o *OAuth2) fetch(ctx context.Context, post formPoster) error {
	credentials, err := o.source()
	if err != nil {
		return err
	}
	o.mu.Lock()
	if credentials != o.latest {
		o.before, o.latest = o.latest, credentials
	}
	o.mu.Unlock()
	asked := time.Now()
	body, err := post(ctx, tokens(), url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {credentials.ClientID},
		"client_secret": {credentials.ClientSecret},
	})
	if err != nil {
		return err
	}
	bearer, life := text(body, "access_token"), tokenLife(wholeNumber(member(body, "expires_in")))
	if bearer == "" || len(bearer) > maxToken || strings.ContainsFunc(bearer, func(r rune) bool { return r <= ' ' || r > '~' }) {
		// The answer is not quoted: it may hold a token nevertheless.
		return &ResponseError{tokens().Path, "an answer without a token"}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if bearer != o.bearer {
		o.bearerBefore, o.bearer = o.bearer, bearer
	}
	o.end = asked.Add(life)
	o.renewAt = o.end.Add(-min(renewBefore, life/10))
	return nil
}

// tokenLife is the life of a token by expires_in, in seconds.
func tokenLife(seconds int64) time.Duration {
	if seconds <= 0 {
		return defaultTokenLife
	}
	return time.Duration(min(seconds, int64(maxTokenLife/time.Second))) * time.Second
}
