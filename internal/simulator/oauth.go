package simulator

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// Client are the credentials of an application of API 2.0.
type Client struct {
	ID, Secret string
}

func madeUpClient(seed uint64) (id, secret string) {
	d := newDice(seed, streamCredentials, 2)
	return d.base64(36), d.base64(48)
}

// issuer gives out bearer tokens and knows its own again. It keeps none: a token
// carries when it ends. Safe for concurrent use.
type issuer struct {
	tokens sealer
	life   time.Duration

	mu     sync.Mutex
	client Client
	epoch  uint64 // tokens of an earlier one have ended
	issued uint64 // makes tokens differ
}

const useBearer = "bearer"

func (i *issuer) set(c Client) error {
	if c.ID == "" || c.Secret == "" {
		return errors.New("simulator: a credential of the client is empty")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.client = c
	return nil
}

func (i *issuer) get() Client {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.client
}

// expire ends every token given out so far.
func (i *issuer) expire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.epoch++
}

// issue returns a token that is good for the issuer's life. It is false for other
// credentials than those in force.
func (i *issuer) issue(c Client, now time.Time) (token string, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	known := subtle.ConstantTimeCompare([]byte(c.ID), []byte(i.client.ID)) &
		subtle.ConstantTimeCompare([]byte(c.Secret), []byte(i.client.Secret))
	if known == 0 {
		return "", false
	}
	i.issued++
	payload := binary.BigEndian.AppendUint64(nil, uint64(now.Add(i.life).UnixMilli()))
	payload = binary.BigEndian.AppendUint64(payload, i.epoch)
	return i.tokens.seal(useBearer, binary.BigEndian.AppendUint64(payload, i.issued)), true
}

// check reports whether the issuer gave out the token, and whether it has ended.
func (i *issuer) check(token string, now time.Time) (known, ended bool) {
	payload, ok := i.tokens.open(useBearer, token)
	if !ok || len(payload) != 24 {
		return false, false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	end := time.UnixMilli(int64(binary.BigEndian.Uint64(payload)))
	return true, !now.Before(end) || binary.BigEndian.Uint64(payload[8:]) != i.epoch
}
