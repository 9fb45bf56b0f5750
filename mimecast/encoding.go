package mimecast

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
)

// decode makes a.body the content of the answer when something on the way has
// compressed it, though nothing was asked for that: some proxies do. It returns a
// *ResponseError for an encoding that it does not know, and reads nothing.
func (a *answer) decode() error {
	var codings []string
	for coding := range strings.SplitSeq(strings.Join(a.header.Values("Content-Encoding"), ","), ",") {
		switch coding = strings.ToLower(strings.TrimSpace(coding)); coding {
		case "", "identity", "none", "binary", "utf-8", "utf8": // the latter by mistake
		default:
			codings = append(codings, coding)
		}
	}
	switch {
	case len(codings) == 0:
		return nil
	case len(codings) == 1 && (codings[0] == "gzip" || codings[0] == "x-gzip"):
		a.body = &gzipBody{Closer: a.body, in: bufio.NewReader(a.body)}
		return nil
	}
	return &ResponseError{a.endpoint.Path, fmt.Sprintf("an answer in the content encoding %q, which was not asked for; does a proxy compress?",
		short(clean(a.auth.Redact(strings.Join(codings, ", "))), 80))}
}

// gzipBody inflates a body that is said to be gzip. One that does not begin like
// gzip is taken as it is.
//
// The package gzip of the standard library tells a member whose header is cut
// short from the end; the faster one does not.
type gzipBody struct {
	io.Closer
	in  *bufio.Reader
	out io.Reader // nil before the first Read, or with err
	err error
}

func (b *gzipBody) Read(p []byte) (int, error) {
	if b.out == nil && b.err == nil {
		b.out, b.err = b.open()
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.out.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("in gzip: %w", err)
	}
	return n, err
}

func (b *gzipBody) open() (io.Reader, error) {
	magic := []byte{0x1f, 0x8b}
	head, err := b.in.Peek(len(magic))
	switch {
	case err == io.EOF && len(head) == 0:
		return nil, fmt.Errorf("in gzip: %w", io.ErrUnexpectedEOF) // no content is some bytes of gzip
	case err != nil && err != io.EOF:
		return nil, err
	case !bytes.Equal(head, magic[:len(head)]):
		return b.in, nil
	}
	// It reads on behind the end of the first member, to the end of the body.
	z, err := gzip.NewReader(b.in)
	if err != nil {
		return nil, fmt.Errorf("in gzip: %w", err)
	}
	return z, nil
}
