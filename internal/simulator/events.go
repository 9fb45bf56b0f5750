package simulator

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The endpoints of links to files of SIEM events: of Cloud Gateway and of Cloud
// Integrated. They differ in their types, and each has a quota of its own.
const (
	PathEvents   = "/siem/v1/batch/events/cg"
	PathEventsCI = "/siem/v1/batch/events/ci"
)

const (
	// retention is how far back a request may ask for.
	retention = 7 * 24 * time.Hour
	// maxLinks is the largest page, and the one without pageSize.
	maxLinks = 100
)

// eventsAsk is a request for a page of links.
type eventsAsk struct {
	path          string    // of the endpoint
	kind, subtype string    // "" for all
	from, to      time.Time // the days, zero where open
	size          int
	cursor        *cursor
}

// parseEvents reads the query of a request to the endpoint at path. It returns a message for the client
// when a parameter is wrong, is there twice or does not exist; what the service
// does about the last two is not known.
func parseEvents(path, raw string, now time.Time) (ask eventsAsk, problem string) {
	ask.path = path
	values, err := url.ParseQuery(raw)
	if err != nil {
		return ask, "Invalid query"
	}
	ask.size = maxLinks
	for name, given := range values {
		if len(given) != 1 {
			return ask, fmt.Sprintf("Invalid parameter: `%s` is given twice", name)
		}
		var ok bool
		switch name {
		case "type":
			ask.kind, ask.subtype, _ = strings.Cut(given[0], ":")
			ok = eventTypeByName(ask.kind) != nil && endpointOf(ask.kind) == path
		case "dateRangeStartsAt":
			ask.from, err = time.Parse(time.DateOnly, given[0])
			ok = err == nil
		case "dateRangeEndsAt":
			ask.to, err = time.Parse(time.DateOnly, given[0])
			ok = err == nil
		case "pageSize":
			ask.size, err = strconv.Atoi(given[0])
			ok = err == nil && ask.size >= 1 && ask.size <= maxLinks
		case "nextPage":
			c, known := parseCursor(given[0])
			ask.cursor, ok = &c, known
		}
		if !ok {
			return ask, fmt.Sprintf("Invalid parameter: `%s`", name)
		}
	}
	switch {
	case !ask.from.IsZero() && ask.from.Before(now.Add(-retention)):
		return ask, "Invalid date range: 'from' must be within the 7-day retention period"
	case !ask.to.IsZero() && ask.to.Before(ask.from):
		return ask, "Invalid date range: 'to' is before 'from'"
	}
	return ask, ""
}

// wants reports whether the file is one that the request asks for.
func (a eventsAsk) wants(f *eventFile, forbidden []string) bool {
	day := f.at.UTC().Truncate(24 * time.Hour)
	return f.path == a.path && (a.kind == "" && !slices.Contains(forbidden, f.kind) || a.kind == f.kind) &&
		!day.Before(a.from) && (a.to.IsZero() || !day.After(a.to))
}

// link is a link of a page.
type link struct {
	URL    string `json:"url"`
	Expiry string `json:"expiry"`
	Size   int    `json:"size"` // a guess: what the service means is not known
}

type linkPage struct {
	Value      []link `json:"value"`
	NextPage   string `json:"@nextPage,omitempty"`
	IsCaughtUp bool   `json:"isCaughtUp"`
}

// serveEvents answers a request for a page of links.
func (s *Server) serveEvents(r *http.Request, now time.Time) answer {
	path := r.URL.Path
	if refusal, ok := s.admitBearer(r); !ok {
		return refusal
	}
	if r.Method != http.MethodGet {
		return s.gatewayRefusal(http.StatusMethodNotAllowed, codeMethod, "Only GET is allowed")
	}
	q, within := s.eventLimits[path].take(now)
	s.counts.addEvents(path, r.URL.Query().Get("type"), now, s.config.EventsWindow)
	if !within {
		return s.refuseQuota(q)
	}
	ask, problem := parseEvents(path, r.URL.RawQuery, s.clock())
	if problem != "" {
		return s.eventsRefusal(http.StatusBadRequest, problem)
	}
	forbidden := s.forbidden()
	if slices.Contains(forbidden, orDefault(ask.kind, path)) {
		return s.refuseApp()
	}
	kept := s.files.snapshot()
	at := cursor{}
	if ask.cursor != nil {
		at = *ask.cursor
	}
	if at.file > len(kept.all) {
		return s.refuseCursor(http.StatusBadRequest)
	}
	if ask.cursor != nil && at.file < kept.first && s.config.OldCursorStatus != 0 {
		return s.refuseCursor(s.config.OldCursorStatus)
	}
	files := ask.page(kept, &at, forbidden)
	here := scene{path: path, by: byBearer, token: ask.cursor != nil, links: len(files) > 0}
	fault, n := s.faults.draw(here)
	if fault == "" {
		fault = lastingFault(files, here)
	}
	a := s.encoded(http.StatusOK, s.linkPage(r, ask, files, at, fault, n), OutcomePage)
	if len(files) == 0 {
		a.outcome = OutcomeIdle
	}
	return s.spoilToken(a, here, fault, n, q)
}

// page returns the files of the page that starts at the cursor, and moves that
// behind them. Without files the cursor stays, unless there was none: then it is
// at the first file of the day that the request asks for.
func (a eventsAsk) page(kept fileView, at *cursor, forbidden []string) (files []*eventFile) {
	start := max(at.file, kept.first)
	if a.cursor == nil {
		for start < len(kept.all) && kept.all[start].at.Before(a.from) {
			start++
		}
		at.file = start
	}
	for _, f := range kept.all[start:] {
		if len(files) == a.size {
			break
		}
		if a.wants(f, forbidden) {
			files = append(files, f)
		}
	}
	if len(files) > 0 {
		*at = cursor{file: files[len(files)-1].number + 1}
	}
	return files
}

// FilesBefore returns how many files of a type are before a cursor; none for an
// empty one. It is false for a text that no cursor has.
func (s *Server) FilesBefore(kind, text string) (files int, ok bool) {
	if text == "" {
		return 0, true
	}
	at, ok := parseCursor(text)
	for _, f := range s.files.snapshot().all {
		if f.number < at.file && f.kind == kind {
			files++
		}
	}
	return files, ok
}

// lastingFault returns the fault that one of the files has for good and that is
// in pages rather than in files.
func lastingFault(files []*eventFile, here scene) Fault {
	for _, f := range files {
		if !f.fault.fits(behindLink) && f.fault.fits(here) {
			return f.fault
		}
	}
	return ""
}

// linkPage returns the page with these files, wrong as the fault says, from which
// next goes on. A page is only known to be the last when it is not full.
func (s *Server) linkPage(r *http.Request, ask eventsAsk, files []*eventFile, next cursor, fault Fault, n uint32) linkPage {
	p := linkPage{Value: []link{}, NextPage: next.text(), IsCaughtUp: len(files) < ask.size}
	switch fault {
	case FaultPageEmptyWithNext:
		return linkPage{Value: p.Value, NextPage: cursor{file: files[0].number, salt: n}.text()}
	case FaultNoToken:
		p.NextPage = ""
	case FaultFileEmpty:
		p.Value = append(p.Value, s.link(r, object{file: files[0].number, empty: n + 1}, files[0]))
	case FaultLinkTwice:
		p.Value = append(p.Value, s.link(r, object{file: files[0].number, subtype: ask.subtype}, files[0]))
	}
	for _, f := range files {
		p.Value = append(p.Value, s.link(r, object{file: f.number, subtype: ask.subtype}, f))
	}
	return p
}

// link returns a link to the object, of file f.
func (s *Server) link(r *http.Request, o object, f *eventFile) link {
	path := o.path(f)
	query, expiry := s.signer.sign(path, s.clock())
	at := url.URL{Scheme: "http", Host: r.Host, Path: path, RawQuery: query}
	if r.TLS != nil {
		at.Scheme = "https"
	}
	if host := s.linkHost.Load(); host != nil {
		at.Host = *host
	}
	const perRecord = 150
	return link{
		URL:    at.String(),
		Expiry: expiry.UTC().Format("2006-01-02T15:04:05.000Z"),
		Size:   50 + perRecord*f.records + len(f.given)/4,
	}
}
