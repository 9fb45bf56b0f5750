package mimecast

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SIEMEvents returns the endpoint of the SIEM logs of API 2.0 for Cloud Gateway,
// which [Client.SIEMPage] reads.
func SIEMEvents() Endpoint {
	return Endpoint{
		Path:       "/siem/v1/batch/events/cg",
		Permission: "Security Events and Data Retrieval | Threat and Security Events (SIEM) | Read",
		Setting:    "Enhanced Logging",
		Product:    "Threats, Security Events and Data for CG",
		Page:       "https://developer.services.mimecast.com/docs/threatssecurityeventsanddataforcg/1/routes/siem/v1/batch/events/cg/get",
	}
}

// SIEMEventsCI returns the endpoint of the SIEM logs of API 2.0 for Cloud
// Integrated, which [Client.SIEMPage] reads. A permission of the role is not
// documented.
func SIEMEventsCI() Endpoint {
	return Endpoint{
		Path:    "/siem/v1/batch/events/ci",
		Product: "Threats, Security Events and Data for CI",
		Page:    "https://developer.services.mimecast.com/docs/threatssecurityeventsanddataforci/1/routes/siem/v1/batch/events/ci/get",
	}
}

// SIEMPageRequest asks for a page of links to SIEM log files of API 2.0.
type SIEMPageRequest struct {
	Endpoint Endpoint // SIEMEvents or SIEMEventsCI; zero: SIEMEvents
	// Type is one of the endpoint's, SIEMTypes or SIEMTypesCI, or has a subtype too, as
	// in process:Hld; empty: all.
	Type string
	// From and To are the first and the last day, in UTC; zero: the service
	// decides. They are sent without a Cursor alone. The service keeps logs for
	// seven days, and refuses an earlier day: see [IsInvalidDate].
	From, To time.Time
	Cursor   string // opaque; empty: the first page
	PageSize int    // most links of the page, 1 to 100
	// Before is called before the request is sent, and before it is sent once more
	// with another token: the service counts both. Its error ends the call. May be nil.
	Before func(context.Context) error
}

// SIEMPage is a page of links.
type SIEMPage struct {
	Links []SIEMLink // in the order of the service
	// Next is the cursor of the page that follows, at most 16 KiB. It is the
	// request's own when the service names no other: more may follow later.
	Next     string
	CaughtUp bool // nothing follows now; the page may have links nevertheless
}

// SIEMLink leads to a log file: gzip, or not, of JSON records, one a line. The
// file may be empty. [Client.OpenLink] reads it.
type SIEMLink struct {
	URL    string    // signed: whoever has it can read the file, so never log it
	Path   string    // of the URL, without the query; the same each time
	Expiry time.Time // of the URL; zero when the service did not tell it
	Size   int64     // in bytes, probably of what is stored; 0 when the service did not tell it
}

// String keeps the URL out of whatever the link is printed to.
func (l SIEMLink) String() string { return l.Path }

// GoString is String, for %#v.
func (l SIEMLink) GoString() string { return l.String() }

// Bounds on a page of links.
const (
	maxLinks = 1000
	maxURL   = 16 << 10 // bytes
)

// SIEMPage asks for a page of links. A cursor brings the same files each time,
// under other URLs. A file that a page names twice is given once: files go by the
// path of their URL.
//
// It returns an *APIError when the service refuses (see [IsInvalidCursor]), a
// *ResponseError when the answer makes no sense, and otherwise the network's or
// the context's error.
//
// The documentation is the Page of [SIEMEvents] and [SIEMEventsCI].
func (c *Client) SIEMPage(ctx context.Context, r SIEMPageRequest) (SIEMPage, error) {
	query := url.Values{}
	set := func(key, value string) {
		if value != "" {
			query.Set(key, value)
		}
	}
	set("type", r.Type)
	set("nextPage", r.Cursor)
	if r.PageSize > 0 {
		set("pageSize", strconv.Itoa(r.PageSize))
	}
	if r.Cursor == "" && !r.From.IsZero() {
		set("dateRangeStartsAt", r.From.UTC().Format(time.DateOnly))
	}
	if r.Cursor == "" && !r.To.IsZero() {
		set("dateRangeEndsAt", r.To.UTC().Format(time.DateOnly))
	}
	a, err := c.do(ctx, call{
		endpoint: cmp.Or(r.Endpoint, SIEMEvents()), method: http.MethodGet,
		query:  strings.ReplaceAll(query.Encode(), "+", "%20"), // not all servers read + as a space
		before: r.Before,
	})
	if err != nil {
		return SIEMPage{}, err
	}
	defer a.body.Close()
	body, err := a.read(maxEnvelope)
	if err != nil {
		return SIEMPage{}, err
	}
	return a.links(body, r.Cursor)
}

// links reads a page of links that was asked for with a cursor.
func (a *answer) links(body []byte, cursor string) (SIEMPage, error) {
	nonsense := func(what string) (SIEMPage, error) {
		return SIEMPage{}, &ResponseError{a.endpoint.Path, what}
	}
	var shape struct {
		Value    rawJSON `json:"value"`
		Next     *string `json:"@nextPage"`
		CaughtUp rawJSON `json:"isCaughtUp"`
	}
	if !isJSON(body) {
		return SIEMPage{}, a.unexpected(body)
	}
	if first := failure(body); first != nil {
		return SIEMPage{}, a.refused(a.failed(http.StatusOK, first))
	}
	// The answer is not quoted: it may hold a URL.
	if err := unmarshal(trim(body), &shape); err != nil || (shape.Value == nil && shape.Next == nil && shape.CaughtUp == nil) {
		return nonsense("JSON that is not a page of links")
	}
	p := SIEMPage{Next: cursor, CaughtUp: truth(trim(body), "isCaughtUp")}
	list, err := elements(shape.Value)
	switch {
	case err != nil && shape.Value != nil:
		return nonsense("a page whose links are not a list")
	case len(list) > maxLinks:
		return nonsense(fmt.Sprintf("a page of more than %d links", maxLinks))
	case shape.Next != nil && len(*shape.Next) > maxToken:
		return nonsense("a cursor of more than 16 KiB")
	case shape.Next != nil && *shape.Next != "":
		p.Next = *shape.Next
	case len(list) > 0:
		return nonsense("a page of links without the cursor of the next one")
	}
	seen := map[string]int64{} // sizes by path
	for _, raw := range list {
		l, ok := readLink(raw)
		if !ok {
			return nonsense("a page with a link that is not a URL with a path")
		}
		switch size, again := seen[l.Path]; {
		case !again:
			seen[l.Path] = l.Size
			p.Links = append(p.Links, l)
		case size != l.Size:
			return nonsense("a page with two files of one path")
		}
	}
	return p, nil
}

// readLink reads a link; false if there is no URL with a host and a path: without
// a path, files can't be told from each other.
func readLink(raw rawJSON) (SIEMLink, bool) {
	l := SIEMLink{URL: text(raw, "url")}
	u, err := url.Parse(l.URL)
	if err != nil || u.Hostname() == "" || len(l.URL) > maxURL {
		return SIEMLink{}, false
	}
	if l.Path = u.EscapedPath(); l.Path == "" || l.Path == "/" {
		return SIEMLink{}, false
	}
	l.Expiry, _ = time.Parse(time.RFC3339, text(raw, "expiry")) // zero otherwise
	l.Size = max(wholeNumber(member(raw, "size")), 0)
	return l, true
}

// IsInvalidCursor reports whether the service refused a request's cursor. What it
// says of one that it does not know, or knows no longer, is not documented:
// errors that name the cursor count.
func IsInvalidCursor(err error) bool {
	return refusedFor(err, "nextpage", "next page", "pagetoken", "page token", "cursor")
}

// IsInvalidDate reports whether the service refused a request's From or To, as it
// does when they are more than seven days ago.
func IsInvalidDate(err error) bool {
	return refusedFor(err, "daterange", "invalid date", "retention period")
}

// refusedFor reports whether a refusal of the request itself has one of some words.
func refusedFor(err error, words ...string) bool {
	var e *APIError
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest {
		return false
	}
	said := strings.ToLower(e.Code + " " + e.Message + " " + e.Field)
	for _, word := range words {
		if strings.Contains(said, word) {
			return true
		}
	}
	return false
}
