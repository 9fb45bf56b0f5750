package record

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
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
	// maxUnpacked bounds one file, so that sums don't wrap.
	maxUnpacked = 1 << 40
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
	return zipped(archive, r, size)
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
	end, err := findEnd(r, size)
	switch {
	case err != nil:
		return nil, err
	case end.zip64:
		return nil, limit("an archive in the layout for 4 GiB and more")
	case end.directorySize > maxDirectory || size-end.directory > maxDirectory:
		return nil, limit("an archive with a directory of more than %d bytes", maxDirectory)
	}
	archive, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, err
	}
	if len(archive.File) > maxFiles {
		return nil, limit("an archive of more than %d files", maxFiles)
	}
	var packed, unpacked uint64
	for _, f := range archive.File {
		if f.CompressedSize64 > uint64(size) || f.UncompressedSize64 > maxUnpacked {
			return nil, limit("an archive with a file larger than itself, or than %d bytes", int64(maxUnpacked))
		}
		if packed += f.CompressedSize64; !bomb(f) {
			unpacked += f.UncompressedSize64
		}
		if packed > uint64(size) {
			return nil, limit("an archive whose files overlap")
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

// archiveEnd is the record at an archive's end.
type archiveEnd struct {
	at, to                   int64 // its own place, with its comment
	directory, directorySize int64
	zip64                    bool // the true numbers are elsewhere
}

func findEnd(r io.ReaderAt, size int64) (archiveEnd, error) {
	const record, longestComment = 22, 1<<16 - 1
	tail := make([]byte, min(size, record+longestComment))
	from := size - int64(len(tail))
	if _, err := r.ReadAt(tail, from); err != nil && err != io.EOF {
		return archiveEnd{}, err
	}
	for i := len(tail) - record; i >= 0; i-- {
		if string(tail[i:i+4]) == "PK\x05\x06" {
			files := binary.LittleEndian.Uint16(tail[i+10:])
			length, at := binary.LittleEndian.Uint32(tail[i+12:]), binary.LittleEndian.Uint32(tail[i+16:])
			return archiveEnd{
				at: from + int64(i), to: from + int64(i) + record + int64(binary.LittleEndian.Uint16(tail[i+20:])),
				directory: int64(at), directorySize: int64(length),
				zip64: files == math.MaxUint16 || length == math.MaxUint32 || at == math.MaxUint32,
			}, nil
		}
	}
	return archiveEnd{}, zip.ErrFormat
}

// zipped walks an archive by its directory: its files, and then what lies
// between them and is none.
func zipped(archive *zip.Reader, r io.ReaderAt, size int64) *Batch {
	i := 0
	whole := io.NewSectionReader(r, 0, size)
	gaps := func() []*Damage { return uncovered(archive, r, size) }
	var left []*Damage
	return &Batch{func() (*File, error) {
		for i < len(archive.File) {
			f := archive.File[i]
			i++
			if f.FileInfo().IsDir() && f.CompressedSize64 == 0 {
				continue
			}
			file, ok := zipFile(f)
			if !ok {
				// Its place can't be found: the whole archive stands in, once.
				file.Packed = func() io.Reader { return whole }
			}
			return file, nil
		}
		if i == len(archive.File) {
			i++
			left = gaps()
		}
		if len(left) == 0 {
			return nil, io.EOF
		}
		d := left[0]
		left = left[1:]
		return nil, d
	}}
}

// zipFile opens a file; false when its bytes can't be found.
func zipFile(f *zip.File) (*File, bool) {
	raw, err := f.OpenRaw()
	file := &File{Name: CleanName(f.Name), Packed: func() io.Reader { return raw }}
	if err != nil {
		file.Reader = failed{err}
		return file, false
	}
	if bomb(f) {
		file.Reader = failed{limit("a file that unpacks to more than %d times its size", maxRatio)}
		return file, true
	}
	open, err := f.Open()
	if err != nil {
		file.Reader = failed{err}
		return file, true
	}
	file.Reader = &closing{open}
	return file, true
}

// A file's data may come behind so much that is not data: its header without its
// name, and what may follow the data before it.
const maxBetween = 30 + 1<<10

// uncovered returns what of an archive belongs to none of its files: something
// that the directory does not tell of may be in there.
func uncovered(archive *zip.Reader, r io.ReaderAt, size int64) []*Damage {
	end, err := findEnd(r, size)
	if err != nil {
		return nil
	}
	type span struct{ from, to int64 }
	spans := make([]span, 0, len(archive.File)+1)
	for _, f := range archive.File {
		at, err := f.DataOffset()
		if err != nil {
			return nil // the whole archive has gone out
		}
		// A header can tell of a place behind the archive's end.
		spans = append(spans, span{min(at-int64(len(f.Name))-maxBetween, size), min(at+int64(f.CompressedSize64), size)})
	}
	directory := end.at - end.directorySize
	spans = append(spans, span{directory - maxBetween, end.to})
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var gaps []*Damage
	covered := int64(0)
	for _, s := range spans {
		if s.from > covered {
			gaps = append(gaps, &Damage{Offset: covered, Size: min(s.from+maxBetween, size) - covered, Reason: "bytes of an archive that belong to none of its files"})
		}
		covered = max(covered, s.to)
	}
	if covered < size {
		gaps = append(gaps, &Damage{Offset: covered, Size: size - covered, Reason: "bytes behind an archive's end"})
	}
	return gaps
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
