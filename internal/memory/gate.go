package memory

import (
	"context"
	"slices"
	"sync"
)

// Gate lets users in, in the order in which they came, as many at a time as a share
// has room for. One is let in however small the share is. A share that has grown is
// noticed when a user leaves. It is safe for concurrent use.
type Gate struct {
	share     *Share
	low, high int

	mu   sync.Mutex
	in   int
	line []chan struct{} // of those who wait; closed when they are let in
}

// NewGate returns a gate for low users, which is at least one, to high ones; see
// [Share.Bound].
func NewGate(s *Share, low, high int) *Gate { return &Gate{share: s, low: max(low, 1), high: high} }

// Enter waits to be let in. After nil, call Leave.
func (g *Gate) Enter(ctx context.Context) error {
	if g.try() {
		return nil
	}
	turn := g.Line()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		g.Quit(turn)
		return ctx.Err()
	}
}

// Line joins those who wait. The channel is closed when its owner is let in. Call
// Leave after that, or Quit if nobody waits for it any more.
func (g *Gate) Line() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	turn := make(chan struct{})
	g.line = append(g.line, turn)
	g.admit()
	return turn
}

// Quit leaves the line, or what it led to.
func (g *Gate) Quit(turn <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.line, func(c chan struct{}) bool { return c == turn })
	if i >= 0 {
		g.line = slices.Delete(g.line, i, i+1)
		return
	}
	g.in--
	g.admit()
}

// Inside returns how many are in.
func (g *Gate) Inside() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.in
}

// Leave makes room for others.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in--
	g.admit()
}

// try enters if that needs no waiting.
func (g *Gate) try() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.line) > 0 || !g.room() {
		return false
	}
	g.in++
	return true
}

func (g *Gate) room() bool { return g.in < g.share.Bound(g.low, g.high) }

func (g *Gate) admit() {
	for len(g.line) > 0 && g.room() {
		close(g.line[0])
		g.line = slices.Delete(g.line, 0, 1)
		g.in++
	}
}
