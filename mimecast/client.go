package mimecast

import (
	"bytes"
	"context"
	"errors"
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
// used up: then until the time that the service told, at most 15 minutes. With
// [OAuth2] they also wait for a token.
type Client struct {
	base        *url.URL
	auth        Auth
	tokens      tokenAuth // auth, where it has tokens; otherwise nil
	userAgent   string
	timeout     time.Duration
	refusals    *streak // nil without tokens
	http        *http.Client
	links       *linkStore
	limiter     *rate.Limiter
	onRateLimit func(wait time.Duration)
	stats       stats

	mu     sync.Mutex
	limits map[string]rateLimit // by limitOf
	date   time.Time            // the Date of the latest answer, zero before the first
	dateAt time.Time            // when it came; monotonic, so that a clock that is set does not matter
}

// rateLimit is one of the service's rate limits.
type rateLimit struct {
	notBefore time.Time // it is used up until then
	toldUntil time.Time // end of the latest wait that onRateLimit was called for
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
	links, err := newLinkStore(o, transport)
	if err != nil {
		return nil, err
	}
	var refusals *streak
	tokens, _ := o.Auth.(tokenAuth)
	if tokens != nil {
		refusals = new(streak)
	}
	return &Client{
		base:        o.BaseURL,
		auth:        o.Auth,
		tokens:      tokens,
		refusals:    refusals,
		userAgent:   o.UserAgent,
		limits:      map[string]rateLimit{},
		timeout:     o.Timeout,
		limiter:     rate.NewLimiter(requestsPerSecond, requestBurst),
		onRateLimit: o.OnRateLimit,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: noRedirect,
		},
		links: links,
	}, nil
}

// Application returns the id of the application that the latest request was made
// for; empty before the first.
func (c *Client) Application() string { return c.auth.Application() }

// Close drops idle connections. Requests under way end with their contexts.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.links.close()
}

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

// call is what a request asks for.
type call struct {
	endpoint Endpoint
	method   string
	query    string // encoded
	media    string // type of payload
	payload  []byte
	forToken bool                        // asks for a token: it is not authorized
	before   func(context.Context) error // is called before each try; nil: nothing is
}

// post sends a JSON value; see do.
func (c *Client) post(ctx context.Context, e Endpoint, body any) (*answer, error) {
	payload, err := marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%s: encoding the request: %w", e.Path, err)
	}
	return c.do(ctx, call{endpoint: e, method: http.MethodPost, media: "application/json", payload: payload})
}

// do makes one try of a call. A call whose token was refused is made once more,
// with another token. Every status but 200 is an *APIError. The bytes that
// follow in a 200 may still be a refusal.
func (c *Client) do(ctx context.Context, r call) (*answer, error) {
	a, err := c.try(ctx, r)
	var refusal *APIError
	if c.tokens != nil && errors.As(err, &refusal) && refusal.Endpoint == r.endpoint && (refusal.Transient || refusal.Cause() == CauseClient) {
		return c.try(ctx, r)
	}
	return a, err
}

// try authorizes a call and sends it.
func (c *Client) try(ctx context.Context, r call) (*answer, error) {
	path := r.endpoint.Path
	if err := c.pace(ctx, path); err != nil {
		return nil, err
	}
	if err := c.renew(ctx, r); err != nil {
		return nil, err
	}
	if r.before != nil {
		if err := r.before(ctx); err != nil {
			return nil, err
		}
		if err := c.renew(ctx, r); err != nil { // it may have waited for long
			return nil, err
		}
	}
	caller := ctx
	ctx, stop := watch(ctx, c.timeout)
	asked := c.Now()
	req, err := c.request(ctx, r, asked)
	if err != nil {
		stop.cancel()
		return nil, err
	}
	resp, err := c.http.Do(req)
	c.stats.ended(caller, resp)
	if err != nil {
		stop.cancel()
		err = stop.explain(ctx, withoutURL(err))
		return nil, fmt.Errorf("%s: %w", path, &cleanError{clean(c.auth.Redact(err.Error())), err})
	}
	c.observe(path, resp)
	a := &answer{auth: c.auth, refusals: c.refusals, request: req, endpoint: r.endpoint, header: resp.Header, body: stop.guard(ctx, c.stats.body(resp.Body))}
	a.mediaType, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	unreadable := a.decode()
	if resp.StatusCode != http.StatusOK {
		defer a.body.Close()
		refusal := a.refusal(resp)
		if c.Now().Sub(asked).Abs() > maxClockOffset {
			refusal.Retryable = true // the next try has the right time
		}
		if !refusal.passing() && !refusal.refusesClient() {
			a.accepted()
		}
		return nil, a.refused(refusal)
	}
	a.accepted()
	if !r.forToken {
		c.stats.answered()
	}
	if unreadable != nil {
		a.body.Close()
		return nil, unreadable
	}
	return a, nil
}

// renew gets a call a token, if it needs one.
func (c *Client) renew(ctx context.Context, r call) error {
	if c.tokens == nil || r.forToken {
		return nil
	}
	return c.tokens.renew(ctx, c.postForm)
}

// postForm sends a form that asks for a token, and returns the content of the
// answer.
func (c *Client) postForm(ctx context.Context, e Endpoint, form url.Values) ([]byte, error) {
	a, err := c.try(ctx, call{
		endpoint: e, method: http.MethodPost, forToken: true,
		media: "application/x-www-form-urlencoded", payload: []byte(form.Encode()),
	})
	if err != nil {
		return nil, err
	}
	defer a.body.Close()
	c.stats.gotToken()
	return a.read(maxTokenAnswer)
}

// request makes a request that is authorized as of now.
func (c *Client) request(ctx context.Context, r call, now time.Time) (*http.Request, error) {
	target := *c.base
	target.Path, target.RawQuery = r.endpoint.Path, r.query
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), bytes.NewReader(r.payload))
	if err != nil {
		return nil, err
	}
	// The transport must not send it again by itself: it is authorized once.
	req.GetBody = nil
	if r.media != "" {
		req.Header.Set("Content-Type", r.media)
	}
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", c.userAgent)
	if r.forToken {
		return req, nil
	}
	if err := c.auth.Authorize(req, now); err != nil {
		return nil, err
	}
	return req, nil
}

// pace waits until the client's own rate and the service's allow a request.
func (c *Client) pace(ctx context.Context, path string) error {
	if err := c.limiter.Wait(ctx); err != nil {
		return err
	}
	for {
		wait, tell := c.rateLimit(path)
		if wait <= 0 {
			return nil
		}
		if tell && c.onRateLimit != nil {
			c.onRateLimit(wait)
		}
		began := time.Now()
		err := sleep(ctx, wait)
		c.stats.waited(began)
		if err != nil {
			return err
		}
	}
}

// limitOf returns the key in limits of what is asked for at a path. API 2.0 has a
// limit for each.
//
// https://developer.services.mimecast.com/api-overview#rate-limiting
func (c *Client) limitOf(path string) string {
	if c.tokens == nil {
		return ""
	}
	return path
}

// rateLimit returns how long requests wait for the service's rate limit, and
// whether that is a wait which has not been told of.
func (c *Client) rateLimit(path string) (wait time.Duration, tell bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := c.limitOf(path)
	limit := c.limits[key]
	wait = time.Until(limit.notBefore)
	if wait > 0 && time.Until(limit.toldUntil) <= 0 {
		limit.toldUntil = limit.notBefore
		c.limits[key] = limit
		tell = true
	}
	return wait, tell
}

// observe reads what every answer tells: the service's clock, and when its
// rate limit is used up.
func (c *Client) observe(path string, resp *http.Response) {
	h := resp.Header
	c.mu.Lock()
	defer c.mu.Unlock()
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		// The header has whole seconds: half of one is the middle.
		c.date, c.dateAt = date.Add(500*time.Millisecond), time.Now()
	}
	var wait time.Duration
	remaining, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	switch {
	case err == nil && remaining <= 0:
		wait = resetIn(h)
	case c.tokens != nil && resp.StatusCode == http.StatusTooManyRequests:
		wait = told(h) // API 2.0 may leave out the other headers
	default:
		return
	}
	limit := c.limits[c.limitOf(path)]
	limit.notBefore = time.Now().Add(min(wait, longestToldWait))
	c.limits[c.limitOf(path)] = limit
}
