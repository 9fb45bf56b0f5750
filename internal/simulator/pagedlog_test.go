package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// logShape is what a collector has to know of a log.
type logShape struct {
	name, path, list, id, time string
	source                     string
	rising                     bool
	ask                        func(from, to string) map[string]any
}

func fromTo(from, to string) map[string]any {
	return map[string]any{"from": from, "to": to, "oldestFirst": true}
}

func startEnd(from, to string) map[string]any {
	return map[string]any{"start": from, "end": to, "admin": true}
}

func feedOf(feed string) func(from, to string) map[string]any {
	return func(from, to string) map[string]any {
		return map[string]any{"start": from, "end": to, "feedType": feed, "fileType": "stix", "compress": false}
	}
}

var logShapes = []logShape{
	{"url", "/api/ttp/url/get-logs", "clickLogs", "", "date", "ttp", true, fromTo},
	{"attachment", "/api/ttp/attachment/get-logs", "attachmentLogs", "", "date", "ttp", true, fromTo},
	{"impersonation", "/api/ttp/impersonation/get-logs", "impersonationLogs", "id", "eventTime", "ttp", true, fromTo},
	{"dlp", "/api/dlp/get-logs", "dlpLogs", "", "eventTime", "dlp", true, fromTo},
	{"audit", "/api/audit/get-audit-events", "", "id", "eventTime", "audit", false, func(from, to string) map[string]any {
		return map[string]any{"startDateTime": from, "endDateTime": to}
	}},
	{"archive_search", "/api/archive/get-search-logs", "logs", "", "createTime", "archive_search", false, startEnd},
	{"archive_search", "/api/archive/get-archive-search-logs", "logs", "", "createTime", "archive_search", false, func(string, string) map[string]any {
		return map[string]any{}
	}},
	{"archive_view", "/api/archive/get-view-logs", "", "", "viewed", "archive_view", false, startEnd},
	{"message_release", "/api/gateway/get-held-release-logs", "heldReleaseLogs", "id", "released", "message_release", false, startEnd},
	{"rejections", "/api/gateway/get-rejections", "rejections", "id", "created", "rejections", false, startEnd},
}

// poster sends the body of a request by either API.
type poster func(path, body string) *httptest.ResponseRecorder

func (c *bearerClient) byBearer(path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.bearer)
	return c.serve(r)
}

// page reads the answer with a page of a log.
func (l logShape) page(t testing.TB, w *httptest.ResponseRecorder) (events []json.RawMessage, next string) {
	t.Helper()
	var p struct {
		Meta struct{ Pagination struct{ Next string } }
		Data []json.RawMessage
		Fail []any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusOK || len(p.Fail) > 0 {
		t.Fatalf("%s: %v: %d %s", l.path, err, w.Code, w.Body)
	}
	if l.list == "" {
		return p.Data, p.Meta.Pagination.Next
	}
	for _, element := range p.Data {
		var lists map[string]json.RawMessage
		var list []json.RawMessage
		if err := json.Unmarshal(element, &lists); err != nil || json.Unmarshal(lists[l.list], &list) != nil {
			t.Fatalf("%s: %.200s", l.path, w.Body)
		}
		events = append(events, list...)
	}
	return events, p.Meta.Pagination.Next
}

// turn follows the pages until there is no next or nothing, and returns all events.
func (l logShape) turn(t testing.TB, post poster, ask map[string]any, size int) (events []json.RawMessage) {
	t.Helper()
	for token, pages := "", 0; pages < 1000; pages++ {
		more, next := l.page(t, post(l.path, pageBody(ask, size, token)))
		events = append(events, more...)
		if next == "" || len(more) == 0 {
			return events
		}
		token = next
	}
	t.Fatalf("%s: the pages never end", l.path)
	return nil
}

// records returns the records that events make, oldest first.
func (l logShape) records(t testing.TB, events []json.RawMessage) (records []string) {
	t.Helper()
	for _, e := range events {
		record, err := Canonical(fmt.Appendf(nil, `%s,"log_source":%q,"log_type":%q}`, e[:len(e)-1], l.source, l.name))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	if !l.rising {
		slices.Reverse(records)
	}
	return records
}

func TestLogs(t *testing.T) {
	for _, empty := range []bool{false, true} {
		c := newBearerClient(t, Config{EmptyLastPage: empty, MaxPageSizes: map[string]int{"url": 10}})
		start := c.clock.Now().Add(-2 * time.Hour)
		from, to := start.Format(timeLayout), c.clock.Now().Format(timeLayout)
		for _, l := range logShapes {
			if l.path != PathOldArchiveSearch {
				add(t, c.client, l.name, 60, LogEvents{Start: start, PerSecond: 3, TwinEvery: 5})
			}
			want := slices.Collect(c.server.ExpectedLog(l.name))
			if len(want) != 60 {
				t.Fatalf("%s: %d records", l.name, len(want))
			}
			for _, post := range []poster{c.post, c.byBearer} {
				for _, size := range []int{7, 30, 60, 500} {
					sameRecords(t, l.records(t, l.turn(t, post, l.ask(from, to), size)), want)
				}
			}
			l.looksRight(t, l.turn(t, c.post, l.ask(from, to), 500), 60-60/5)
		}
		if events, _ := logShapes[0].page(t, c.post(PathURL, pageBody(fromTo(from, to), 500, ""))); len(events) != 10 {
			t.Errorf("a page has %d events, want 10", len(events))
		}
	}
}

// looksRight looks at the ids and times of a log's events, of which so many have contents
// of their own.
func (l logShape) looksRight(t *testing.T, events []json.RawMessage, distinct int) {
	contents, ids := map[string]bool{}, map[string]bool{}
	for _, e := range events {
		fields := decoded(t, e)
		if _, err := time.Parse(timeLayout, fmt.Sprint(fields[l.time])); err != nil {
			t.Errorf("%s: %v", l.name, err)
		}
		if id, has := fields["id"].(string); has != (l.id != "") {
			t.Errorf("%s: an id: %v", l.name, has)
		} else if has {
			ids[id] = true
			delete(fields, "id")
		}
		contents[bodyOf(fields)] = true
	}
	if len(contents) != distinct || l.id != "" && len(ids) != len(events) {
		t.Errorf("%s: %d distinct events, %d ids", l.name, len(contents), len(ids))
	}
}

func add(t testing.TB, c client, log string, n int, how LogEvents) {
	t.Helper()
	if err := c.server.AddLogEvents(log, n, how); err != nil {
		t.Fatal(err)
	}
}

func TestEmptyLastPage(t *testing.T) {
	for _, l := range logShapes {
		c := newClient(t, Config{EmptyLastPage: true})
		events, next := l.page(t, c.post(l.path, pageBody(l.ask("2021-10-19T00:00:00+0000", "2021-10-19T07:00:00+0000"), 5, "")))
		if len(events) != 0 || next == "" {
			t.Errorf("%s: %d events, next %q", l.path, len(events), next)
		}
	}
}

func TestLateEventsOfLogs(t *testing.T) {
	for _, l := range logShapes {
		c := newClient(t, Config{})
		now := c.clock.Now()
		add(t, c, l.name, 40, LogEvents{Start: now.Add(-time.Minute), PerSecond: 3, LateEvery: 4, LateBy: time.Hour})
		ask := l.ask(now.Add(-time.Hour).Format(timeLayout), now.Format(timeLayout))
		first, next := l.page(t, c.post(l.path, pageBody(ask, 20, "")))
		c.clock.advance(time.Hour)
		// A page goes on from its place, with what has turned up behind it.
		rest, end := l.page(t, c.post(l.path, pageBody(ask, 100, next)))
		want := 13 // the last event of all is late
		if l.rising {
			want = 14
		}
		if len(first) != 20 || len(rest) != want || end != "" {
			t.Errorf("%s: %d and %d events", l.path, len(first), len(rest))
		}
		seen := map[string]int{}
		for _, e := range slices.Concat(first, rest) {
			seen[string(e)]++
		}
		if len(seen) != 20+want {
			t.Errorf("%s: %d distinct events", l.path, len(seen))
		}
		sameRecords(t, l.records(t, l.turn(t, c.post, ask, 9)), slices.Collect(c.server.ExpectedLog(l.name)))
	}
}

func TestUndatedReleases(t *testing.T) {
	c := newClient(t, Config{})
	start := c.clock.Now().AddDate(0, 0, -20)
	add(t, c, "message_release", 30, LogEvents{Start: start, PerSecond: 1, UndatedEvery: 3})
	l := logShapes[8]
	undated := 0
	for _, e := range l.turn(t, c.post, map[string]any{}, 7) { // of a month
		if _, dated := decoded(t, e)["released"]; !dated {
			undated++
		}
	}
	if undated != 10 {
		t.Errorf("%d without released", undated)
	}
}

func TestLogRefusals(t *testing.T) {
	const at, long = "2021-10-19T07:00:00+0000", "2021-08-01T07:00:00+0000"
	audit := func(from, to string) string { return pageBody(logShapes[4].ask(from, to), 5, "") }
	feed := func(change string, to any) string {
		ask := feedOf("malware_grid")(at, at)
		if to == nil {
			delete(ask, change)
		} else {
			ask[change] = to
		}
		return pageBody(ask, 0, "")
	}
	for _, test := range []struct{ path, body, code, field string }{
		{PathAudit, `{}`, codeNull, "data"},
		{PathAudit, `{"data":[]}`, codeNull, "data"},
		{PathAudit, `{"data":[{},{}]}`, codeValue, "data"},
		{PathAudit, `{"data":[{"endDateTime":"` + at + `"}]}`, codeNull, "startDateTime"},
		{PathAudit, `{"data":[{"startDateTime":"` + at + `"}]}`, codeNull, "endDateTime"},
		{PathAudit, audit(long, at), codeValue, "startDateTime"},
		{PathAudit, audit(at, "2021-10-19T06:00:00+0000"), codeValue, "endDateTime"},
		{PathAudit, audit("yesterday", at), codeValue, "startDateTime"},
		{PathRejections, `{}`, codeNull, "data"},
		{PathURL, `{"data":[{"scanResult":"bad"}]}`, codeValue, "scanResult"},
		{PathURL, `{"data":[{"scanResult":["clean"]}]}`, codeJSON, "scanResult"},
		{PathURL, `{"data":[{"route":"sideways"}]}`, codeValue, "route"},
		{PathURL, `{"data":[{"oldestFirst":"yes"}]}`, codeJSON, "data"},
		{PathAttachment, `{"data":[{"result":"clean"}]}`, codeValue, "result"},
		{PathDLP, `{"data":[{"searchField":"subject"}]}`, codeNull, "query"},
		{PathThreatIntel, feed("feedType", nil), codeNull, "feedType"},
		{PathThreatIntel, feed("feedType", "malware"), codeValue, "feedType"},
		{PathThreatIntel, feed("fileType", "csv"), codeValue, "fileType"},
		{PathThreatIntel, feed("compress", true), codeValue, "compress"},
		{PathThreatIntel, feed("token", "x"), codePageToken, "pageToken"},
	} {
		c := newClient(t, Config{})
		w := c.post(test.path, test.body)
		if w.Code != http.StatusBadRequest || code(t, w) != test.code || !strings.Contains(w.Body.String(), `"field":"`+test.field+`"`) {
			t.Errorf("%s %s: got %d %s, want %s of %s", test.path, test.body, w.Code, w.Body, test.code, test.field)
		}
	}
}

func TestRejectionsAreTheAdministrators(t *testing.T) {
	c := newClient(t, Config{})
	add(t, c, "rejections", 5, LogEvents{Start: c.clock.Now().Add(-time.Hour)})
	l := logShapes[9]
	for _, test := range []struct {
		ask  map[string]any
		want int
	}{{map[string]any{"admin": true}, 5}, {map[string]any{"admin": false}, 0}, {map[string]any{}, 0}} {
		if got := l.turn(t, c.post, test.ask, 2); len(got) != test.want {
			t.Errorf("%v: %d events", test.ask, len(got))
		}
	}
}

func TestLogFilters(t *testing.T) {
	shape := func(name string) logShape {
		return logShapes[slices.IndexFunc(logShapes, func(l logShape) bool { return l.name == name })]
	}
	for _, test := range []struct {
		log, filter string
		value       any
		member      string
		found       string
	}{
		{"url", "scanResult", "malicious", "scanResult", "malicious"},
		{"url", "route", "internal", "route", "internal"},
		{"attachment", "result", "timeout", "result", "timeout"},
		{"attachment", "route", "outbound", "route", "outbound"},
		{"dlp", "actions", []string{"hold"}, "action", "hold"},
		{"dlp", "routes", []string{"inbound"}, "route", "inbound"},
		{"audit", "categories", []string{"policy_logs"}, "category", "policy_logs"},
		{"audit", "query", "AUTHENTICATION", "auditType", "Logon Authentication Failed"},
		{"url", "scanResult", "all", "", ""},
		{"attachment", "result", "all", "", ""},
	} {
		c := newClient(t, Config{})
		l := shape(test.log)
		now := c.clock.Now()
		add(t, c, l.name, 200, LogEvents{Start: now.Add(-time.Hour), PerSecond: 3})
		ask := l.ask(now.Add(-time.Hour).Format(timeLayout), now.Format(timeLayout))
		ask[test.filter] = test.value
		var want []string
		for record := range c.server.ExpectedLog(l.name) {
			if test.member == "" || decoded(t, []byte(record))[test.member] == test.found {
				want = append(want, record)
			}
		}
		if len(want) == 0 {
			t.Errorf("%+v finds nothing", test)
		}
		sameRecords(t, l.records(t, l.turn(t, c.post, ask, 13)), want)
	}
}

func TestWithheldLogs(t *testing.T) {
	c := newBearerClient(t, Config{})
	for _, l := range logShapes {
		body := pageBody(l.ask("2021-10-19T00:00:00+0000", "2021-10-19T07:00:00+0000"), 5, "")
		for _, what := range []string{l.name, l.path} {
			c.server.Forbid(what)
			if w := c.post(l.path, body); w.Code != http.StatusForbidden || code(t, w) != codeForbidden {
				t.Errorf("%s: got %d %s", what, w.Code, w.Body)
			}
			if w := c.byBearer(l.path, body); w.Code != http.StatusForbidden || failCode(t, w) != "app_forbidden" {
				t.Errorf("%s: got %d %s", what, w.Code, w.Body)
			}
			c.server.Forbid()
		}
		c.server.Remove(l.path)
		if w := c.post(l.path, body); w.Code != http.StatusNotFound || code(t, w) != codePath {
			t.Errorf("%s: got %d %s", l.path, w.Code, w.Body)
		}
		if w := c.byBearer(l.path, body); w.Code != http.StatusNotFound || failCode(t, w) != codePath {
			t.Errorf("%s: got %d %s", l.path, w.Code, w.Body)
		}
		c.server.Remove()
		l.page(t, c.byBearer(l.path, body))
	}
}

func TestPageTokensAreOfOneLog(t *testing.T) {
	c := newClient(t, Config{})
	for _, name := range []string{"url", "attachment"} {
		add(t, c, name, 20, LogEvents{Start: c.clock.Now().Add(-time.Hour)})
	}
	_, next := logShapes[0].page(t, c.post(PathURL, pageBody(oldest, 10, "")))
	if w := c.post(PathAttachment, pageBody(oldest, 10, next)); code(t, w) != codePageToken {
		t.Errorf("got %s", w.Body)
	}
}

func TestFaultsOfLogs(t *testing.T) {
	c := newBearerClient(t, Config{})
	for _, l := range slices.Concat(logShapes, []logShape{{name: "threat_intel", path: PathThreatIntel, ask: feedOf("malware_grid")}}) {
		body := pageBody(l.ask("2021-10-19T00:00:00+0000", "2021-10-19T07:00:00+0000"), 5, "")
		for _, fault := range []Fault{FaultRateLimited, FaultServerError, FaultHTML, FaultFailRetryable, FaultFailFinal, FaultBodyCut, FaultForbidden, FaultUnauthorized} {
			before := c.server.Requests().Count(l.path, Hit(fault))
			c.server.NextAt(l.path, fault, fault)
			signed, byBearer := c.post(l.path, body), c.byBearer(l.path, body)
			if got := c.server.Requests().Count(l.path, Hit(fault)) - before; got != 2 {
				t.Errorf("%s: %s hit %d: %s, %s", l.path, fault, got, signed.Body, byBearer.Body)
			}
		}
	}
}

func TestAddLogEventsRefuses(t *testing.T) {
	c := newClient(t, Config{})
	for name, how := range map[string]LogEvents{
		"siem":            {},
		"url":             {UndatedEvery: 2},
		"audit":           {RevisedEvery: 2},
		"dlp":             {Feed: "malware_grid"},
		"threat_intel":    {Feed: "malware"},
		"message_release": {Feed: "malware_grid"},
	} {
		if err := c.server.AddLogEvents(name, 1, how); err == nil {
			t.Errorf("%s: %+v", name, how)
		}
	}
	if _, err := New(Config{MaxPageSizes: map[string]int{"siem": 10}}); err == nil {
		t.Error("the SIEM logs have no pages")
	}
}

func TestAuditPagesOutliveTheRetention(t *testing.T) {
	c := newClient(t, Config{})
	start := c.clock.Now().Add(-auditRetention)
	add(t, c, "audit", 20, LogEvents{Start: start})
	l := logShapes[4]
	before := l.ask(start.Add(-time.Second).Format(timeLayout), c.clock.Now().Format(timeLayout))
	if w := c.post(l.path, pageBody(before, 5, "")); code(t, w) != codeValue {
		t.Errorf("got %s", w.Body)
	}
	ask := l.ask(start.Format(timeLayout), c.clock.Now().Format(timeLayout))
	_, next := l.page(t, c.post(l.path, pageBody(ask, 5, "")))
	c.clock.advance(time.Minute)
	if events, _ := l.page(t, c.post(l.path, pageBody(ask, 5, next))); len(events) != 5 {
		t.Errorf("%d events", len(events))
	}
}
