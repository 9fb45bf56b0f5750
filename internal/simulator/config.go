package simulator

import (
	"errors"
	"fmt"
	"maps"
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
	defaultTokenLife       = 1799 * time.Second
	defaultLinkLife        = 15 * time.Minute
	defaultEventsLimit     = 50
	defaultEventsWindow    = 15 * time.Minute
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

	// AccountCode is the customer whose events are served: a request for a page of
	// them must name it in meta.accountCode. Empty means the caller's own, and that
	// none may be named. What the service answers to another is not documented.
	AccountCode string

	// DefaultPageSize (25) is used when a request names no page size, and
	// MaxPageSize (500) when it names a larger one.
	DefaultPageSize, MaxPageSize int

	// MaxPageSizes are those of single logs, by name; the others have MaxPageSize.
	MaxPageSizes map[string]int

	// EmptyLastPage makes every page of events have a next: the one after the last
	// event leads to an empty page. Without it, the page with the last event has none.
	EmptyLastPage bool

	// InvalidTokenStatus is the HTTP status of a refused SIEM token, which the
	// service does not document; zero means 400. It may be 200.
	InvalidTokenStatus int

	// IdleToken makes the "nothing new" answer carry mc-siem-token too; whether
	// the service does is not known.
	IdleToken bool

	// JSONContentType is the Content-Type of JSON answers, for instance with a
	// charset; empty means application/json.
	JSONContentType string

	// ClientID and ClientSecret are the credentials of API 2.0. When both are empty
	// they are made from Seed; [Server.Client] tells them.
	ClientID, ClientSecret string

	// TokenLife is how long a bearer token is good; zero means 1799 seconds.
	TokenLife time.Duration

	// LinkLife is how long a link is good; zero means 15 minutes. The service's is
	// not known.
	LinkLife time.Duration

	// EventsLimit calls of [PathEvents] are answered in each EventsWindow, all types
	// together, and as many of [PathEventsCI]; those beyond get 429. Zero means 50 in
	// 15 minutes.
	EventsLimit  int
	EventsWindow time.Duration

	// OldCursorStatus is the HTTP status of a cursor whose files have expired, which
	// the service does not document; zero means that the cursor goes on at the
	// first file still kept.
	OldCursorStatus int

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
	if c.ClientID == "" && c.ClientSecret == "" {
		c.ClientID, c.ClientSecret = madeUpClient(c.Seed)
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
	c.MaxPageSizes = maps.Clone(c.MaxPageSizes)
	c.InvalidTokenStatus = orDefault(c.InvalidTokenStatus, http.StatusBadRequest)
	c.JSONContentType = orDefault(c.JSONContentType, defaultJSONContentType)
	c.BombSize = orDefault(c.BombSize, defaultBombSize)
	c.TokenLife = orDefault(c.TokenLife, defaultTokenLife)
	c.LinkLife = orDefault(c.LinkLife, defaultLinkLife)
	c.EventsLimit = orDefault(c.EventsLimit, defaultEventsLimit)
	c.EventsWindow = orDefault(c.EventsWindow, defaultEventsWindow)
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
	for name, size := range c.MaxPageSizes {
		if logByName(name) == nil || size < 1 {
			return fmt.Errorf("simulator: %q has no largest page of %d", name, size)
		}
	}
	if c.TokenLife < 0 || c.LinkLife < 0 || c.EventsLimit < 0 || c.EventsWindow < 0 {
		return errors.New("simulator: a life, limit or window of API 2.0 is negative")
	}
	if c.InvalidTokenStatus < 200 || c.InvalidTokenStatus > 599 {
		return fmt.Errorf("simulator: %d is no HTTP status for an invalid token", c.InvalidTokenStatus)
	}
	if c.OldCursorStatus != 0 && (c.OldCursorStatus < 400 || c.OldCursorStatus > 599) {
		return fmt.Errorf("simulator: %d is no HTTP status for an old cursor", c.OldCursorStatus)
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
