package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// PathImpersonation is the endpoint of impersonation protection logs.
const PathImpersonation = "/api/ttp/impersonation/get-logs"

// impersonationAsk is a request for a page of events.
type impersonationAsk struct {
	size  int
	raw   json.RawMessage // the request's data, nil when absent
	query query
	token *pageToken // where to go on, nil for the first page
}

// parseImpersonation reads the body of a request and checks its page token.
func (s *Server) parseImpersonation(body []byte) (ask impersonationAsk, refusal answer, ok bool) {
	var request struct {
		Meta struct {
			Pagination struct {
				PageSize  *int    `json:"pageSize"`
				PageToken *string `json:"pageToken"`
			} `json:"pagination"`
			AccountCode string `json:"accountCode"`
		} `json:"meta"`
		Data []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return ask, s.refuse(http.StatusBadRequest, failure{Code: codeJSON, Message: "The body is not the JSON expected"}), false
	}
	if request.Meta.AccountCode != s.config.AccountCode {
		return ask, s.refuseField(codeValue, "accountCode"), false
	}
	wanted := request.Meta.Pagination
	ask.size = s.config.DefaultPageSize
	if wanted.PageSize != nil {
		ask.size = min(*wanted.PageSize, s.config.MaxPageSize)
	}
	if ask.size < 1 {
		return ask, s.refuseField(codeValue, "pageSize"), false
	}
	if len(request.Data) > 1 {
		return ask, s.refuseField(codeValue, "data"), false
	}
	if len(request.Data) == 1 {
		ask.raw = request.Data[0]
	}
	var code, field string
	if ask.query, code, field = parseQuery(ask.raw, s.clock()); code != "" {
		return ask, s.refuseField(code, field), false
	}
	if wanted.PageToken != nil && !s.resume(&ask, *wanted.PageToken) {
		return ask, s.refusePageToken(), false
	}
	return ask, answer{}, true
}

// resume takes up a page token, and reports false for one that was not given out
// for this very request, or is stale.
func (s *Server) resume(ask *impersonationAsk, token string) bool {
	p, ok := s.tokens.openPage(token)
	if !ok || p.Epoch != s.epoch.Load() || p.Request != fingerprint(ask.raw) {
		return false
	}
	ask.token = &p
	ask.query.from, ask.query.to = p.From, p.To
	return true
}

// serveImpersonation answers a request for a page of events.
func (s *Server) serveImpersonation(body []byte, by caller) answer {
	ask, refusal, ok := s.parseImpersonation(body)
	if !ok {
		return refusal
	}
	now := s.clock().UnixNano()
	matches := func(e event) bool { return ask.query.matches(s.config.Seed, e, now) }
	within := ask.query.window(s.events.snapshot())

	here := pageToken{
		From: ask.query.from, To: ask.query.to,
		Request: fingerprint(ask.raw), Epoch: s.epoch.Load(),
	}
	first := event{number: beginning}
	if ask.token != nil {
		here.Total = ask.token.Total
		first = event{second: ask.token.Second, number: ask.token.Number}
	} else {
		here.Total = count(within, matches)
	}
	p := turnTo(within, first, ask.query.OldestFirst, ask.size, matches)
	at := scene{path: PathImpersonation, by: by.by, page: true, pageToken: ask.token != nil}
	fault, salt := s.faults.draw(at)
	if fault == FaultPageEmptyWithNext {
		p, here.Salt = p.emptied(first), salt
	}
	a := s.pageAnswer(ask.size, p, here)
	if by.by == byBearer {
		return s.spoilToken(a, at, fault, salt, by.quota)
	}
	return s.spoil(a, fault, salt)
}

// pageAnswer is the answer with a page; like is what its tokens have in common.
func (s *Server) pageAnswer(size int, p page, like pageToken) answer {
	link := func(to *event) string {
		if to == nil {
			return ""
		}
		like.Second, like.Number = to.second, to.number
		return s.tokens.sealPage(like)
	}
	a := s.jsonAnswer(http.StatusOK, envelope{Meta: meta{Status: http.StatusOK, Pagination: &pagination{
		PageSize:   size,
		TotalCount: like.Total,
		Next:       link(p.next),
		Previous:   link(p.previous),
	}}}, OutcomePage)
	// The encoder would read every event again.
	const data = `"data":[`
	at := bytes.Index(a.body, []byte(data)) + len(data)
	body := append(make([]byte, 0, len(a.body)+pageBytes*len(p.events)), a.body[:at]...)
	body = append(body, `{"impersonationLogs":[`...)
	body = s.appendEvents(body, p.events)
	body = fmt.Appendf(body, `],"resultCount":%d}`, like.Total)
	a.body = append(body, a.body[at:]...)
	return a
}

// pageBytes is about what an event takes in a page.
const pageBytes = 1 << 10

// appendEvents appends events as they are sent, separated by commas.
func (s *Server) appendEvents(dst []byte, events []event) []byte {
	for n, e := range events {
		made, ok := s.sent.get(e)
		if !ok {
			i := newImpersonation(s.config.Seed, e)
			made = appendJSON(nil, objectOf(i.fields()...), i.spelling)
			s.sent.put(e, made)
		}
		dst = append(appendComma(dst, n), made...)
	}
	return dst
}
