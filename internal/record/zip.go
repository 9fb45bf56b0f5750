package record

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
)

// openZip reads an archive's directory within bounds.
func openZip(r io.ReaderAt, size int64) (*zip.Reader, archiveEnd, error) {
	end, err := findEnd(r, size)
	if err != nil {
		return nil, end, err
	}
	if end.directorySize > maxDirectory || end.at-end.directory > maxDirectory {
		return nil, end, limit("an archive with a directory of more than %d bytes", maxDirectory)
	}
	view := end.view(r)
	archive, err := zip.NewReader(view, view.size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, end, err
	}
	if err := checkFiles(archive, size); err != nil {
		return nil, end, err
	}
	archive.RegisterDecompressor(zip.Deflate, inflate)
	return archive, end, nil
}

// checkFiles holds what a directory tells of its files to the bounds.
func checkFiles(archive *zip.Reader, size int64) error {
	if len(archive.File) > maxFiles {
		return limit("an archive of more than %d files", maxFiles)
	}
	var packed, unpacked uint64
	for _, f := range archive.File {
		if f.CompressedSize64 > uint64(size) || f.UncompressedSize64 > maxUnpacked {
			return limit("an archive with a file larger than itself, or than %d bytes", int64(maxUnpacked))
		}
		if packed += f.CompressedSize64; !bomb(f) {
			unpacked += f.UncompressedSize64
		}
		if packed > uint64(size) {
			return limit("an archive whose files overlap")
		}
		if tooLarge(unpacked, uint64(size)) {
			return limit("an archive that unpacks to more than %d times its size", maxRatio)
		}
	}
	return nil
}

// bomb says whether a file unpacks to far more than its size. An archive's
// reader holds a file to the size that its directory tells.
func bomb(f *zip.File) bool { return tooLarge(f.UncompressedSize64, f.CompressedSize64) }

// archiveEnd is what the records at an archive's end tell.
type archiveEnd struct {
	at, to                   int64 // their own place, with the comment of the last
	directory, directorySize int64 // directory as told, which what is before the archive may shift
	files                    uint16
}

const (
	endLen     = 22
	locatorLen = 20
	zip64Len   = 56 // without what may follow in it
	entryLen   = 46 // of a directory, without its name
)

func findEnd(r io.ReaderAt, size int64) (archiveEnd, error) {
	tail := make([]byte, min(size, endLen+math.MaxUint16))
	from := size - int64(len(tail))
	if _, err := r.ReadAt(tail, from); err != nil && err != io.EOF {
		return archiveEnd{}, err
	}
	for i := len(tail) - endLen; i >= 0; i-- {
		if string(tail[i:i+4]) == "PK\x05\x06" {
			end, err := readEnd(r, tail[i:], from+int64(i))
			if err == nil && end.to > size {
				err = zip.ErrFormat
			}
			return end, err
		}
	}
	return archiveEnd{}, zip.ErrFormat
}

// readEnd reads the record b at an archive's end. Numbers that are too large for
// it are in a record for zip64 before it. What writes archives in one go may put
// small ones there too, and may write that record without need.
func readEnd(r io.ReaderAt, b []byte, at int64) (archiveEnd, error) {
	files := uint64(binary.LittleEndian.Uint16(b[10:]))
	length, directory := uint64(binary.LittleEndian.Uint32(b[12:])), uint64(binary.LittleEndian.Uint32(b[16:]))
	end := archiveEnd{at: at, to: at + endLen + int64(binary.LittleEndian.Uint16(b[20:]))}
	if large, largeAt := zip64End(r, at); large != nil {
		end.at = largeAt
		if files == math.MaxUint16 {
			files = binary.LittleEndian.Uint64(large[32:])
		}
		if length == math.MaxUint32 {
			length = binary.LittleEndian.Uint64(large[40:])
		}
		if directory == math.MaxUint32 {
			directory = binary.LittleEndian.Uint64(large[48:])
		}
	} else if length == math.MaxUint32 || directory == math.MaxUint32 {
		return end, zip.ErrFormat
	}
	switch {
	case files > math.MaxUint16:
		return end, limit("an archive of more than %d files", maxFiles)
	case length > maxDirectory:
		return end, limit("an archive with a directory of more than %d bytes", maxDirectory)
	case directory >= math.MaxUint32:
		return end, limit("an archive of 4 GiB and more")
	}
	end.directory, end.directorySize, end.files = int64(directory), int64(length), uint16(files)
	return end, nil
}

// zip64End returns the record for zip64 before an archive's end at end, and its
// place; nil if there is none. It and its locator must leave no room for anything
// else between the directory and the end.
func zip64End(r io.ReaderAt, end int64) ([]byte, int64) {
	locator := make([]byte, locatorLen)
	last := end - locatorLen - zip64Len
	if last < 0 {
		return nil, 0
	}
	if _, err := r.ReadAt(locator, end-locatorLen); err != nil || string(locator[:4]) != "PK\x06\x07" {
		return nil, 0
	}
	record := make([]byte, zip64Len)
	// What is before the archive may make its place another one than is told.
	for _, at := range []int64{int64(binary.LittleEndian.Uint64(locator[8:])), last} {
		if at < 0 || at > last || last-at > maxBetween {
			continue
		}
		if _, err := r.ReadAt(record, at); err != nil || string(record[:4]) != "PK\x06\x06" {
			continue
		}
		if binary.LittleEndian.Uint64(record[4:]) == uint64(end-locatorLen-at-12) {
			return record, at
		}
	}
	return nil, 0
}

// view returns the archive as its reader is to see it: up to the end of its
// directory, and then a plain record with the numbers that were checked. The
// reader would look for a record for zip64 by rules of its own.
func (end archiveEnd) view(r io.ReaderAt) *archiveView {
	b := make([]byte, entryLen, entryLen+endLen) // neither an entry nor a locator
	b = append(b, "PK\x05\x06\x00\x00\x00\x00"...)
	b = binary.LittleEndian.AppendUint16(b, end.files)
	b = binary.LittleEndian.AppendUint16(b, end.files)
	b = binary.LittleEndian.AppendUint32(b, uint32(end.directorySize+entryLen))
	b = binary.LittleEndian.AppendUint32(b, uint32(end.directory))
	return &archiveView{r, end.at, append(b, 0, 0)}
}

type archiveView struct {
	r   io.ReaderAt
	at  int64 // where end begins
	end []byte
}

func (v *archiveView) size() int64 { return v.at + int64(len(v.end)) }

// ReadAt implements io.ReaderAt.
func (v *archiveView) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < v.at {
		want := int(min(int64(len(p)), v.at-off))
		var err error
		if n, err = v.r.ReadAt(p[:want], off); n < want {
			return n, err
		}
		off += int64(n)
	}
	if n < len(p) && off < v.size() {
		n += copy(p[n:], v.end[off-v.at:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// zipped walks an archive by its directory: its files, and then what lies
// between them and is none.
func zipped(archive *zip.Reader, end archiveEnd, r io.ReaderAt, size int64) *Batch {
	i := 0
	whole := io.NewSectionReader(r, 0, size)
	gaps := func() []*Damage { return uncovered(archive, end, r, size) }
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
func uncovered(archive *zip.Reader, end archiveEnd, r io.ReaderAt, size int64) []*Damage {
	type span struct{ from, to int64 }
	spans := make([]span, 0, len(archive.File)+1)
	for _, f := range archive.File {
		at, err := f.DataOffset()
		if err != nil {
			return nil // the whole archive has gone out
		}
		// A header can tell of a place behind the archive's end.
		spans = append(spans, span{min(at-int64(len(f.Name))-maxBetween, end.at), min(at+int64(f.CompressedSize64), end.at)})
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
	if covered < size && !blank(r, covered, size) {
		gaps = append(gaps, &Damage{Offset: covered, Size: size - covered, Reason: "bytes behind an archive's end"})
	}
	return gaps
}

// blank reports whether the bytes between two places are all white space and NULs.
// After an end that findEnd found they are less than 64 KiB.
func blank(r io.ReaderAt, from, to int64) bool {
	b := make([]byte, to-from)
	n, _ := r.ReadAt(b, from)
	return n == len(b) && len(bytes.Trim(b, blanks)) == 0
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
