package simulator

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers one request of either API, or one for what is behind a link.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := s.config.Now()
	path, a := s.route(r, now)
	s.counts.add(path, a.outcome, now)

	h := w.Header()
	h.Set("Date", s.clock().UTC().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	for name, values := range a.header {
		h[name] = values
	}
	s.send(w, r, a)
}

// route has the request answered by the API it is for, and returns which endpoint
// it counts for.
func (s *Server) route(r *http.Request, now time.Time) (path string, a answer) {
	switch path = r.URL.Path; {
	case strings.HasPrefix(path, PathLinks):
		return PathLinks, s.serveLink(r)
	case path == PathToken:
		a = s.serveToken(r)
	case path == PathEvents || path == PathEventsCI:
		a = s.serveEvents(r, now)
	case logAt(path) != nil && strings.HasPrefix(r.Header.Get("Authorization"), bearer):
		a = s.serveBearer(r, now)
	default:
		left, within := s.limits.take(now)
		path, a = s.answer(r, within)
		if a.drained {
			left.remaining = 0
		}
		left.tell(a.header)
		return path, a
	}
	id := newDice(s.config.Seed, streamRequestID, s.answered.Add(1))
	a.header.Set("X-Request-Id", id.uuid())
	return path, a
}

// answer decides what a request of API 1.0 gets, and which endpoint it counts for.
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
		return path, s.refusePath()
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
	return path, serve(body, caller{id: r.Header.Get("x-mc-req-id")})
}

// endpoint returns what serves a path, nil for a path there is not.
func (s *Server) endpoint(path string) func([]byte, caller) answer {
	if path == PathSIEM {
		return s.serveSIEM
	}
	if l := logAt(path); l != nil {
		return func(body []byte, by caller) answer { return s.servePage(l, body, by) }
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
