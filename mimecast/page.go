package mimecast

import (
	"context"
	"time"
)

// PagedLog asks for one page of a log that is served in pages, oldest first.
type PagedLog func(ctx context.Context, r PageRequest) (Page, error)

// PageRequest names a page. All pages of one poll share From and To, which
// have whole seconds and are both inclusive.
type PageRequest struct {
	From, To time.Time
	Size     int
	Token    string // empty for the first page
}

// Page is a page of events. A page without events may name a next one all the
// same: it may be the last, or there may be more behind it.
type Page struct {
	Events []Event
	Next   string // token of the next page; empty on the last one
}

// Event is one event of a page.
type Event struct {
	ID   string    // unique; empty when the service sent none
	Time time.Time // zero when it is missing or unreadable
	JSON []byte    // the event as the service spelled it: one JSON value
}

// timeFormat is how times are spelled in requests and answers.
const timeFormat = "2006-01-02T15:04:05-0700"

// page asks for a page of the log at uri and takes its events from
// data[].{list}. An event's id and time are its fields id and eventTime.
func (c *Client) page(ctx context.Context, uri, list string, filter map[string]any, r PageRequest) (Page, error) {
	type pagination struct {
		PageSize  int    `json:"pageSize"`
		PageToken string `json:"pageToken,omitempty"`
	}
	filter["oldestFirst"] = true
	filter["from"] = r.From.UTC().Format(timeFormat)
	filter["to"] = r.To.UTC().Format(timeFormat)
	a, err := c.post(ctx, uri, map[string]any{
		"meta": map[string]any{"pagination": pagination{r.Size, r.Token}},
		"data": []any{filter},
	})
	if err != nil {
		return Page{}, err
	}
	defer a.body.Close()
	e, err := a.envelope()
	if err != nil {
		return Page{}, err
	}
	return pageOf(a, e, list)
}

func pageOf(a *answer, e *envelope, list string) (Page, error) {
	p := Page{Next: e.next}
	if len(p.Next) > maxToken {
		return Page{}, &ResponseError{a.uri, "a page token of more than 16 KiB"}
	}
	for _, data := range e.data {
		if len(data) == 0 || data[0] != '{' {
			return Page{}, a.unexpected(data)
		}
		raw := member(data, list)
		if raw == nil {
			continue
		}
		events, err := elements(raw)
		if err != nil || len(p.Events)+len(events) > maxElements {
			return Page{}, a.unexpected(raw)
		}
		for _, raw := range events {
			p.Events = append(p.Events, eventOf(raw))
		}
	}
	return p, nil
}

func eventOf(raw rawJSON) Event {
	var head struct {
		ID        string `json:"id"`
		EventTime string `json:"eventTime"`
	}
	ev := Event{JSON: raw}
	if unmarshal(raw, &head) != nil {
		return ev
	}
	ev.ID = head.ID
	for _, layout := range []string{timeFormat, time.RFC3339} {
		if t, err := time.Parse(layout, head.EventTime); err == nil {
			ev.Time = t
			break
		}
	}
	return ev
}
