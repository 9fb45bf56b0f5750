package mimecast

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSignature(t *testing.T) {
	// The known answer of a collector in production.
	r := httptest.NewRequest(http.MethodPost, "https://eu-api.mimecast.com/api/test/some-url", nil)
	r.Header.Set("X-Mc-Date", "Sun, 21 Aug 2022 13:49:40 UTC")
	r.Header.Set("X-Mc-Req-Id", "3d796b76-4180-40e5-8f7c-6e0fd643b1a9")
	k := Keys{AccessKey: "AccessKey", SecretKey: "U2VjcmV0S2V5", AppKey: "ApplicationKey"}
	got, err := k.sign(r)
	if want := "MC AccessKey:WOywLsnZlsE+D6bp/ug6uch5kxc="; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	k.SecretKey = "not base64!"
	if _, err := k.sign(r); err == nil || strings.Contains(err.Error(), k.SecretKey) {
		t.Errorf("a secret key that is not base64: got %v", err)
	}
}

// TestHMACReadsKeysAgain follows keys from the first request to a rotation.
func TestHMACReadsKeysAgain(t *testing.T) {
	keys, failure, reads := testKeys(), error(nil), 0
	h := NewHMAC(func() (Keys, error) { reads++; return keys, failure })
	r := httptest.NewRequest(http.MethodPost, "https://eu-api.mimecast.com/api/x", nil)
	authorize := func() {
		t.Helper()
		if err := h.Authorize(r, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	authorize()
	authorize()
	if reads != 1 {
		t.Errorf("two requests read the keys %d times", reads)
	}
	if h.Refused(r) || reads != 2 {
		t.Errorf("keys that stay: changed, or read %d times", reads)
	}
	authorize()
	if reads != 3 {
		t.Errorf("the request after a refusal: keys read %d times", reads)
	}
	failure = errors.New("the file is away")
	if h.Refused(r) {
		t.Error("keys that can't be read are changed")
	}
	if err := h.Authorize(r, time.Now()); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
	failure = nil
	for name, change := range map[string]func(*Keys){
		"app id":     func(k *Keys) { k.AppID = "another" },
		"app key":    func(k *Keys) { k.AppKey = "another-app-key" },
		"access key": func(k *Keys) { k.AccessKey = "another-access-key" },
		"secret key": func(k *Keys) { k.SecretKey = "YW5vdGhlcg==" },
	} {
		keys = testKeys()
		authorize()
		h.Refused(r)
		authorize()
		change(&keys)
		// Of requests that were signed with the same keys, each may come again.
		for range 2 {
			if !h.Refused(r) {
				t.Errorf("another %s is no change", name)
			}
		}
	}
}

func TestHMACRedacts(t *testing.T) {
	keys := testKeys()
	old := keys
	h := NewHMAC(func() (Keys, error) { return keys, nil })
	r := httptest.NewRequest(http.MethodPost, "https://eu-api.mimecast.com/api/x", nil)
	check := func(secrets ...string) {
		t.Helper()
		for _, text := range []string{h.Redact("said " + strings.Join(secrets, " and ")), fmt.Sprintf("%v %+v %#v", h, struct{ A Auth }{h}, keys)} {
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%q holds %q", text, secret)
				}
			}
		}
	}
	_ = h.Authorize(r, time.Now())
	check(old.AppKey, old.AccessKey, old.SecretKey)
	// An answer to the old keys may come after the new ones are in use.
	h.Refused(r)
	check(old.AppKey, old.AccessKey, old.SecretKey)
	keys.AppKey, keys.SecretKey = "new-app-key", "bmV3L3NlY3JldA=="
	_ = h.Authorize(r, time.Now())
	check(old.AppKey, old.SecretKey, keys.AppKey, keys.AccessKey, keys.SecretKey)
	if got := h.Redact("app-id"); got != "app-id" {
		t.Errorf("what is no secret became %q", got)
	}
}
