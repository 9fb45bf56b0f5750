package mimecast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// A whole answer may take this many times the timeout, so that one which
// trickles can't hold a log for good.
const timeoutsPerAnswer = 30

var (
	errStalled = errors.New("stalled")
	errTooSlow = errors.New("too slow")
)

// watchdog ends a request whose answer doesn't begin, stalls, or trickles.
type watchdog struct {
	timeout time.Duration
	cancel  func()
	stall   *time.Timer
}

// watch returns a context that the watchdog ends. Its cancel must be called,
// or its guard be closed, in the end.
func watch(ctx context.Context, timeout time.Duration) (context.Context, *watchdog) {
	ctx, stop := context.WithCancelCause(ctx)
	w := &watchdog{timeout: timeout}
	// Connecting, the TLS handshake and the headers each have the timeout of
	// their own in the transport; this bounds them together.
	w.stall = time.AfterFunc(3*timeout, func() { stop(errStalled) })
	total := time.AfterFunc(timeoutsPerAnswer*timeout, func() { stop(errTooSlow) })
	w.cancel = func() {
		w.stall.Stop()
		total.Stop()
		stop(context.Canceled)
	}
	return ctx, w
}

// explain replaces an error that the watchdog caused by one that says so.
func (w *watchdog) explain(ctx context.Context, err error) error {
	switch context.Cause(ctx) {
	case errStalled:
		return fmt.Errorf("nothing came for %s: %w", w.timeout, context.DeadlineExceeded)
	case errTooSlow:
		return fmt.Errorf("the answer took longer than %s: %w", timeoutsPerAnswer*w.timeout, context.DeadlineExceeded)
	}
	return err
}

// guard returns the body with the watchdog on it.
func (w *watchdog) guard(ctx context.Context, body io.ReadCloser) io.ReadCloser {
	w.stall.Reset(w.timeout)
	return &guarded{ctx: ctx, watchdog: w, body: body}
}

type guarded struct {
	ctx      context.Context
	watchdog *watchdog
	body     io.ReadCloser
}

func (g *guarded) Read(p []byte) (int, error) {
	g.watchdog.stall.Reset(g.watchdog.timeout)
	n, err := g.body.Read(p)
	if err != nil && err != io.EOF {
		err = g.watchdog.explain(g.ctx, err)
	}
	// The caller may take its time with what it got.
	g.watchdog.stall.Stop()
	return n, err
}

func (g *guarded) Close() error {
	err := g.body.Close()
	g.watchdog.cancel()
	return err
}
