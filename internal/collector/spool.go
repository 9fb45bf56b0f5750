package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/memory"
)

const (
	// spoolMemory is how much of a batch of API 1.0 is kept in memory; a larger one
	// goes to a file that has no name. It is minSpoolMemory where the share of memory is
	// the smallest.
	spoolMemory    = 4 << 20
	minSpoolMemory = 256 << 10
	// maxBatch bounds a batch as it comes from the network. Archives of 4 GiB
	// and more have another layout.
	maxBatch = 4<<30 - 1
)

// spooled is a whole batch as it came. Close it.
type spooled struct {
	mem   *bytes.Buffer
	taken int // of memory, for mem
	from  *memory.Share
	file  scratch
	size  int64
	sum   uint64
	disk  atomic.Pointer[error] // what reading it back failed with
}

// failed is an error of the disk. What was read since is not the batch.
func (s *spooled) failed() error {
	if err := s.disk.Load(); err != nil {
		return *err
	}
	return nil
}

// spools keeps memory for batches.
var spools = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// scratch is a file for a large batch.
type scratch interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// spool takes a batch from the network. It keeps one of less than so many bytes in
// memory, which it takes from a share, and another in a file that newFile makes.
func spool(body io.Reader, keep int, from *memory.Share, newFile func() (scratch, error)) (*spooled, error) {
	hash := xxhash.New()
	in := io.TeeReader(io.LimitReader(body, maxBatch+1), hash)
	s := &spooled{from: from, mem: spools.Get().(*bytes.Buffer)}
	n, err := io.CopyN(s.mem, in, int64(keep))
	s.taken = s.mem.Cap()
	s.from.Reserve(s.taken)
	if err == nil {
		// It may be larger; the file takes what is in memory first.
		if s.file, err = newFile(); err != nil {
			s.Close()
			return nil, fmt.Errorf("keeping a batch of more than %d bytes: %w", keep, err)
		}
		n, err = io.Copy(s.file, io.MultiReader(s.mem, in))
		s.freeMemory()
	}
	if err == io.EOF {
		err = nil
	}
	if err == nil && n > maxBatch {
		err = fmt.Errorf("a batch of more than %d bytes", int64(maxBatch))
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.size, s.sum = n, hash.Sum64()
	return s, nil
}

// spoolDir is the folder for large batches: that of the db, which has to be on a
// disk.
func spoolDir(cfg config.Config) string {
	if cfg.DB == "" {
		return os.TempDir()
	}
	return filepath.Dir(cfg.DB)
}

// tempFile makes a file that is gone as soon as it is closed.
func tempFile(dir string) (scratch, error) {
	f, err := os.CreateTemp(dir, ".mimecast-batch-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadAt implements io.ReaderAt.
func (s *spooled) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		n, err := s.file.ReadAt(p, off)
		if err != nil && err != io.EOF && off >= 0 {
			err := fmt.Errorf("reading a batch back from the disk: %w", err)
			s.disk.Store(&err)
		}
		return n, err
	}
	if off < 0 {
		return 0, errors.New("a negative offset")
	}
	mem := s.mem.Bytes()
	if off >= int64(len(mem)) {
		return 0, io.EOF
	}
	n := copy(p, mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// same says whether two batches have the same content.
func (s *spooled) same(o *spooled) bool { return s.size == o.size && s.sum == o.sum }

// Close gives up the batch. Its memory is used again for another.
func (s *spooled) Close() {
	if s.file != nil {
		s.file.Close()
	}
	s.freeMemory()
}

func (s *spooled) freeMemory() {
	if s.mem != nil {
		s.from.Release(s.taken)
		s.mem.Reset()
		spools.Put(s.mem)
		s.mem = nil
	}
}
