package simulator

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a simulated service. It is an [http.Handler] for plain HTTP or TLS,
// and safe for concurrent use. Make one with [New].
type Server struct {
	config    Config
	generator generator
	tokens    sealer
	keys      keyring
	seen      replays
	limits    limiter
	faults    faultQueue
	counts    counters
	batches   shelf
	renderer  renderer
	events    map[string]*timeline // by log
	sent      cache[sentEvent]     // as JSON
	epoch     atomic.Int64         // of page tokens

	// API 2.0
	issuer      issuer
	eventLimits map[string]*limiter // by endpoint
	files       fileShelf
	gzipper     gzipper
	signer      signer
	refused     atomic.Pointer[[]string]
	absent      atomic.Pointer[[]string]
	linkHost    atomic.Pointer[string]
	answered    atomic.Uint64

	closing sync.Once
	closed  chan struct{}
}

// New returns a service without any data. It returns an error that names what
// is wrong with the configuration.
func New(config Config) (*Server, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	g := newGenerator(config.Seed, config.Types)
	tokens := newSealer(config.Seed)
	s := &Server{
		config:    config,
		generator: g,
		tokens:    tokens,
		limits:    limiter{limit: config.RateLimit, window: config.RateWindow},
		renderer:  renderer{generator: g, types: config.Types, bombSize: config.BombSize},
		issuer:    issuer{tokens: tokens, life: config.TokenLife},
		eventLimits: map[string]*limiter{
			PathEvents:   {limit: config.EventsLimit, window: config.EventsWindow},
			PathEventsCI: {limit: config.EventsLimit, window: config.EventsWindow},
		},
		gzipper: gzipper{seed: config.Seed, bombSize: config.BombSize},
		signer:  signer{tokens: tokens, life: config.LinkLife},
		events:  map[string]*timeline{},
		closed:  make(chan struct{}),
	}
	for _, name := range Logs() {
		s.events[name] = new(timeline)
	}
	return s, errors.Join(
		s.keys.set(config.credentials()),
		s.issuer.set(Client{ID: config.ClientID, Secret: config.ClientSecret}))
}

// Close lets go of the requests that stall. The server goes on answering others;
// stop the HTTP server in front of it for that.
func (s *Server) Close() { s.closing.Do(func() { close(s.closed) }) }

// clock is the service's own time.
func (s *Server) clock() time.Time { return s.config.Now().Add(s.config.DateOffset) }
