package simulator

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// maxBody bounds what is read of a request.
const maxBody = 1 << 20

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
	events    timeline
	sent      cache[event] // as JSON
	epoch     atomic.Int64 // of page tokens

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
	s := &Server{
		config:    config,
		generator: g,
		tokens:    newSealer(config.Seed),
		limits:    limiter{limit: config.RateLimit, window: config.RateWindow},
		renderer:  renderer{generator: g, types: config.Types, bombSize: config.BombSize},
		closed:    make(chan struct{}),
	}
	return s, s.keys.set(config.credentials())
}

// Close lets go of the requests that stall. The server goes on answering others;
// stop the HTTP server in front of it for that.
func (s *Server) Close() { s.closing.Do(func() { close(s.closed) }) }

// Credentials returns the credentials in force.
func (s *Server) Credentials() Credentials { return s.keys.get() }

// SetCredentials puts other credentials in force at once; requests signed with
// those before are refused. It returns an error for ones that cannot sign.
func (s *Server) SetCredentials(c Credentials) error { return s.keys.set(c) }

// ExpireCredentials lets the access key die: what is signed with it gets 418
// until SetCredentials is called.
func (s *Server) ExpireCredentials() { s.keys.expire() }

// clock is the service's own time.
func (s *Server) clock() time.Time { return s.config.Now().Add(s.config.DateOffset) }

// ServeHTTP answers one request of API 1.0.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := s.config.Now()
	left, within := s.limits.take(now)
	path, a := s.answer(r, within)
	if a.drained {
		left.remaining = 0
	}
	s.counts.add(path, a.outcome, now)

	h := w.Header()
	h.Set("Date", s.clock().UTC().Format(http.TimeFormat))
	h.Set("X-Ratelimit-Limit", strconv.Itoa(left.limit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(left.remaining))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(max(1, left.reset.Milliseconds()), 10))
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	for name, values := range a.header {
		h[name] = values
	}
	s.send(w, r, a)
}

// answer decides what a request gets, and which endpoint it counts for.
func (s *Server) answer(r *http.Request, within bool) (path string, a answer) {
	serve := s.endpoint(r.URL.Path)
	path = r.URL.Path
	if serve == nil {
		path = pathOther
	}
	switch {
	case !within:
		return path, s.refuseRate()
	case serve == nil:
		return path, s.refuse(http.StatusNotFound, failure{Code: codePath, Message: "No such resource"})
	case r.Method != http.MethodPost:
		return path, s.refuse(http.StatusMethodNotAllowed, failure{Code: codeMethod, Message: "Only POST is allowed"})
	}
	if refusal, ok := s.admit(r); !ok {
		return path, refusal
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return path, s.refuse(http.StatusBadRequest, failure{Code: codeJSON, Message: "The body could not be read"})
	}
	return path, serve(body, r.Header.Get("x-mc-req-id"))
}

// endpoint returns what serves a path, nil for a path there is not.
func (s *Server) endpoint(path string) func(body []byte, id string) answer {
	switch path {
	case PathSIEM:
		return s.serveSIEM
	case PathImpersonation:
		return s.serveImpersonation
	}
	return nil
}

// send writes the answer, or as much of it as its mishap allows.
func (s *Server) send(w http.ResponseWriter, r *http.Request, a answer) {
	body := a.body
	switch a.mishap {
	case FaultBodyCut, FaultReset:
		body = body[:len(body)/2]
	case FaultStall:
		body = nil
	}
	w.WriteHeader(a.status)
	if _, err := w.Write(body); err != nil || a.mishap == "" {
		return // the client has gone: nobody is left to tell
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	switch a.mishap {
	case FaultReset:
		reset(w)
	case FaultStall:
		select {
		case <-r.Context().Done():
		case <-s.closed:
		}
	}
}

// reset gives up the connection so that the client's system is told of it. Where
// there is none to give up, the cut body is all the client sees.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	raw := conn
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
		raw = wrapped.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		// Nothing to do on an error: the connection ends either way.
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

// raw returns the body of a right request for a batch's files.
func (s *Server) raw(number, file int, format string, compress bool) ([]byte, error) {
	all := s.batches.snapshot().all
	if number < 0 || number >= len(all) {
		return nil, fmt.Errorf("simulator: there is no batch %d", number)
	}
	if format != formatJSON && format != formatKeyValue {
		return nil, fmt.Errorf("simulator: there is no format %q", format)
	}
	b := all[number]
	if file < 0 || file >= len(b.files(s.config.Types)) && !compress {
		return nil, fmt.Errorf("simulator: batch %d has no file %d", number, file)
	}
	r := rendering{batch: number, file: file, format: format, compress: compress}
	if b.fault.inArchive() {
		r.container = b.fault
	}
	return s.renderer.body(r, b)
}
