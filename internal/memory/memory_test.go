package memory

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const mega = 1 << 20

func TestPortion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                       string
		limit, taken, active, want int64
	}{
		{"one block, idle", 256 * mega, 0, 0, most},
		{"one block alone has the bounds of one block", 256 * mega, 20 * mega, 1, most},
		{"two blocks too", 256 * mega, 96 * mega, 2, most},
		{"four share half of the limit", 256 * mega, 100 * mega, 4, 32 * mega},
		{"ten do", 256 * mega, 100 * mega, 10, 128 * mega / 10},
		{"a hundred have what they need to go on", 256 * mega, 100 * mega, 100, least},
		{"when all is taken, nobody has more than that", 256 * mega, 128 * mega, 3, least},
		{"a larger limit", 1024 * mega, 100 * mega, 50, 512 * mega / 50},
		{"a small limit", 16 * mega, 0, 1, 8 * mega},
		{"a small limit for two", 16 * mega, 4 * mega, 2, 4 * mega},
		{"a small limit for many", 16 * mega, 4 * mega, 20, least},
	} {
		if got := portion(c.limit, c.taken, c.active); got != c.want {
			t.Errorf("%s: %d, not %d", c.name, got, c.want)
		}
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1": 1, "268435456": 256 * mega, "256M": 256 * mega, "256m": 256 * mega, "1G": 1 << 30, "20000K": 20000 << 10,
		"": 0, "M": 0, "-1": 0, "1.5G": 0, "256 M": 0, "256MB": 0, "9223372036854775808": 0, "99999999999G": 0, "8589934592G": 0,
	} {
		got, err := ParseSize(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"": DefaultLimit, "much": DefaultLimit, "15M": DefaultLimit, "0": DefaultLimit, "16M": 16 * mega, "1G": 1 << 30,
	} {
		var b Budget
		err := b.Set(text)
		if b.Limit() != want || (err != nil) != (text != "" && want == DefaultLimit) {
			t.Errorf("%q: %d, %v", text, b.Limit(), err)
		}
	}
}

// TestSharesOfManyBlocks has a share get smaller with each block that takes something,
// and as large as before when they have returned it.
func TestSharesOfManyBlocks(t *testing.T) {
	t.Parallel()
	var b Budget
	first := b.Share()
	bound := func() int { return first.Bound(10, 10+most-least) - 10 + least }
	if bound() != most {
		t.Errorf("%d for a block alone", bound())
	}
	var others []*Share
	for n := range 9 {
		s := b.Share()
		if s.Before() != n+1 {
			t.Errorf("%d blocks were there before", s.Before())
		}
		others = append(others, s)
		s.Reserve(mega)
		s.Reserve(mega)
	}
	first.Reserve(mega)
	if want := DefaultLimit / 2 / 10; bound() != want || b.Reserved() != 19*mega {
		t.Errorf("%d of %d, not %d, with %d taken", bound(), DefaultLimit, want, b.Reserved())
	}
	first.Reserve(200 * mega)
	if bound() != least {
		t.Errorf("%d when all is taken", bound())
	}
	first.Release(201 * mega)
	for i, s := range others {
		if i%2 == 0 {
			s.Release(2 * mega)
		}
		s.Close()
		s.Close()
		s.Reserve(mega)
		s.Release(2 * mega)
	}
	if bound() != most || b.Reserved() != 0 || b.active.Load() != 0 || b.Share().Before() != 1 {
		t.Errorf("%d when all is returned, %d taken, %d active", bound(), b.Reserved(), b.active.Load())
	}
}

// TestGateLetsInInTurn has a share that gets smaller and larger again.
func TestGateLetsInInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b Budget
		s, other := b.Share(), b.Share()
		g := NewGate(s, 1, 4)
		var in []int
		var mu sync.Mutex
		enter := func(ctx context.Context, n int) {
			if g.Enter(ctx) == nil {
				mu.Lock()
				defer mu.Unlock()
				in = append(in, n)
			}
		}
		check := func(want ...int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(in) // those that were let in together come in any order
			if !slices.Equal(in, want) {
				t.Errorf("%v are in, not %v", in, want)
			}
		}
		other.Reserve(200 * mega) // all
		quit, cancel := context.WithCancel(t.Context())
		for n := range 6 {
			ctx := t.Context()
			if n == 2 {
				ctx = quit
			}
			go enter(ctx, n)
			synctest.Wait()
		}
		check(0)
		cancel()
		g.Leave()
		check(0, 1)
		other.Release(200 * mega)
		check(0, 1) // nobody has left
		g.Leave()
		check(0, 1, 3, 4, 5)
		turn := g.Line()
		<-turn
		if g.Inside() != 4 {
			t.Errorf("%d are in", g.Inside())
		}
		late := g.Line()
		g.Quit(turn) // it was let in, and makes room
		<-late
		for range 4 {
			g.Leave()
		}
		if g.Inside() != 0 {
			t.Errorf("%d are in at the end", g.Inside())
		}
	})
}

// TestBlocksThatTakeByBounds has blocks which take up to their bounds, and never more
// all together than half of the limit and the least share of each.
func TestBlocksThatTakeByBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const blocks, step = 20, 256 << 10
		var b Budget
		var running sync.WaitGroup
		for n := range blocks {
			s := b.Share()
			dice := rand.New(rand.NewPCG(1, uint64(n)))
			running.Go(func() {
				defer s.Close()
				for range 2000 {
					if s.Reserved() < s.Bound(least, most) && dice.IntN(3) > 0 {
						s.Reserve(step)
					} else if s.Reserved() > 0 {
						s.Release(step)
					}
					if most := int64(DefaultLimit/2 + blocks*(least+step)); b.Reserved() > most {
						t.Errorf("%d bytes are taken", b.Reserved())
						return
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		running.Wait()
		if b.Reserved() != 0 {
			t.Errorf("%d bytes are taken at the end", b.Reserved())
		}
	})
}
