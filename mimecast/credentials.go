package mimecast

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
)

// Credentials are what a request is signed with. All but AppID are secrets.
type Credentials struct {
	AppID     string
	AppKey    string
	AccessKey string
	SecretKey string // base64
}

// CredentialSource returns the current credentials. The client asks it once
// before its first request and again after each refused one, so that keys can
// be rotated while it runs. Its errors must not hold a secret.
type CredentialSource func() (Credentials, error)

// String keeps the secrets out of whatever the value is printed to.
func (c Credentials) String() string { return "credentials of application " + c.AppID }

// GoString is String, for %#v.
func (c Credentials) GoString() string { return c.String() }

// authorization is the value of the Authorization header:
//
//	MC {access key}:base64(HMAC-SHA1(secret key, "{date}:{request id}:{uri}:{app key}"))
//
// uri is the path alone, date is spelled as in the x-mc-date header.
func (c Credentials) authorization(date, requestID, uri string) (string, error) {
	secret, err := base64.StdEncoding.DecodeString(c.SecretKey)
	if err != nil {
		return "", fmt.Errorf("the secret key is not in base64")
	}
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(date + ":" + requestID + ":" + uri + ":" + c.AppKey))
	return "MC " + c.AccessKey + ":" + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// redact takes the secrets out of text that came from the network.
func (c Credentials) redact(text string) string {
	for _, secret := range []string{c.AppKey, c.AccessKey, c.SecretKey} {
		if len(secret) >= 4 {
			text = strings.ReplaceAll(text, secret, "…")
			text = strings.ReplaceAll(text, strings.ReplaceAll(secret, "/", `\/`), "…")
		}
	}
	return text
}
