package record

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"
)

// salvage walks an archive whose directory is lost, as when it was cut short,
// by the headers before its files, as far as they lead. reason is why there is
// no directory.
func salvage(r io.ReaderAt, size int64, reason error) *Batch {
	s := &salvager{r: r, size: size, reason: fmt.Sprintf("an archive without a directory (%v)", reason)}
	return &Batch{s.next}
}

type salvager struct {
	r      io.ReaderAt
	size   int64
	at     int64 // of the next header
	file   *salvaged
	reason string
	files  int
	done   bool
	// unpacked is how much all files came to so far.
	unpacked uint64
}

// salvaged is a file whose length shows only when it has been read.
type salvaged struct {
	of      *salvager
	in      *bufio.Reader
	section *io.SectionReader
	start   int64
	body    io.Reader
	ended   bool
}

func (s *salvager) next() (*File, error) {
	if s.done {
		return nil, io.EOF
	}
	if s.file != nil && !s.file.ended {
		s.done = true // what is left of the archive went with that file
		return nil, io.EOF
	}
	if s.file != nil {
		s.at = s.file.end()
	}
	name, data, err := s.header()
	if err != nil || s.files == maxFiles {
		s.done = true
		return nil, &Damage{Offset: s.at, Reason: s.reason}
	}
	s.files++
	section := io.NewSectionReader(s.r, data, s.size-data)
	f := &salvaged{of: s, in: bufio.NewReaderSize(section, 32<<10), section: section, start: data}
	f.body = flate.NewReader(f.in)
	s.file = f
	return &File{Name: CleanName(name), Reader: f, Packed: func() io.Reader {
		return io.NewSectionReader(s.r, data, s.size-data)
	}}, nil
}

// header reads the header at s.at. What follows a file's data before the next
// header, its checksum and sizes, is passed over.
func (s *salvager) header() (name string, data int64, err error) {
	const fixed, trailer = 30, 24
	b := make([]byte, fixed+trailer)
	n, _ := s.r.ReadAt(b, s.at)
	skip := strings.Index(string(b[:n]), "PK\x03\x04")
	if skip < 0 || n-skip < fixed {
		return "", 0, zip.ErrFormat
	}
	b = b[skip:n]
	if method := binary.LittleEndian.Uint16(b[8:]); method != zip.Deflate {
		return "", 0, zip.ErrAlgorithm
	}
	nameLen, extraLen := int64(binary.LittleEndian.Uint16(b[26:])), int64(binary.LittleEndian.Uint16(b[28:]))
	raw := make([]byte, nameLen)
	nameAt := s.at + int64(skip) + fixed
	if _, err := s.r.ReadAt(raw, nameAt); err != nil {
		return "", 0, err
	}
	return string(raw), nameAt + nameLen + extraLen, nil
}

func (f *salvaged) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	f.of.unpacked += uint64(n)
	if tooLarge(f.of.unpacked, uint64(f.of.size)) {
		return 0, limit("an archive that unpacks to more than %d times its size", maxRatio)
	}
	f.ended = f.ended || err == io.EOF
	return n, err
}

// end is the place behind the file's data.
func (f *salvaged) end() int64 {
	at, _ := f.section.Seek(0, io.SeekCurrent)
	return f.start + at - int64(f.in.Buffered())
}
