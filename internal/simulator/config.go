package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// What a zero field of [Config] stands for.
const (
	defaultRateLimit       = 1000
	defaultRateWindow      = 5 * time.Second
	defaultPageSize        = 25
	defaultMaxPageSize     = 500
	defaultBombSize        = 256 << 20
	defaultJSONContentType = "application/json"
)

// Config says what service to be. The zero value is a usable one.
type Config struct {
	// AppID, AppKey, AccessKey and SecretKey (base64) are the credentials every
	// request must be made with. When all four are empty they are made from
	// Seed; [Server.Credentials] tells them.
	AppID, AppKey, AccessKey, SecretKey string

	// Seed decides the contents of every synthetic record and event, and the
	// tokens. Two servers with the same Seed, Now and calls serve the same bytes.
	Seed uint64

	// Now is the time; nil means [time.Now].
	Now func() time.Time

	// DateOffset is how far the service's clock is from Now. It shows in the
	// Date header, in the refusal of skewed requests and in the times of
	// batches and events.
	DateOffset time.Duration

	// Types are the log types [Server.AddBatch] writes, each to a file of its
	// own; nil means all of [LogTypes].
	Types []string

	// RateLimit requests are answered in each RateWindow, all endpoints
	// together; those beyond get 429. Zero means 1000 in 5 seconds.
	RateLimit  int
	RateWindow time.Duration

	// DefaultPageSize (25) is used when a request names no page size, and
	// MaxPageSize (500) when it names a larger one.
	DefaultPageSize, MaxPageSize int

	// InvalidTokenStatus is the HTTP status of a refused SIEM token, which the
	// service does not document; zero means 400. It may be 200.
	InvalidTokenStatus int

	// IdleToken makes the "nothing new" answer carry mc-siem-token too; whether
	// the service does is not known.
	IdleToken bool

	// JSONContentType is the Content-Type of JSON answers, for instance with a
	// charset; empty means application/json.
	JSONContentType string

	// BombSize is what the bomb of [FaultZipBomb] inflates to, in bytes; zero
	// means 256 MiB.
	BombSize int64
}

// complete returns the configuration with every default filled in, or an error
// that names the field that cannot be served.
func (c Config) complete() (Config, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.credentials() == (Credentials{}) {
		c.AppID, c.AppKey, c.AccessKey, c.SecretKey = madeUpCredentials(c.Seed)
	}
	if len(c.Types) == 0 {
		c.Types = LogTypes()
	}
	c.Types = slices.Clone(c.Types)
	c.RateLimit = orDefault(c.RateLimit, defaultRateLimit)
	c.RateWindow = orDefault(c.RateWindow, defaultRateWindow)
	c.DefaultPageSize = orDefault(c.DefaultPageSize, defaultPageSize)
	c.MaxPageSize = orDefault(c.MaxPageSize, defaultMaxPageSize)
	c.InvalidTokenStatus = orDefault(c.InvalidTokenStatus, http.StatusBadRequest)
	c.JSONContentType = orDefault(c.JSONContentType, defaultJSONContentType)
	c.BombSize = orDefault(c.BombSize, defaultBombSize)
	return c, c.validate()
}

func (c Config) validate() error {
	for i, name := range c.Types {
		if logTypeByName(name) == nil {
			return fmt.Errorf("simulator: unknown log type %q", name)
		}
		if slices.Contains(c.Types[:i], name) {
			return fmt.Errorf("simulator: log type %q is listed twice", name)
		}
	}
	if c.RateLimit < 0 || c.RateWindow < 0 || c.BombSize < 0 || c.DefaultPageSize < 0 || c.MaxPageSize < 0 {
		return errors.New("simulator: a limit, window or size is negative")
	}
	if c.InvalidTokenStatus < 200 || c.InvalidTokenStatus > 599 {
		return fmt.Errorf("simulator: %d is no HTTP status for an invalid token", c.InvalidTokenStatus)
	}
	return nil
}

func (c Config) credentials() Credentials {
	return Credentials{AppID: c.AppID, AppKey: c.AppKey, AccessKey: c.AccessKey, SecretKey: c.SecretKey}
}

// orDefault returns v, or fallback when v is the zero value.
func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
