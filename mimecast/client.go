package mimecast

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds on what a client does and takes.
const (
	// requestsPerSecond and requestBurst keep a client polite whatever goes
	// wrong; the service's own limits are lower and are honoured beside them.
	requestsPerSecond = 100
	requestBurst      = 100
)

// maxClockOffset is how far a clock may be off without a request being refused
// for it; the service takes 15 minutes.
const maxClockOffset = 5 * time.Minute

// Client makes requests of one application at one service. Close it when it
// is no longer used. It is safe for concurrent use. Requests wait for each other
// only when there are more than 100 a second, or when the service's rate limit is
// used up: then until the time that the service told, at most 15 minutes.
type Client struct {
	base        *url.URL
	auth        Auth
	timeout     time.Duration
	http        *http.Client
	limiter     *rate.Limiter
	onRateLimit func(wait time.Duration)

	mu        sync.Mutex
	notBefore time.Time // the service's rate limit is used up until then
	toldUntil time.Time // end of the latest wait that onRateLimit was called for
	date      time.Time // the Date of the latest answer, zero before the first
	dateAt    time.Time // when it came; monotonic, so that a clock that is set does not matter
}

// NewClient makes a client. It makes no request yet.
// It returns an error if the options can't work, and if the environment's proxy
// is needed and can't be read.
func NewClient(o Options) (*Client, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	transport := o.Transport
	if transport == nil {
		t, err := newTransport(o)
		if err != nil {
			return nil, err
		}
		transport = t
	}
	return &Client{
		base:        o.BaseURL,
		auth:        o.Auth,
		timeout:     o.Timeout,
		limiter:     rate.NewLimiter(requestsPerSecond, requestBurst),
		onRateLimit: o.OnRateLimit,
		http: &http.Client{
			Transport: transport,
			// A redirect would carry the signed headers elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Application returns the id of the application that the latest request was made
// for; empty before the first.
func (c *Client) Application() string { return c.auth.Application() }

// Close drops idle connections. Requests under way end with their contexts.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ClockOffset returns how far the service's clock is ahead of this machine's,
// by the Date of its latest answer, to half a second; false before the first
// answer.
func (c *Client) ClockOffset() (time.Duration, bool) {
	c.mu.Lock()
	seen := !c.date.IsZero()
	c.mu.Unlock()
	return c.Now().Sub(time.Now().Round(0)), seen
}

// Now is the time by the service's clock; by this machine's before the first
// answer. Setting this machine's clock does not move it.
func (c *Client) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.date.IsZero() {
		return time.Now().Round(0)
	}
	return c.date.Add(time.Since(c.dateAt))
}

// post makes one try of a call: it authorizes, sends, and turns every status but
// 200 into an *APIError. The bytes that follow in a 200 may still be a refusal.
func (c *Client) post(ctx context.Context, e Endpoint, body any) (*answer, error) {
	payload, err := marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%s: encoding the request: %w", e.Path, err)
	}
	if err := c.pace(ctx); err != nil {
		return nil, err
	}
	ctx, stop := watch(ctx, c.timeout)
	asked := c.Now()
	req, err := c.request(ctx, e.Path, payload, asked)
	if err != nil {
		stop.cancel()
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		stop.cancel()
		err = stop.explain(ctx, withoutURL(err))
		return nil, fmt.Errorf("%s: %w", e.Path, &cleanError{clean(c.auth.Redact(err.Error())), err})
	}
	c.observe(resp.Header)
	a := &answer{auth: c.auth, request: req, endpoint: e, header: resp.Header, body: stop.guard(ctx, resp.Body)}
	a.mediaType, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	unreadable := a.decode()
	if resp.StatusCode != http.StatusOK {
		defer a.body.Close()
		refusal := a.refusal(resp)
		if c.Now().Sub(asked).Abs() > maxClockOffset {
			refusal.Retryable = true // the next try has the right time
		}
		return nil, a.refused(refusal)
	}
	if unreadable != nil {
		a.body.Close()
		return nil, unreadable
	}
	return a, nil
}

// request makes a request that is authorized as of now.
func (c *Client) request(ctx context.Context, path string, payload []byte, now time.Time) (*http.Request, error) {
	target := *c.base
	target.Path = path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	// The transport must not send it again by itself: it is authorized once.
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "fluent-bit-mimecast")
	if err := c.auth.Authorize(req, now); err != nil {
		return nil, err
	}
	return req, nil
}

// pace waits until the client's own rate and the service's allow a request.
func (c *Client) pace(ctx context.Context) error {
	if err := c.limiter.Wait(ctx); err != nil {
		return err
	}
	for {
		wait, tell := c.rateLimit()
		if wait <= 0 {
			return nil
		}
		if tell && c.onRateLimit != nil {
			c.onRateLimit(wait)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// rateLimit returns how long requests wait for the service's rate limit, and
// whether that is a wait which has not been told of.
func (c *Client) rateLimit() (wait time.Duration, tell bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait = time.Until(c.notBefore)
	if wait > 0 && time.Until(c.toldUntil) <= 0 {
		c.toldUntil = c.notBefore
		tell = true
	}
	return wait, tell
}

// observe reads what every answer tells: the service's clock, and when its
// rate limit is used up.
func (c *Client) observe(h http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		// The header has whole seconds: half of one is the middle.
		c.date, c.dateAt = date.Add(500*time.Millisecond), time.Now()
	}
	if remaining, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining")); err == nil && remaining <= 0 {
		c.notBefore = time.Now().Add(min(resetIn(h), longestToldWait))
	}
}
