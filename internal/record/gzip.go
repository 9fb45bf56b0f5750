package record

import (
	"bufio"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// gunzip opens a batch of one file in gzip, which has the batch's name.
func gunzip(r io.ReaderAt, size int64, name string) *Batch {
	packed := func() io.Reader { return io.NewSectionReader(r, 0, size) }
	g := &gzipped{in: bufio.NewReaderSize(packed(), 32<<10), size: size}
	g.err = g.next()
	return one(&File{Name: CleanName(name), Reader: g, Packed: packed}, nil)
}

// gzipped reads a file in gzip: the content of its members, one after the other.
// White space and NULs around members are passed over.
//
// The library could go from member to member itself, but it takes a name that is
// cut short in a header for the end of the file.
type gzipped struct {
	in       *bufio.Reader
	member   gzip.Reader
	size     int64 // of the batch, in bytes
	unpacked uint64
	err      error // why there is no more to read
}

// Read implements io.Reader. After an error it returns the same error again.
func (g *gzipped) Read(p []byte) (n int, err error) {
	for g.err == nil {
		n, g.err = g.member.Read(p)
		if g.err != io.EOF {
			break
		}
		if g.err = g.next(); n > 0 {
			break
		}
	}
	if g.unpacked += uint64(n); tooLarge(g.unpacked, uint64(g.size)) {
		n, g.err = 0, limit("a file that unpacks to more than %d times its size", maxRatio)
	}
	return n, g.err
}

// next begins with the next member. It returns io.EOF if there is none.
func (g *gzipped) next() error {
	for {
		c, err := g.in.ReadByte()
		if err != nil {
			return err
		}
		if strings.IndexByte(blanks, c) < 0 {
			break
		}
	}
	_ = g.in.UnreadByte() // it follows ReadByte
	err := g.member.Reset(g.in)
	g.member.Multistream(false)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
