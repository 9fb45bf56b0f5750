package mimecast

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Stats are what a client has done since it was made.
type Stats struct {
	// Requests to the API, for tokens too, and for files, by how they ended: with
	// the HTTP status 200, with 429, with another one below 500, or with one of 500
	// and more or without an answer. Those that the caller ended are not counted.
	Succeeded, RateLimited, Refused, Failed uint64

	Bytes       uint64        // of the bodies of answers, as they were sent
	Tokens      uint64        // OAuth 2 tokens that came
	Waited      time.Duration // for the service's rate limit, all requests together
	LastSuccess time.Time     // of the API, by this machine's clock; zero before the first
}

// Stats returns the numbers as of now.
func (c *Client) Stats() Stats {
	c.stats.mu.Lock()
	defer c.stats.mu.Unlock()
	s := c.stats.Stats
	s.Bytes = c.stats.bytes.Load()
	return s
}

// stats counts. It is safe for concurrent use.
type stats struct {
	mu sync.Mutex
	Stats
	bytes atomic.Uint64 // in place of Stats.Bytes
}

// ended counts a request: resp is nil when no answer came. ctx is the caller's.
func (s *stats) ended(ctx context.Context, resp *http.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case resp == nil && ctx.Err() != nil:
	case resp == nil || resp.StatusCode >= http.StatusInternalServerError:
		s.Failed++
	case resp.StatusCode == http.StatusOK:
		s.Succeeded++
	case resp.StatusCode == http.StatusTooManyRequests:
		s.RateLimited++
	default:
		s.Refused++
	}
}

// answered notes a success of the API.
func (s *stats) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.LastSuccess = time.Now()
}

func (s *stats) gotToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Tokens++
}

func (s *stats) waited(since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Waited += time.Since(since)
}

// body counts the bytes that are read of a body.
func (s *stats) body(of io.ReadCloser) io.ReadCloser { return &countedBody{of, &s.bytes} }

type countedBody struct {
	io.ReadCloser
	bytes *atomic.Uint64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(uint64(n))
	return n, err
}
