package simulator

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Credentials are the four values a client of API 1.0 is given.
type Credentials struct {
	AppID     string // x-mc-app-id
	AppKey    string // signed, never sent
	AccessKey string // names the key pair in Authorization
	SecretKey string // base64; signs
}

// keyring holds the credentials in force. Safe for concurrent use.
type keyring struct {
	mu      sync.Mutex
	current Credentials
	secret  []byte
	expired bool
}

// set puts other credentials in force; those before are refused from now on.
func (k *keyring) set(c Credentials) error {
	if c.AppID == "" || c.AppKey == "" || c.AccessKey == "" || c.SecretKey == "" {
		return errors.New("simulator: a credential is empty")
	}
	if strings.Contains(c.AccessKey, ":") {
		return errors.New("simulator: an access key cannot contain a colon")
	}
	secret, err := base64.StdEncoding.DecodeString(c.SecretKey)
	if err != nil {
		return fmt.Errorf("simulator: the secret key is not base64: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current, k.secret, k.expired = c, secret, false
	return nil
}

func (k *keyring) get() Credentials {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

// expire lets the access key die; set revives.
func (k *keyring) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.expired = true
}

// check reports whether authorization signs the request, and whether the key it
// was signed with is dead.
func (k *keyring) check(authorization, date, requestID, uri string) (valid, expired bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	want := authorize(k.current.AccessKey, k.secret, k.current.AppKey, date, requestID, uri)
	return hmac.Equal([]byte(want), []byte(authorization)), k.expired
}

// authorize returns the Authorization header of a request to uri, a path.
func authorize(accessKey string, secret []byte, appKey, date, requestID, uri string) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(date + ":" + requestID + ":" + uri + ":" + appKey))
	return "MC " + accessKey + ":" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// madeUpCredentials returns credentials of the usual shapes that follow from seed.
func madeUpCredentials(seed uint64) (appID, appKey, accessKey, secretKey string) {
	d := newDice(seed, streamCredentials)
	return d.uuid(), d.uuid(), d.base64(96), base64.StdEncoding.EncodeToString(d.bytes(64))
}
