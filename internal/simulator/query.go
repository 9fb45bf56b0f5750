package simulator

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"
	"time"
)

// query is what an impersonation request asks for.
type query struct {
	OldestFirst     bool     `json:"oldestFirst"`
	From            *string  `json:"from"`
	To              *string  `json:"to"`
	TaggedMalicious *bool    `json:"taggedMalicious"`
	SearchField     *string  `json:"searchField"`
	Query           *string  `json:"query"`
	Identifiers     []string `json:"identifiers"`
	Actions         []string `json:"actions"`

	from, to int64 // Unix, both inclusive
}

// parseQuery reads the one element of a request's data; an absent one asks for
// everything of today. The field that is wrong is returned with its code.
func parseQuery(raw json.RawMessage, now time.Time) (q query, code, field string) {
	if raw != nil {
		if err := json.Unmarshal(raw, &q); err != nil {
			return q, codeJSON, "data"
		}
	}
	year, month, day := now.UTC().Date()
	q.from, q.to = time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), now.Unix()
	if !parseTime(q.From, &q.from) {
		return q, codeValue, "from"
	}
	if !parseTime(q.To, &q.to) {
		return q, codeValue, "to"
	}
	if q.From != nil && q.To != nil && q.to < q.from {
		return q, codeValue, "to"
	}
	code, field = q.checkSearch()
	return q, code, field
}

// parseTime reads a time if there is one, and reports false for a malformed one.
func parseTime(text *string, second *int64) bool {
	if text == nil {
		return true
	}
	at, err := time.Parse(timeLayout, *text)
	if err != nil {
		return false
	}
	*second = at.Unix()
	return true
}

func (q query) checkSearch() (code, field string) {
	fields := []string{"senderAddress", "recipientAddress", "subject", "policy", "all"}
	switch {
	case q.SearchField != nil && !slices.Contains(fields, *q.SearchField):
		return codeValue, "searchField"
	case q.SearchField != nil && q.Query == nil:
		return codeNull, "query"
	case q.Query != nil && *q.Query == "":
		return codeBlank, "query"
	}
	return "", ""
}

// window returns the events between from and to; sorted is a timeline's.
func (q query) window(sorted []event) []event {
	low := sort.Search(len(sorted), func(i int) bool { return sorted[i].second >= q.from })
	high := sort.Search(len(sorted), func(i int) bool { return sorted[i].second > q.to })
	return sorted[low:max(low, high)]
}

// filters reports whether an event's contents matter.
func (q query) filters() bool {
	return q.TaggedMalicious != nil || q.Query != nil || len(q.Identifiers) > 0 || len(q.Actions) > 0
}

// matches reports whether the event is visible at now, Unix nanoseconds, and
// passes the filters.
func (q query) matches(seed uint64, e event, now int64) bool {
	if e.visible > now {
		return false
	}
	if !q.filters() {
		return true
	}
	i := newImpersonation(seed, e)
	return (q.TaggedMalicious == nil || *q.TaggedMalicious == i.taggedMalicious) &&
		(len(q.Actions) == 0 || slices.Contains(q.Actions, i.action)) &&
		(len(q.Identifiers) == 0 || slices.ContainsFunc(q.Identifiers, func(wanted string) bool {
			return slices.Contains(i.identifiers, wanted)
		})) &&
		(q.Query == nil || q.found(i))
}

// found reports whether the text searched for is in the field searched, whatever
// its case.
func (q query) found(i impersonation) bool {
	texts := map[string]string{
		"senderAddress": i.sender, "recipientAddress": i.recipient, "subject": i.subject, "policy": i.definition,
	}
	wanted := strings.ToLower(*q.Query)
	for field, text := range texts {
		if q.SearchField != nil && *q.SearchField != "all" && *q.SearchField != field {
			continue
		}
		if strings.Contains(strings.ToLower(text), wanted) {
			return true
		}
	}
	return false
}
