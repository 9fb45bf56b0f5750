package record

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Bounds of an archive. Real ones hold some files and unpack to five or ten
// times their size; deflate can't do more than a thousandfold.
const (
	maxDirectory = 8 << 20 // bytes of the archive's directory
	maxFiles     = 10000
	maxRatio     = 200
	// Small archives may have any ratio: a few kilobytes of spaces are no bomb.
	freeSize = 16 << 20
)

// File is a log file of a batch, to be read once.
type File struct {
	Name string // as the batch names it, cleaned; never a path
	io.Reader
	// Packed reads the file's bytes as they lie in the batch; nil when they
	// are what Reader reads.
	Packed func() io.Reader
}

// Batch is the log files of one batch, in their order.
type Batch struct {
	files func() (*File, error)
}

// Next returns the batch's next log file. After the last it returns io.EOF. A
// file must be read before the next is asked for. A *Damage says that the
// batch can't be read on: its bytes from Offset on are not in any file.
func (b *Batch) Next() (*File, error) { return b.files() }

// OpenBatch opens a batch: a zip of log files, or one plain log file, which
// then has the batch's name.
func OpenBatch(r io.ReaderAt, size int64, name string) *Batch {
	var head [4]byte
	n, _ := r.ReadAt(head[:], 0)
	if !isZip(head[:n]) {
		return plain(r, size, name)
	}
	archive, err := openZip(r, size)
	if err != nil {
		var limit *Damage
		if errors.As(err, &limit) {
			return broken(limit)
		}
		return salvage(r, size, err)
	}
	return zipped(archive)
}

func isZip(head []byte) bool {
	return bytes.Equal(head, []byte("PK\x03\x04")) || bytes.Equal(head, []byte("PK\x05\x06"))
}

func plain(r io.ReaderAt, size int64, name string) *Batch {
	done := false
	return &Batch{func() (*File, error) {
		if done {
			return nil, io.EOF
		}
		done = true
		return &File{Name: CleanName(name), Reader: io.NewSectionReader(r, 0, size)}, nil
	}}
}

func broken(d *Damage) *Batch {
	done := false
	return &Batch{func() (*File, error) {
		if done {
			return nil, io.EOF
		}
		done = true
		return nil, d
	}}
}

// openZip reads an archive's directory within bounds.
func openZip(r io.ReaderAt, size int64) (*zip.Reader, error) {
	at, err := directoryAt(r, size)
	if err != nil {
		return nil, err
	}
	if size-at > maxDirectory {
		return nil, limit("an archive with a directory of more than %d bytes", maxDirectory)
	}
	archive, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, err
	}
	if len(archive.File) > maxFiles {
		return nil, limit("an archive of more than %d files", maxFiles)
	}
	var unpacked uint64
	for _, f := range archive.File {
		if !bomb(f) {
			unpacked += f.UncompressedSize64
		}
		if tooLarge(unpacked, uint64(size)) {
			return nil, limit("an archive that unpacks to more than %d times its size", maxRatio)
		}
	}
	archive.RegisterDecompressor(zip.Deflate, inflate)
	return archive, nil
}

func limit(format string, args ...any) *Damage {
	return &Damage{Reason: fmt.Sprintf(format, args...), Limit: true}
}

// bomb says whether a file unpacks to far more than its size. An archive's
// reader holds a file to the size that its directory tells.
func bomb(f *zip.File) bool { return tooLarge(f.UncompressedSize64, f.CompressedSize64) }

func tooLarge(unpacked, packed uint64) bool {
	return unpacked > freeSize && unpacked/maxRatio > packed
}

// directoryAt returns where the archive's directory begins, from the record at
// its end. Archives of 4 GiB, whose record is another, are not taken.
func directoryAt(r io.ReaderAt, size int64) (int64, error) {
	const record, longestComment = 22, 1<<16 - 1
	tail := make([]byte, min(size, record+longestComment))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, err
	}
	for i := len(tail) - record; i >= 0; i-- {
		if string(tail[i:i+4]) == "PK\x05\x06" {
			return int64(binary.LittleEndian.Uint32(tail[i+16:])), nil
		}
	}
	return 0, zip.ErrFormat
}

// zipped walks an archive by its directory.
func zipped(archive *zip.Reader) *Batch {
	i := 0
	return &Batch{func() (*File, error) {
		for i < len(archive.File) {
			f := archive.File[i]
			i++
			if !f.FileInfo().IsDir() || f.UncompressedSize64 > 0 {
				return zipFile(f), nil
			}
		}
		return nil, io.EOF
	}}
}

func zipFile(f *zip.File) *File {
	file := &File{Name: CleanName(f.Name), Packed: func() io.Reader {
		raw, err := f.OpenRaw()
		if err != nil {
			return bytes.NewReader(nil)
		}
		return raw
	}}
	if bomb(f) {
		file.Reader = failed{limit("a file that unpacks to more than %d times its size", maxRatio)}
		return file
	}
	r, err := f.Open()
	if err != nil {
		file.Reader = failed{err}
		return file
	}
	file.Reader = &closing{r}
	return file
}

// failed is a file that can't be opened.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// closing closes its reader at the end, so that its buffers are used again.
type closing struct{ r io.ReadCloser }

func (c *closing) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil {
		c.r.Close()
		c.r = io.NopCloser(failed{err})
	}
	return n, err
}

// inflaters keeps decompressors, which are large, for the next file.
var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// inflate is a zip.Decompressor.
func inflate(r io.Reader) io.ReadCloser {
	f := inflaters.Get().(io.ReadCloser)
	if err := f.(flate.Resetter).Reset(r, nil); err != nil {
		return io.NopCloser(failed{err})
	}
	return inflater{f}
}

type inflater struct{ io.ReadCloser }

// Close is called once, by closing.
func (f inflater) Close() error {
	err := f.ReadCloser.Close()
	inflaters.Put(f.ReadCloser)
	return err
}
