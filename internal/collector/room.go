package collector

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// roomInterval is how often the free space is looked at.
	roomInterval = time.Second
	// reserve is what stays free on the file system of the db; on a small one
	// it is a share.
	reserve      = 64 << 20
	reserveShare = 20
)

// room keeps an eye on the file system that the db is on, which should be that
// of Fluent Bit's chunks too: the host does not tell when a chunk can't be
// written, so nothing is handed over when there may be no room for it.
type room struct {
	path   string // a folder; empty: there is always room
	log    *slog.Logger
	statfs func(path string) (free, total uint64, err error)
	latest atomic.Pointer[sample]
	taken  atomic.Int64 // bytes handed over that the host has taken
	// refused is set when there was no room for a piece.
	refused atomic.Bool
}

// sample is the room there was at one time, in bytes, and what the host had
// taken before: all that it takes later has to find its place in there.
type sample struct{ bytes, taken int64 }

func newRoom(path string, log *slog.Logger) *room {
	r := &room{path: path, log: log, statfs: statfs}
	r.latest.Store(&sample{bytes: math.MaxInt64})
	return r
}

// has says whether there is room for n more bytes, after so many were handed
// over.
func (r *room) has(handed int64, n int) bool {
	s := r.latest.Load()
	return s.bytes-(handed-s.taken) >= int64(n)
}

// watch looks at the free space until ctx ends.
func (r *room) watch(ctx context.Context) {
	if r.path == "" {
		return
	}
	full := false
	for {
		taken := r.taken.Load()
		free, total, err := r.statfs(r.path)
		bytes := int64(math.MaxInt64) // what can't be known holds up nothing
		if err == nil {
			bytes = int64(free) - int64(min(reserve, total/reserveShare))
		}
		r.latest.Store(&sample{bytes, taken})
		if now := r.refused.Swap(false) || bytes <= 0; now != full {
			full = now
			if full {
				r.log.Error("the file system of the db is nearly full; nothing is handed over until there is room: Fluent Bit does not say when it can't store a record",
					"folder", r.path, "free", megabytes(free))
			} else {
				r.log.Info("there is room on the file system of the db again", "folder", r.path, "free", megabytes(free))
			}
		}
		if pause(ctx, roomInterval) != nil {
			return
		}
	}
}

func statfs(path string) (free, total uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	size := uint64(st.Bsize)
	return st.Bavail * size, st.Blocks * size, nil
}

func megabytes(n uint64) string { return fmt.Sprintf("%dM", n>>20) }
