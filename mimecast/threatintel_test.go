package mimecast

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAFeed reads pages of a feed, whose answers are bundles.
func TestAFeed(t *testing.T) {
	var body string
	asked := ""
	answer := func(status int, token, text string) (Page, error) {
		t.Helper()
		c := newTestClient(t, transport(func(r *http.Request) (*http.Response, error) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			body = string(b)
			return answering(status, text, "X-Mc-Threat-Feed-Next-Token", token)(r)
		}))
		day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		return c.Page(context.Background(), ThreatIntel(), PageRequest{From: day, To: day.Add(time.Hour), FeedType: "malware_grid", Size: 10, Token: asked})
	}
	page, err := answer(200, "n", `{"type":"bundle","id":"bundle--1","objects":[
		{"type":"indicator","id":"indicator--1","modified":"2026-01-02T03:04:05.000Z"},{"type":"identity","id":"identity--1"}]}`)
	want := Page{Next: "n", Events: []Event{
		{ID: "indicator--1 2026-01-02T03:04:05.000Z", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), JSON: []byte(`{"type":"indicator","id":"indicator--1","modified":"2026-01-02T03:04:05.000Z"}`)},
		{ID: "identity--1 ", JSON: []byte(`{"type":"identity","id":"identity--1"}`)},
	}}
	if diff := cmp.Diff(want, page, cmp.Comparer(time.Time.Equal)); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for _, part := range []string{
		`"pagination":{"pageSize":10}`, `"feedType":"malware_grid"`, `"fileType":"stix"`, `"compress":false`,
		`"start":"2026-01-02T03:04:05+0000"`, `"end":"2026-01-02T04:04:05+0000"`,
	} {
		if !strings.Contains(body, part) {
			t.Errorf("%s is not in %s", part, body)
		}
	}
	asked = "a"
	for token, next := range map[string]string{"b": "b", "a": ""} {
		page, err := answer(200, token, `{"type":"bundle","id":"bundle--1","objects":[{"id":"indicator--1"}]}`)
		if err != nil || len(page.Events) != 1 || page.Next != next {
			t.Errorf("the token %s after a: %+v, %v", token, page, err)
		}
		if !strings.Contains(body, `"token":"a"`) || strings.Contains(body, `"start"`) || strings.Contains(body, `"end"`) {
			t.Errorf("a token with dates: %s", body)
		}
	}
	const nothing = `{"meta":{"status":404},"data":[],"fail":[{"errors":[{"code":"err_threat_intel_feed_no_result_found","message":"No results","retryable":false}]}]}`
	for _, status := range []int{200, 404} {
		if page, err := answer(status, "", nothing); err != nil || !cmp.Equal(page, Page{}) {
			t.Errorf("nothing with status %d: %+v, %v", status, page, err)
		}
	}
	if page, err := answer(200, "n", `{"type":"bundle","id":"bundle--1"}`); err != nil || page.Next != "n" || len(page.Events) > 0 {
		t.Errorf("an empty bundle: %+v, %v", page, err)
	}
	for name, text := range map[string]string{
		"HTML": "<html></html>", "objects that are no list": `{"type":"bundle","objects":{}}`, "cut": `{"type":"bundle","objects":[{"id":`,
		"a token of 17 KiB": "", "data in an envelope": `{"meta":{"status":200},"data":[{"objects":[{"id":"a"}]}],"fail":[]}`,
	} {
		token := ""
		if text == "" {
			token, text = strings.Repeat("a", 17<<10), `{"type":"bundle","objects":[]}`
		}
		if page, err := answer(200, token, text); err == nil {
			t.Errorf("%s: %+v", name, page)
		}
	}
	if _, err := answer(503, "", nothing); err == nil {
		t.Error("a 503 is taken for nothing")
	}
}

// TestMembersOfEachRequest is about what a row says of them.
func TestMembersOfEachRequest(t *testing.T) {
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	check := func(l Log, f Filter, want map[string]any) {
		t.Helper()
		want[l.From], want[l.To] = "2026-01-02T03:04:05+0000", "2026-01-02T03:04:05+0000"
		got, err := l.filter(PageRequest{From: day, To: day, Filter: f})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v, -want +got:\n%s", l.Name, err, diff)
		}
	}
	check(Rejections(), nil, map[string]any{"admin": true})
	check(Rejections(), nil, map[string]any{"admin": true}) // the row is as it was
	check(Audit(), AuditFilter{Categories: []string{"a"}}, map[string]any{"categories": []any{"a"}})
	check(URL(), URLFilter{ScanResult: "malicious", Route: "inbound"}, map[string]any{"scanResult": "malicious", "route": "inbound", "oldestFirst": true})
	check(Attachment(), AttachmentFilter{Result: "unsafe"}, map[string]any{"result": "unsafe", "oldestFirst": true})
}
