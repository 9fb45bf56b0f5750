package simulator

import (
	"encoding/json"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// query is what a request asks of a paged log.
type query struct {
	oldestFirst bool
	from, to    int64               // Unix, both inclusive
	chosen      map[string][]string // values by filter
	searchField string              // "" for all
	text        string              // searched for, whatever its case; "" for none
}

// parse reads the one element of a request's data, nil when it is absent. The
// filter that is wrong is returned with its code.
func (l *pagedLog) parse(raw json.RawMessage, now time.Time) (q query, code, field string) {
	q = query{oldestFirst: l.rising, chosen: map[string][]string{}}
	var given map[string]json.RawMessage
	if raw != nil && json.Unmarshal(raw, &given) != nil {
		return q, codeJSON, "data"
	}
	if l.oldestFirst && given["oldestFirst"] != nil && json.Unmarshal(given["oldestFirst"], &q.oldestFirst) != nil {
		return q, codeJSON, "data"
	}
	if code, field = q.parseDates(l.dates, given, now); code != "" {
		return q, code, field
	}
	for _, f := range l.filters {
		values, code := f.read(given[f.name])
		if code != "" {
			return q, code, f.name
		}
		q.chosen[f.name] = values
	}
	code, field = q.parseSearch(l.search, given)
	return q, code, field
}

// textOf returns a filter that is a text, nil for one that is not given.
func textOf(raw json.RawMessage) (text *string, ok bool) {
	return text, raw == nil || json.Unmarshal(raw, &text) == nil
}

func (q *query) parseDates(d dates, given map[string]json.RawMessage, now time.Time) (code, field string) {
	if d.from == "" {
		q.from, q.to = math.MinInt64, math.MaxInt64
		return "", ""
	}
	if d.since != nil {
		q.from, q.to = d.since(now).Unix(), now.Unix()
	}
	ends := 0
	for _, end := range []struct {
		name   string
		second *int64
	}{{d.from, &q.from}, {d.to, &q.to}} {
		text, ok := textOf(given[end.name])
		switch {
		case !ok:
			return codeJSON, "data"
		case text == nil && d.since == nil:
			return codeNull, end.name
		case text == nil:
			continue
		}
		at, err := time.Parse(timeLayout, *text)
		if err != nil {
			return codeValue, end.name
		}
		*end.second = at.Unix()
		ends++
	}
	if ends == 2 && q.to < q.from {
		return codeValue, d.to
	}
	return "", ""
}

// read returns the values that a filter asks for, none when it is not given, and
// the code of the refusal.
func (f filter) read(raw json.RawMessage) (values []string, code string) {
	var text *string
	var truth *bool
	var err error
	switch {
	case raw == nil:
	case f.kind == kindArray:
		err = json.Unmarshal(raw, &values)
	case f.kind == kindLiteral:
		err = json.Unmarshal(raw, &truth)
	default:
		err = json.Unmarshal(raw, &text)
	}
	if err != nil {
		return nil, codeJSON
	}
	if truth != nil {
		values = []string{strconv.FormatBool(*truth)}
	}
	if text != nil {
		values = []string{*text}
	}
	if len(values) == 0 && f.needed {
		return nil, codeNull
	}
	for _, v := range values {
		if f.values != nil && !slices.Contains(f.values, v) {
			return nil, codeValue
		}
	}
	return values, ""
}

func (q *query) parseSearch(members []searchable, given map[string]json.RawMessage) (code, field string) {
	searchField, ok := textOf(given["searchField"])
	text, textOK := textOf(given["query"])
	switch known := func(m searchable) bool { return m.field == *searchField }; {
	case len(members) == 0:
		return "", ""
	case !ok || !textOK:
		return codeJSON, "data"
	case searchField != nil && *searchField != "all" && !slices.ContainsFunc(members, known):
		return codeValue, "searchField"
	case searchField != nil && text == nil:
		return codeNull, "query"
	case text == nil:
		return "", ""
	case *text == "":
		return codeBlank, "query"
	case searchField != nil && *searchField != "all":
		q.searchField = *searchField
	}
	q.text = strings.ToLower(*text)
	return "", ""
}

// window returns the events between from and to; sorted is a timeline's.
func (q query) window(sorted []event) []event {
	low := sort.Search(len(sorted), func(i int) bool { return sorted[i].second >= q.from })
	high := sort.Search(len(sorted), func(i int) bool { return sorted[i].second > q.to })
	return sorted[low:max(low, high)]
}

// matcher returns what reports whether an event is visible at now, Unix
// nanoseconds, and passes the filters.
func (q query) matcher(l *pagedLog, seed uint64, now int64) func(event) bool {
	if l.admin && !slices.Contains(q.chosen["admin"], "true") {
		return func(event) bool { return false }
	}
	var filters []filter
	for _, f := range l.filters {
		if wanted := q.chosen[f.name]; f.member != "" && len(wanted) > 0 && !slices.Contains(wanted, "all") {
			filters = append(filters, f)
		}
	}
	return func(e event) bool {
		if e.visible > now || l.feeds != nil && !slices.Contains(q.chosen[feedType], l.logType(e)) {
			return false
		}
		if len(filters) == 0 && q.text == "" {
			return true
		}
		fields, _ := l.contents(seed, e)
		for _, f := range filters {
			one := func(wanted string) bool { return slices.Contains(textsIn(fields, f.member), wanted) }
			if !slices.ContainsFunc(q.chosen[f.name], one) {
				return false
			}
		}
		return q.text == "" || q.found(l.search, fields)
	}
}

// found reports whether the text searched for is in a member searched.
func (q query) found(members []searchable, fields []member) bool {
	return slices.ContainsFunc(members, func(m searchable) bool {
		return (q.searchField == "" || q.searchField == m.field) &&
			slices.ContainsFunc(textsIn(fields, m.member), func(text string) bool {
				return strings.Contains(strings.ToLower(text), q.text)
			})
	})
}

// textsIn returns the text of a member, or those of the array that it is.
func textsIn(fields []member, key string) (texts []string) {
	for _, m := range fields {
		if m.key != key {
			continue
		}
		if m.value.kind != kindArray {
			return []string{m.value.text}
		}
		for _, inner := range m.value.members {
			texts = append(texts, inner.value.text)
		}
	}
	return texts
}
