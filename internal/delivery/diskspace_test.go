package delivery

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// space is an answer of statfs.
type space struct {
	free, total uint64
	err         error
}

func TestRoomKnown(t *testing.T) {
	for name, test := range map[string]struct {
		answer space
		bytes  int64
	}{
		"much":           {space{1 << 40, 1 << 41, nil}, 1<<40 - reserve},
		"empty":          {space{1 << 40, 1 << 40, nil}, 1<<40 - reserve},
		"full":           {space{0, 1 << 40, nil}, -reserve},
		"full and small": {space{0, 1 << 20, nil}, -(1 << 20) / reserveShare},
		"one byte":       {space{0, 1, nil}, 0},
		"the largest":    {space{math.MaxInt64, math.MaxInt64, nil}, math.MaxInt64 - reserve},
	} {
		r := NewDiskSpace("x", slog.New(slog.DiscardHandler))
		r.Statfs = func(string) (uint64, uint64, error) { return test.answer.free, test.answer.total, test.answer.err }
		if bytes, free, err := r.look(); bytes != test.bytes || free != test.answer.free || err != nil {
			t.Errorf("%s: got %d, %d, %v, want %d", name, bytes, free, err, test.bytes)
		}
	}
	for _, test := range [][3]uint64{
		{0, 4096, 0},
		{1 << 30, 4096, 1 << 42},
		{math.MaxUint64, 4096, math.MaxUint64},
		{1 << 52, 4096, math.MaxUint64},
		{1 << 51, 1 << 12, 1 << 63},
		{math.MaxUint64, 1, math.MaxUint64},
		{math.MaxUint64, 0, 0},
	} {
		if got := product(test[0], test[1]); got != test[2] {
			t.Errorf("%d blocks of %d: got %d, want %d", test[0], test[1], got, test[2])
		}
	}
}

// TestRoomOfAFullDisk has a disk that is full, then does not know its room, and
// is full again.
func TestRoomOfAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		r := NewDiskSpace("x", slog.New(slog.NewTextHandler(&log, nil)))
		var now atomic.Pointer[space]
		r.Statfs = func(string) (uint64, uint64, error) { s := now.Load(); return s.free, s.total, s.err }
		ctx, cancel := context.WithCancel(context.Background())
		now.Store(&space{0, 1 << 40, nil})
		go r.Watch(ctx)
		step := func(answer space, has bool) {
			t.Helper()
			now.Store(&answer)
			time.Sleep(2 * diskInterval)
			synctest.Wait() // for the look of this second
			if r.has(1<<40, 1<<40) != has {
				t.Errorf("%+v: has room: %v", answer, !has)
			}
		}
		full, empty := space{0, 1 << 40, nil}, space{1 << 45, 1 << 45, nil}
		step(full, false)
		step(space{0, 0, nil}, true)
		step(full, false)
		step(empty, true)
		// A piece that was refused says nothing once the room is unknown.
		r.refused.Store(true)
		step(space{math.MaxUint64, math.MaxUint64, nil}, true)
		step(empty, true)
		cancel()
		synctest.Wait()
		var got []string
		for line := range strings.Lines(log.String()) {
			for _, text := range []string{"nearly full", "is unknown", "has space again"} {
				if strings.Contains(line, text) {
					got = append(got, text)
				}
			}
		}
		if want := []string{"nearly full", "is unknown", "nearly full", "has space again"}; !slices.Equal(got, want) {
			t.Errorf("logged %q, want %q", got, want)
		}
	})
}
