package collector

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// space is an answer of statfs.
type space struct {
	free, total uint64
	err         error
}

// unknown are answers that say nothing about the room there is.
func unknown() map[string]space {
	return map[string]space{
		"zero":                   {0, 0, nil},
		"free without a total":   {1 << 30, 0, nil},
		"all ones":               {math.MaxUint64, math.MaxUint64, nil},
		"free is all ones":       {math.MaxUint64, 1 << 40, nil},
		"total is all ones":      {0, math.MaxUint64, nil},
		"total is too large":     {0, 1 << 63, nil},
		"more free than total":   {1<<40 + 1, 1 << 40, nil},
		"an error":               {0, 0, errors.New("function not implemented")},
		"an error, with numbers": {0, 1 << 40, errors.New("stale file handle")},
	}
}

func TestRoomUnknown(t *testing.T) {
	t.Parallel()
	for name, answer := range unknown() {
		t.Run(name, func(t *testing.T) {
			withRig(t, simulator.Config{}, []string{"logs", "siem"}, func(r *rig) {
				r.statfs = func(string) (uint64, uint64, error) { return answer.free, answer.total, answer.err }
				for range 2 {
					r.sim.AddBatch(100)
				}
				r.start()
				r.run(time.Minute)
				r.clean()
				r.notLogged("nearly full", "there is room on")
				if n := strings.Count(r.log.String(), "free space is unknown"); n != 1 {
					r.t.Errorf("said %d times that the space is unknown", n)
				}
			})
		})
	}
}

func TestRoomKnown(t *testing.T) {
	t.Parallel()
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
		r := newRoom("x", slog.New(slog.DiscardHandler))
		r.statfs = func(string) (uint64, uint64, error) { return test.answer.free, test.answer.total, test.answer.err }
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
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		r := newRoom("x", slog.New(slog.NewTextHandler(&log, nil)))
		var now atomic.Pointer[space]
		r.statfs = func(string) (uint64, uint64, error) { s := now.Load(); return s.free, s.total, s.err }
		ctx, cancel := context.WithCancel(context.Background())
		now.Store(&space{0, 1 << 40, nil})
		go r.watch(ctx)
		step := func(answer space, has bool) {
			t.Helper()
			now.Store(&answer)
			time.Sleep(2 * roomInterval)
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
			for _, text := range []string{"nearly full", "is unknown", "there is room on"} {
				if strings.Contains(line, text) {
					got = append(got, text)
				}
			}
		}
		if want := []string{"nearly full", "is unknown", "nearly full", "there is room on"}; !slices.Equal(got, want) {
			t.Errorf("logged %q, want %q", got, want)
		}
	})
}
