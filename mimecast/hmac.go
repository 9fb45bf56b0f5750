package mimecast

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Keys are what a request of API 1.0 is signed with. All but AppID are secrets.
type Keys struct {
	AppID     string
	AppKey    string
	AccessKey string
	SecretKey string // base64
}

// KeySource returns the current keys. It may be called concurrently. Its errors
// must not hold a secret.
type KeySource func() (Keys, error)

// HMAC is the [Auth] of API 1.0: four keys sign each request. It asks its source
// for them before the first request, after each refusal, and before the next
// request, so that keys can be rotated while a client runs. Make one with
// [NewHMAC].
//
// https://integrations.mimecast.com/documentation/api-overview/authentication-and-authorization/
type HMAC struct {
	source KeySource

	mu     sync.Mutex
	keys   *Keys // nil before the first request and after a refusal
	latest Keys  // that signed a request
	before Keys  // that did so before latest: an answer to them may be on its way
}

// NewHMAC makes an Auth of the keys that source returns. It asks for none yet.
func NewHMAC(source KeySource) *HMAC { return &HMAC{source: source} }

// dateFormat is the x-mc-date header's; the zone is always the letters UTC.
const dateFormat = "Mon, 02 Jan 2006 15:04:05 UTC"

// Authorize implements [Auth]. The service refuses a request id twice, so each
// call makes another.
func (h *HMAC) Authorize(r *http.Request, now time.Time) error {
	keys, err := h.current()
	if err != nil {
		return err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return fmt.Errorf("making a request id: %w", err)
	}
	r.Header.Set("X-Mc-App-Id", keys.AppID)
	r.Header.Set("X-Mc-Req-Id", id.String())
	r.Header.Set("X-Mc-Date", now.UTC().Format(dateFormat))
	signature, err := keys.sign(r)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", signature)
	return nil
}

// current returns the keys to sign with, read anew after a refusal. Reading may
// take its time: nobody else waits for it.
func (h *HMAC) current() (Keys, error) {
	h.mu.Lock()
	have := h.keys
	h.mu.Unlock()
	if have != nil {
		return *have, nil
	}
	keys, err := h.source()
	if err != nil {
		return Keys{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keys = &keys
	if keys != h.latest {
		h.before, h.latest = h.latest, keys
	}
	return keys, nil
}

// Refused implements [Auth]: it reads the keys, and reports whether they sign r
// in another way.
func (h *HMAC) Refused(r *http.Request) (changed bool) {
	h.mu.Lock()
	h.keys = nil
	h.mu.Unlock()
	keys, err := h.source()
	if err != nil {
		return false
	}
	signature, err := keys.sign(r)
	return err == nil && (signature != r.Header.Get("Authorization") || keys.AppID != r.Header.Get("X-Mc-App-Id"))
}

// Application implements [Auth].
func (h *HMAC) Application() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.latest.AppID
}

// Redact implements [Auth].
func (h *HMAC) Redact(text string) string {
	h.mu.Lock()
	latest, before := h.latest, h.before
	h.mu.Unlock()
	return before.redact(latest.redact(text))
}

// String keeps the secrets out of whatever h is printed to.
func (h *HMAC) String() string { return "HMAC" }

// GoString is String, for %#v.
func (h *HMAC) GoString() string { return h.String() }

// String keeps the secrets out of whatever the value is printed to.
func (k Keys) String() string { return "keys of application " + k.AppID }

// GoString is String, for %#v.
func (k Keys) GoString() string { return k.String() }

// sign returns the value of the Authorization header of r, whose date and
// request id are set:
//
//	MC {access key}:base64(HMAC-SHA1(secret key, "{date}:{request id}:{uri}:{app key}"))
//
// uri is the path alone, date is spelled as in the x-mc-date header.
func (k Keys) sign(r *http.Request) (string, error) {
	secret, err := base64.StdEncoding.DecodeString(k.SecretKey)
	if err != nil {
		return "", errors.New("the secret key is not in base64")
	}
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(r.Header.Get("X-Mc-Date") + ":" + r.Header.Get("X-Mc-Req-Id") + ":" + r.URL.Path + ":" + k.AppKey))
	return "MC " + k.AccessKey + ":" + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// redact takes the secrets out of text that came from the network.
func (k Keys) redact(text string) string {
	return withoutSecrets(text, k.AppKey, k.AccessKey, k.SecretKey)
}
