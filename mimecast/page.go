package mimecast

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// PageRequest names a page. The pages that follow each other differ in Token
// alone.
type PageRequest struct {
	From, To time.Time // whole seconds, both inclusive
	Filter   Filter    // of this log; nil: all events
	FeedType string    // one of [Log].FeedTypes, where the log has some
	Size     int       // most events of the page
	Token    string    // empty: the first page
	// AccountCode is Mimecast's code of a customer who lets the caller, a partner,
	// ask for logs; empty: the logs of the caller's own account.
	AccountCode string
}

// Page is a page of events. One without events may name a next one: it may be the
// last, or more may follow.
type Page struct {
	Events []Event
	Next   string // token of the next page; empty on the last one
}

// Event is one event of a page.
type Event struct {
	ID   string    // unique, with the version; empty when the log has none or the service sent none
	Time time.Time // zero when it is missing or unreadable
	JSON []byte    // the event as the service spelled it: one JSON value
}

// Page asks for a page of l, oldest first where the log has the switch. It
// returns an *APIError when the service refuses, a *ResponseError when the answer
// makes no sense, and otherwise the network's or the context's error.
//
// The documentation is [Log].Endpoint.Page.
func (c *Client) Page(ctx context.Context, l Log, r PageRequest) (Page, error) {
	filter, err := l.filter(r)
	if err != nil {
		return Page{}, err
	}
	type pagination struct {
		PageSize  int    `json:"pageSize"`
		PageToken string `json:"pageToken,omitempty"`
	}
	type meta struct {
		Pagination  pagination `json:"pagination"`
		AccountCode string     `json:"accountCode,omitempty"`
	}
	about := meta{pagination{r.Size, r.Token}, r.AccountCode}
	if l.bundle {
		about.Pagination.PageToken = ""
		if r.Token != "" { // it stands for the dates too
			delete(filter, l.From)
			delete(filter, l.To)
			filter["token"] = r.Token
		}
	}
	a, err := c.post(ctx, l.Endpoint, map[string]any{"meta": about, "data": []any{filter}})
	if err != nil && l.bundle {
		return Page{}, withoutNoFeed(err)
	}
	if err != nil {
		return Page{}, err
	}
	defer a.body.Close()
	if l.bundle {
		return l.bundlePage(a, r.Token)
	}
	e, err := a.envelope()
	if err != nil {
		return Page{}, err
	}
	return l.page(a, e)
}

// filter is what the request says of the events to get.
func (l Log) filter(r PageRequest) (map[string]any, error) {
	members := maps.Clone(l.Always)
	if members == nil {
		members = map[string]any{}
	}
	if r.Filter != nil {
		if other := r.Filter.Log().Name; other != l.Name {
			return nil, fmt.Errorf("%s: a filter of the log %s", l.Endpoint.Path, other)
		}
		text, err := marshal(r.Filter)
		if err == nil {
			err = unmarshal(text, &members)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: encoding the filter: %w", l.Endpoint.Path, err)
		}
	}
	if l.OldestFirst {
		members["oldestFirst"] = true
	}
	if l.FeedTypeFilter != "" {
		members[l.FeedTypeFilter] = r.FeedType
	}
	members[l.From] = r.From.UTC().Format(l.TimeLayout)
	members[l.To] = r.To.UTC().Format(l.TimeLayout)
	return members, nil
}

// page reads the answer's page.
func (l Log) page(a *answer, e *envelope) (Page, error) {
	p := Page{Next: e.next}
	if len(p.Next) > maxToken {
		return Page{}, &ResponseError{a.endpoint.Path, "a page token of more than 16 KiB"}
	}
	if l.List == "" {
		p.Events = l.events(e.data)
		return p, nil
	}
	for _, data := range e.data {
		if len(data) == 0 || data[0] != '{' {
			return Page{}, a.unexpected(data)
		}
		raw := member(data, l.List)
		if raw == nil {
			continue
		}
		list, err := elements(raw)
		if err != nil || len(p.Events)+len(list) > maxElements {
			return Page{}, a.unexpected(raw)
		}
		p.Events = append(p.Events, l.events(list)...)
	}
	return p, nil
}

func (l Log) events(list []rawJSON) []Event {
	events := make([]Event, 0, len(list))
	for _, raw := range list {
		ev := Event{JSON: raw}
		if l.ID != "" {
			ev.ID = text(raw, l.ID)
		}
		if ev.ID != "" && l.Version != "" {
			ev.ID += " " + text(raw, l.Version)
		}
		for _, layout := range []string{timeLayout, time.RFC3339} {
			if t, err := time.Parse(layout, text(raw, l.Time)); err == nil {
				ev.Time = t
				break
			}
		}
		events = append(events, ev)
	}
	return events
}
