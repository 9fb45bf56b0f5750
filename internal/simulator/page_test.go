package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// pageOf is an answer with events.
type pageOf struct {
	Meta struct {
		Pagination struct {
			PageSize, TotalCount int
			Next, Previous       string
		}
	}
	Data []struct {
		ImpersonationLogs []json.RawMessage
		ResultCount       int
	}
}

func (p pageOf) events() []json.RawMessage { return p.Data[0].ImpersonationLogs }

// page asks for a page; ask is the element of data.
func (c client) page(ask map[string]any, size int, token string) pageOf {
	c.t.Helper()
	w := c.post(PathImpersonation, pageBody(ask, size, token))
	var p pageOf
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusOK || len(p.Data) != 1 {
		c.t.Fatalf("%v: %d %s", err, w.Code, w.Body)
	}
	return p
}

func pageBody(ask map[string]any, size int, token string) string {
	pagination := map[string]any{}
	if size > 0 {
		pagination["pageSize"] = size
	}
	if token != "" {
		pagination["pageToken"] = token
	}
	return bodyOf(map[string]any{"meta": map[string]any{"pagination": pagination}, "data": []any{ask}})
}

// turn follows the pages and returns all events as the records they make.
func (c client) turn(ask map[string]any, size int) (records []string) {
	c.t.Helper()
	for token := ""; ; {
		p := c.page(ask, size, token)
		for _, event := range p.events() {
			record, err := Canonical(slices.Concat(event[:len(event)-1], []byte(`,"log_source":"ttp","log_type":"impersonation"}`)))
			if err != nil {
				c.t.Fatal(err)
			}
			records = append(records, record)
		}
		token = p.Meta.Pagination.Next
		if token == "" {
			return records
		}
	}
}

var oldest = map[string]any{"oldestFirst": true}

func TestPages(t *testing.T) {
	c := newClient(t, Config{})
	c.server.AddEvents(101, c.clock.Now().Add(-time.Hour), 7)
	want := slices.Collect(c.server.Expected())
	for _, size := range []int{0, 1, 7, 100, 101, 500} {
		sameRecords(t, c.turn(oldest, size), want)
	}
	newest := slices.Clone(want)
	slices.Reverse(newest)
	sameRecords(t, c.turn(map[string]any{}, 9), newest)

	p := c.page(oldest, 0, "")
	if len(p.events()) != 25 || p.Meta.Pagination.PageSize != 25 || p.Meta.Pagination.TotalCount != 101 || p.Data[0].ResultCount != 101 {
		t.Errorf("got %+v", p.Meta)
	}
	for _, want := range []string{`"impersonationResults":[{"impersonationDomainSource":`, `"id":"MTOKEN:`, `"eventTime":"2021-10-19T06:06:40+0000"`, `"messageId":"<`} {
		if !strings.Contains(string(p.events()[0]), want) {
			t.Errorf("no %s in %s", want, p.events()[0])
		}
	}
}

func TestPreviousPages(t *testing.T) {
	c := newClient(t, Config{})
	c.server.AddEvents(50, c.clock.Now().Add(-time.Hour), 7)
	for _, ask := range []map[string]any{oldest, {"oldestFirst": false}} {
		first := c.page(ask, 20, "")
		second := c.page(ask, 20, first.Meta.Pagination.Next)
		third := c.page(ask, 20, second.Meta.Pagination.Next)
		if first.Meta.Pagination.Previous != "" || third.Meta.Pagination.Next != "" || len(third.events()) != 10 {
			t.Errorf("got %+v %+v", first.Meta, third.Meta)
		}
		back := c.page(ask, 20, third.Meta.Pagination.Previous)
		if bodyOf(back) != bodyOf(second) {
			t.Error("previous must lead back")
		}
		if again := c.page(ask, 20, back.Meta.Pagination.Previous); bodyOf(again.Data) != bodyOf(first.Data) {
			t.Error("previous must lead back to the first page")
		}
	}
}

func TestPageSizeIsCapped(t *testing.T) {
	c := newClient(t, Config{})
	c.server.AddEvents(600, c.clock.Now().Add(-time.Hour), 7)
	if p := c.page(oldest, 1000, ""); len(p.events()) != 500 || p.Meta.Pagination.PageSize != 500 {
		t.Errorf("got %d events, %+v", len(p.events()), p.Meta)
	}
}

func TestTimesAreInclusive(t *testing.T) {
	c := newClient(t, Config{})
	start := c.clock.Now().Add(-time.Hour)
	c.server.AddEvents(30, start, 3)
	at := func(second int, zone *time.Location) string {
		return start.Add(time.Duration(second) * time.Second).In(zone).Format(timeLayout)
	}
	for _, test := range []struct {
		from, to string
		want     int
	}{
		{at(2, time.UTC), at(2, time.UTC), 3},
		{at(2, time.UTC), at(4, time.FixedZone("", 3600)), 9},
		{at(-9, time.UTC), at(99, time.UTC), 30},
		{at(10, time.UTC), at(99, time.UTC), 0},
	} {
		if got := c.turn(map[string]any{"from": test.from, "to": test.to}, 2); len(got) != test.want {
			t.Errorf("%s to %s: %d events, want %d", test.from, test.to, len(got), test.want)
		}
	}
}

func TestDefaultTimes(t *testing.T) {
	c := newClient(t, Config{})
	today := time.Date(2021, 10, 19, 0, 0, 0, 0, time.UTC)
	c.server.AddEvents(4, today.Add(-2*time.Second), 1) // two are yesterday's
	c.server.AddEvents(4, c.clock.Now().Add(-time.Second), 1)
	if got := c.turn(oldest, 3); len(got) != 4 {
		t.Errorf("%d events, want the 2 of midnight and the 2 of now", len(got))
	}
	c.clock.advance(time.Minute)
	if got := c.turn(oldest, 3); len(got) != 6 {
		t.Errorf("%d events, want 6: two have happened since", len(got))
	}
}

func TestFilters(t *testing.T) {
	c := newClient(t, Config{})
	c.server.AddEvents(400, c.clock.Now().Add(-time.Hour), 2)
	contains := func(field, text string) func(map[string]any) bool {
		return func(event map[string]any) bool { return strings.Contains(fmt.Sprint(event[field]), text) }
	}
	for _, test := range []struct {
		filter map[string]any
		found  func(map[string]any) bool
	}{
		{map[string]any{"taggedMalicious": true}, contains("taggedMalicious", "true")},
		{map[string]any{"taggedMalicious": false}, contains("taggedMalicious", "false")},
		{map[string]any{"actions": []string{"hold"}}, contains("action", "hold")},
		{map[string]any{"identifiers": []string{"internal_user_name"}}, contains("identifiers", "internal_user_name")},
		{map[string]any{"query": "PARTNER.example", "searchField": "senderAddress"}, contains("senderAddress", "partner.example")},
		{map[string]any{"query": "hq.corp", "searchField": "recipientAddress"}, contains("recipientAddress", "hq.corp")},
		{map[string]any{"query": "2 hits", "searchField": "policy"}, contains("definition", "2 hits")},
		{map[string]any{"query": "請求書", "searchField": "subject"}, contains("subject", "請求書")},
		{map[string]any{"query": "2 hits", "searchField": "all"}, contains("definition", "2 hits")},
		{map[string]any{"query": "2 hits"}, contains("definition", "2 hits")},
		{map[string]any{"actions": []string{"derivery_route"}}, contains("action", "derivery_route")},
	} {
		var want []string
		for record := range c.server.Expected() {
			if test.found(decoded(t, []byte(record))) {
				want = append(want, record)
			}
		}
		test.filter["oldestFirst"] = true
		sameRecords(t, c.turn(test.filter, 13), want)
		if p := c.page(test.filter, 1, ""); p.Meta.Pagination.TotalCount != len(want) {
			t.Errorf("%v: %d in total, want %d", test.filter, p.Meta.Pagination.TotalCount, len(want))
		}
	}
}

func TestPageTokensAreBound(t *testing.T) {
	c := newClient(t, Config{})
	c.server.AddEvents(50, c.clock.Now().Add(-time.Hour), 7)
	next := c.page(oldest, 10, "").Meta.Pagination.Next
	for _, ask := range []map[string]any{
		{}, {"oldestFirst": true, "actions": []string{"hold"}}, {"oldestFirst": true, "from": "2021-10-19T00:00:00+0000"},
	} {
		if w := c.post(PathImpersonation, pageBody(ask, 10, next)); w.Code != 400 || code(t, w) != codePageToken {
			t.Errorf("%v: got %d %s", ask, w.Code, w.Body)
		}
	}
	if w := c.siem(next, "json", true); code(t, w) != codeSIEMToken {
		t.Errorf("got %s", w.Body)
	}
	if p := c.page(oldest, 10, next); len(p.events()) != 10 {
		t.Errorf("got %+v", p)
	}
	c.server.ExpirePages()
	if w := c.post(PathImpersonation, pageBody(oldest, 10, next)); code(t, w) != codePageToken {
		t.Errorf("got %s", w.Body)
	}
}

func TestLateEvents(t *testing.T) {
	c := newClient(t, Config{})
	now := c.clock.Now()
	c.server.AddEvents(10, now.Add(-time.Hour), 1)
	c.server.AddLateEvents(3, now.Add(-time.Hour), now.Add(time.Minute))
	if got := c.turn(oldest, 4); len(got) != 10 {
		t.Errorf("%d events, want 10", len(got))
	}
	c.clock.advance(time.Minute)
	sameRecords(t, c.turn(oldest, 4), slices.Collect(c.server.ExpectedEvents()))
}

func TestPagingIsSteady(t *testing.T) {
	c := newClient(t, Config{})
	c.server.AddEvents(20, c.clock.Now().Add(-time.Hour), 1)
	before := c.turn(map[string]any{}, 0)
	p := c.page(map[string]any{}, 15, "")
	c.server.AddEvents(40, c.clock.Now(), 1)
	c.clock.advance(time.Minute)
	rest := c.page(map[string]any{}, 15, p.Meta.Pagination.Next)
	if len(rest.events()) != 5 || rest.Meta.Pagination.Next != "" || rest.Meta.Pagination.TotalCount != 20 {
		t.Fatalf("got %d events, %+v", len(rest.events()), rest.Meta)
	}
	got, want := decoded(t, rest.events()[4])["id"], decoded(t, []byte(before[19]))["id"]
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
