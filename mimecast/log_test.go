package mimecast

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLogsAreComplete(t *testing.T) {
	word := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	names := map[string]bool{"siem": true} // the plugin's name of what is not in the table
	for _, l := range Logs() {
		if !word.MatchString(l.Name) || !word.MatchString(l.Family) || names[l.Name] {
			t.Errorf("%s of the family %s is no name, or there twice", l.Name, l.Family)
		}
		names[l.Name] = true
		for what, text := range map[string]string{
			"Time": l.Time, "From": l.From, "To": l.To, "Product": l.Endpoint.Product,
		} {
			if text == "" {
				t.Errorf("%s has no %s", l.Name, what)
			}
		}
		if l.From == l.To {
			t.Errorf("%s: both date filters are %q", l.Name, l.From)
		}
		moment := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		if got, err := time.Parse(l.TimeLayout, moment.Format(l.TimeLayout)); err != nil || !got.Equal(moment) {
			t.Errorf("%s: layout %q makes %v of %v, %v", l.Name, l.TimeLayout, got, moment, err)
		}
		checkEndpoint(t, l.Endpoint)
	}
	checkEndpoint(t, SIEM())
	checkEndpoint(t, SIEMEvents())
	checkEndpoint(t, SIEMEventsCI())
}

func checkEndpoint(t *testing.T, e Endpoint) {
	t.Helper()
	if !strings.HasPrefix(e.Path, "/") || e.Permission != "" && !strings.HasSuffix(e.Permission, " | Read") {
		t.Errorf("%s: permission %q", e.Path, e.Permission)
	}
	if page, err := url.Parse(e.Page); err != nil || page.Scheme != "https" || !strings.HasSuffix(page.Hostname(), "mimecast.com") {
		t.Errorf("%s: page %q, %v", e.Path, e.Page, err)
	}
}

// TestARowIsAllThatALogTakes reads a log that differs from those in the table in
// all that a row can say.
func TestARowIsAllThatALogTakes(t *testing.T) {
	l := Log{Name: "x", Endpoint: Endpoint{Path: "/api/x/get"}, Time: "createTime", From: "start", To: "end", TimeLayout: time.DateOnly}
	c := newTestClient(t, answering(200, `{"meta":{"pagination":{"next":"n"}},"data":[{"id":"1","createTime":"2026-01-02T03:04:05+0000"},7]}`))
	page, err := c.Page(context.Background(), l, PageRequest{})
	want := Page{Next: "n", Events: []Event{
		{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), JSON: []byte(`{"id":"1","createTime":"2026-01-02T03:04:05+0000"}`)},
		{JSON: []byte("7")},
	}}
	if diff := cmp.Diff(want, page, cmp.Comparer(time.Time.Equal)); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	filter, err := l.filter(PageRequest{From: day, To: day.AddDate(0, 0, 1)})
	if diff := cmp.Diff(map[string]any{"start": "2026-01-02", "end": "2026-01-03"}, filter); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if _, err := c.Page(context.Background(), l, PageRequest{Filter: ImpersonationFilter{}}); err == nil || !strings.Contains(err.Error(), "a filter of the log impersonation") {
		t.Errorf("another log's filter: %v", err)
	}
}
