package mimecast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
)

// maxLinkFile bounds a file that a link leads to, in bytes as they are stored.
const maxLinkFile = 4<<30 - 1

// LinkError is what went wrong with a link to a log file. It never holds the
// link's signature.
type LinkError struct {
	Host, Path string // of the URL
	Status     int    // HTTP status; 0 when there was no answer
	Code       string // the store's, for instance AccessDenied; may be empty
	Err        error  // nil when the store refused
}

func (e *LinkError) Error() string {
	text := fmt.Sprintf("the file %s%s: ", short(clean(e.Host), 80), short(clean(e.Path), maxErrorText))
	if e.Err != nil {
		return text + e.Err.Error()
	}
	text += fmt.Sprintf("its store refused the request: status %d", e.Status)
	if e.Code != "" {
		text += ", " + e.Code
	}
	return text
}

func (e *LinkError) Unwrap() error { return e.Err }

// IsLinkGone reports whether a link has expired, or its file is gone. The page
// that named it names it again, with another URL.
func IsLinkGone(err error) bool {
	var e *LinkError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return true
	}
	return e.Code == "ExpiredToken" // the store's answer when the keys that signed have expired
}

// OpenLink asks for the file that a link leads to, and returns its bytes as they
// are stored. The caller closes it. Reading ends with an error after 4 GiB, when no
// bytes come for the client's timeout, and when the whole takes 30 times as long.
// It returns a *LinkError when there is no file to read, else the context's error.
//
// The request carries nothing of the API's. It goes to public addresses, to
// [Options.LinkAllow], and to this machine if the API is there. A
// proxy gets no names of near machines; which addresses it resolves others to
// is its own affair.
func (c *Client) OpenLink(ctx context.Context, l SIEMLink) (io.ReadCloser, error) {
	u, err := url.Parse(l.URL)
	if err != nil {
		return nil, &LinkError{Path: l.Path, Err: errors.New("its link is not a URL")}
	}
	failed := func(err error) error { return &LinkError{Host: u.Host, Path: u.EscapedPath(), Err: err} }
	via, err := c.links.client(u)
	if err != nil {
		return nil, failed(err)
	}
	if err := c.limiter.Wait(ctx); err != nil {
		return nil, err
	}
	caller := ctx
	ctx, stop := watch(ctx, c.timeout)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL, nil)
	if err != nil {
		stop.cancel()
		return nil, failed(withoutURL(err))
	}
	req.Header.Set("User-Agent", c.userAgent)
	resp, err := via.Do(req)
	c.stats.ended(caller, resp)
	if err != nil {
		stop.cancel()
		err = stop.explain(ctx, withoutURL(err))
		return nil, failed(&cleanError{clean(withoutSecrets(err.Error(), u.RawQuery)), err})
	}
	body := stop.guard(ctx, c.stats.body(resp.Body))
	if resp.StatusCode != http.StatusOK {
		defer body.Close()
		return nil, &LinkError{Host: u.Host, Path: u.EscapedPath(), Status: resp.StatusCode, Code: storeCode(body)}
	}
	return &linkBody{ReadCloser: body, left: maxLinkFile, failed: failed}, nil
}

// storeCode reads the code of a refusal, which S3 writes in XML.
func storeCode(body io.Reader) string {
	head, _ := io.ReadAll(io.LimitReader(body, 4<<10)) // none otherwise
	if m := s3Code.FindSubmatch(head); m != nil {
		return string(m[1])
	}
	return ""
}

var s3Code = regexp.MustCompile(`<Code>([A-Za-z0-9]{1,64})</Code>`)

// linkBody is the content of a file.
type linkBody struct {
	io.ReadCloser
	left   int64
	failed func(error) error
}

func (b *linkBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		return n, b.failed(errors.New("larger than 4 GiB"))
	case err != nil && err != io.EOF:
		return n, b.failed(err)
	}
	return n, err
}
