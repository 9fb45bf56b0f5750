package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/bits"
	"sync/atomic"
	"syscall"
	"time"

	"fluent-bit-mimecast/internal/sleep"
)

const (
	// diskInterval is how often the free space is looked at.
	diskInterval = time.Second
	// reserve is what stays free on the file system of the db; on a small one
	// it is a share.
	reserve      = 64 << 20
	reserveShare = 20
)

// DiskSpace keeps an eye on the file system that the db is on, which should be that
// of Fluent Bit's chunks too: the host does not tell when a chunk can't be
// written, so nothing is handed over when there may be no room for it.
type DiskSpace struct {
	path string // a folder; empty: there is always room
	log  *slog.Logger
	// Statfs returns bytes. Tests replace it.
	Statfs  func(path string) (free, total uint64, err error)
	latest  atomic.Pointer[diskSample]
	drained atomic.Int64 // bytes handed over that the host has taken
	// refused is set when there was no room for a piece.
	refused atomic.Bool
}

// diskSample is the room there was at one time, in bytes, and what the host had
// taken before: all that it takes later has to find its place in there.
type diskSample struct{ bytes, taken int64 }

// NewDiskSpace watches the file system of a folder; empty: there is always room.
func NewDiskSpace(path string, log *slog.Logger) *DiskSpace {
	r := &DiskSpace{path: path, log: log, Statfs: statfs}
	r.latest.Store(&diskSample{bytes: math.MaxInt64})
	return r
}

// has reports whether there is room for n more bytes, after so many were handed
// over.
func (r *DiskSpace) has(handed int64, n int) bool {
	s := r.latest.Load()
	return s.bytes-(handed-s.taken) >= int64(n)
}

// Available returns how many bytes may still be handed over: 1<<63 - 1 when there is
// always room, and while the free space is unknown. It is safe for concurrent use.
func (r *DiskSpace) Available() int64 { return max(r.latest.Load().bytes, 0) }

// Watch looks at the free space until ctx ends.
func (r *DiskSpace) Watch(ctx context.Context) {
	if r.path == "" {
		return
	}
	full, said := false, false
	for {
		taken := r.drained.Load()
		bytes, free, err := r.look()
		r.latest.Store(&diskSample{bytes, taken})
		refused := r.refused.Swap(false)
		now := err == nil && (refused || bytes <= 0)
		switch {
		case err != nil && (full || !said):
			said = true
			r.log.Warn("the db's free space is unknown; handing over all the same", "folder", r.path, "err", err,
				"what_to_do", "watch the file system by other means: Fluent Bit does not say when it can't store a record")
		case now && !full:
			r.log.Error("the file system of the db is nearly full",
				"means", "nothing is handed over until there is space: Fluent Bit does not say when it can't store a record",
				"folder", r.path, "free", megabytes(free))
		case full && !now:
			r.log.Info("the file system of the db has space again", "folder", r.path, "free", megabytes(free))
		}
		full = now
		if sleep.For(ctx, diskInterval) != nil {
			return
		}
	}
}

// look returns the bytes that may be handed over and those that are free. An
// error means that they are unknown: then there is room for everything.
func (r *DiskSpace) look() (bytes int64, free uint64, err error) {
	free, total, err := r.Statfs(r.path)
	// A file system that does not know its space, as some over FUSE or NFS or a
	// tmpfs without a limit, answers a total of zero or numbers that can't be.
	if err == nil && (total == 0 || free > total || total > math.MaxInt64) {
		err = fmt.Errorf("the file system says that %d of %d bytes are free", free, total)
	}
	if err != nil {
		return math.MaxInt64, 0, err
	}
	return int64(free) - int64(min(reserve, total/reserveShare)), free, nil
}

func statfs(path string) (free, total uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	size := uint64(st.Bsize)
	if int64(st.Bavail) < 0 && st.Blocks>>63 == 0 {
		st.Bavail = 0 // what is kept for the superuser is in use
	}
	return product(st.Bavail, size), product(st.Blocks, size), nil
}

// product multiplies; the largest number stands for those that are too large.
func product(blocks, size uint64) uint64 {
	if high, low := bits.Mul64(blocks, size); high == 0 {
		return low
	}
	return math.MaxUint64
}

func megabytes(n uint64) string { return fmt.Sprintf("%dM", n>>20) }
