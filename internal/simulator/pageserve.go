package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// pageRequest is the body of a request for a page of events.
type pageRequest struct {
	Meta struct {
		Pagination struct {
			PageSize  *int    `json:"pageSize"`
			PageToken *string `json:"pageToken"`
		} `json:"pagination"`
		AccountCode string `json:"accountCode"`
	} `json:"meta"`
	Data []json.RawMessage `json:"data"`
}

// pageAsk is a request for a page of events.
type pageAsk struct {
	size  int
	raw   json.RawMessage // the request's data that pages have in common, nil when absent
	query query
	token *pageToken // where to go on, nil for the first page
}

// parseAsk reads the body of a request and checks its page token.
func (s *Server) parseAsk(l *pagedLog, body []byte) (ask pageAsk, refusal answer, ok bool) {
	var request pageRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return ask, s.refuse(http.StatusBadRequest, failure{Code: codeJSON, Message: "The body is not the JSON expected"}), false
	}
	if request.Meta.AccountCode != s.config.AccountCode {
		return ask, s.refuseField(codeValue, "accountCode"), false
	}
	wanted := request.Meta.Pagination
	ask.size = s.pageSize(l, wanted.PageSize)
	if ask.size < 1 {
		return ask, s.refuseField(codeValue, "pageSize"), false
	}
	var given json.RawMessage
	switch {
	case len(request.Data) > 1:
		return ask, s.refuseField(codeValue, "data"), false
	case len(request.Data) == 1:
		given = request.Data[0]
	case l.one:
		return ask, s.refuseField(codeNull, "data"), false
	}
	token := wanted.PageToken
	ask.raw = given
	if l.feeds != nil {
		ask.raw, token = cutToken(l, given)
	}
	var code, field string
	if ask.query, code, field = l.parse(given, s.clock()); code != "" {
		return ask, s.refuseField(code, field), false
	}
	switch tooOld := s.clock().Add(-l.dates.reach).Unix(); {
	case token != nil && !s.resume(l, &ask, *token):
		return ask, s.refusePageToken(), false
	case token == nil && l.dates.reach > 0 && ask.query.from < tooOld:
		return ask, s.refuseField(codeValue, l.dates.from), false
	}
	return ask, answer{}, true
}

// pageSize returns the size of a page of the log when so much is asked for. Who asks
// for a feed can't say.
func (s *Server) pageSize(l *pagedLog, wanted *int) int {
	most := orDefault(s.config.MaxPageSizes[l.name], s.config.MaxPageSize)
	switch {
	case l.feeds != nil:
		return most
	case wanted == nil:
		return min(s.config.DefaultPageSize, most)
	}
	return min(*wanted, most)
}

// cutToken returns the token of a request for a feed, and its data without that. A
// request with a token need not repeat the dates: they are left out too.
func cutToken(l *pagedLog, raw json.RawMessage) (rest json.RawMessage, token *string) {
	var given map[string]json.RawMessage
	if json.Unmarshal(raw, &given) != nil {
		return raw, nil
	}
	token, ok := textOf(given["token"])
	if !ok {
		return raw, nil
	}
	for _, name := range []string{"token", l.dates.from, l.dates.to} {
		delete(given, name)
	}
	rest, err := json.Marshal(given)
	if err != nil {
		return raw, nil
	}
	return rest, token
}

// resume takes up a page token, and reports false for one that was not given out
// for this very request, or is stale.
func (s *Server) resume(l *pagedLog, ask *pageAsk, token string) bool {
	p, ok := s.tokens.openPage(token)
	if !ok || p.Epoch != s.epoch.Load() || p.Request != fingerprint(l.path, ask.raw) {
		return false
	}
	ask.token = &p
	ask.query.from = p.From
	if l.feeds == nil { // those go on with what is new, collectors report
		ask.query.to = p.To
	}
	return true
}

// refuseLog returns the refusal of a log that is not there or forbidden.
func (s *Server) refuseLog(l *pagedLog, by caller) (refusal answer, ok bool) {
	forbidden := func(what string) bool { return what == l.path || what == l.name }
	switch absent := slices.Contains(loaded(&s.absent), l.path); {
	case absent && by.by == byBearer:
		return s.gatewayRefusal(http.StatusNotFound, codePath, "No such resource"), false
	case absent:
		return s.refusePath(), false
	case !slices.ContainsFunc(s.forbidden(), forbidden):
		return answer{}, true
	case by.by == byBearer:
		return s.refuseApp(), false
	}
	return s.refuseAddress(http.StatusForbidden), false
}

// servePage answers a request for a page of events.
func (s *Server) servePage(l *pagedLog, body []byte, by caller) answer {
	if refusal, ok := s.refuseLog(l, by); !ok {
		return refusal
	}
	ask, refusal, ok := s.parseAsk(l, body)
	if !ok {
		return refusal
	}
	matches := ask.query.matcher(l, s.config.Seed, s.clock().UnixNano())
	within := ask.query.window(s.events[l.name].snapshot())

	here := pageToken{
		From: ask.query.from, To: ask.query.to,
		Request: fingerprint(l.path, ask.raw), Epoch: s.epoch.Load(),
	}
	first := event{number: beginning}
	if ask.token != nil {
		here.Total = ask.token.Total
		first = event{second: ask.token.Second, number: ask.token.Number}
	} else {
		here.Total = count(within, matches)
	}
	p := turnTo(within, first, ask.query.oldestFirst, ask.size, matches)
	if s.config.EmptyLastPage {
		p = p.continued(first, ask.query.oldestFirst)
	}
	at := scene{path: l.path, by: by.by, page: true, pageToken: ask.token != nil}
	fault, salt := s.faults.draw(at)
	if fault == FaultPageEmptyWithNext {
		p, here.Salt = p.emptied(first), salt
	}
	var a answer
	if l.feeds != nil {
		a = s.feedAnswer(l, p, here)
	} else {
		a = s.pageAnswer(l, ask.size, p, here)
	}
	if by.by == byBearer {
		return s.spoilToken(a, at, fault, salt, by.quota)
	}
	return s.spoil(a, fault, salt)
}

// pageLink returns the token that leads to an event, "" for none; like is what the
// tokens of a page have in common.
func (s *Server) pageLink(like pageToken, to *event) string {
	if to == nil {
		return ""
	}
	like.Second, like.Number = to.second, to.number
	return s.tokens.sealPage(like)
}

// pageAnswer is the answer with a page.
func (s *Server) pageAnswer(l *pagedLog, size int, p page, like pageToken) answer {
	a := s.jsonAnswer(http.StatusOK, envelope{Meta: meta{Status: http.StatusOK, Pagination: &pagination{
		PageSize:   size,
		TotalCount: like.Total,
		Next:       s.pageLink(like, p.next),
		Previous:   s.pageLink(like, p.previous),
	}}}, OutcomePage)
	// The encoder would read every event again.
	const data = `"data":[`
	at := bytes.Index(a.body, []byte(data)) + len(data)
	body := append(make([]byte, 0, len(a.body)+pageBytes*len(p.events)), a.body[:at]...)
	listed := l.list != "" && (len(p.events) > 0 || !s.config.EmptyLastPage)
	if listed {
		body = fmt.Appendf(body, `{"%s":[`, l.list)
	}
	body = s.appendEvents(body, l, p.events)
	if listed {
		body = append(body, ']')
		if l.sum {
			body = fmt.Appendf(body, `,"resultCount":%d`, like.Total)
		}
		body = append(body, '}')
	}
	a.body = append(body, a.body[at:]...)
	return a
}

// pageBytes is about what an event takes in a page.
const pageBytes = 1 << 10

// sentEvent is an event of a log.
type sentEvent struct {
	log   string
	event event
}

// appendEvents appends events as they are sent, separated by commas.
func (s *Server) appendEvents(dst []byte, l *pagedLog, events []event) []byte {
	for n, e := range events {
		key := sentEvent{l.name, e}
		made, ok := s.sent.get(key)
		if !ok {
			fields, how := l.contents(s.config.Seed, e)
			made = appendJSON(nil, objectOf(fields...), how)
			s.sent.put(key, made)
		}
		dst = append(appendComma(dst, n), made...)
	}
	return dst
}
