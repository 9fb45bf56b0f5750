package simulator

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bearerClient asks a server of API 2.0 by the book.
type bearerClient struct {
	client
	bearer string
	path   string // of the endpoint of links; PathEvents unless set
}

func newBearerClient(t testing.TB, config Config) *bearerClient {
	t.Helper()
	config.EventsLimit = orDefault(config.EventsLimit, 1<<30)
	c := &bearerClient{client: newClient(t, config)}
	c.login()
	return c
}

func (c *bearerClient) login() {
	c.t.Helper()
	w := c.askToken(c.server.Client())
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &token); err != nil || token.AccessToken == "" {
		c.t.Fatalf("no token: %d %s", w.Code, w.Body)
	}
	c.bearer = token.AccessToken
}

func (c *bearerClient) askToken(as Client) *httptest.ResponseRecorder {
	form := url.Values{"client_id": {as.ID}, "client_secret": {as.Secret}, "grant_type": {"client_credentials"}}
	r := httptest.NewRequest(http.MethodPost, PathToken, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.serve(r)
}

func (c *bearerClient) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.server.ServeHTTP(w, r)
	return w
}

// events asks for a page of links; query is names and values in turn.
func (c *bearerClient) events(query ...string) *httptest.ResponseRecorder {
	values := url.Values{}
	for pair := range slices.Chunk(query, 2) {
		values.Set(pair[0], pair[1])
	}
	r := httptest.NewRequest(http.MethodGet, orDefault(c.path, PathEvents)+"?"+values.Encode(), nil)
	r.Header.Set("Authorization", "Bearer "+c.bearer)
	return c.serve(r)
}

func (c *bearerClient) linkPage(query ...string) (p linkPage) {
	c.t.Helper()
	w := c.events(query...)
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusOK || p.Value == nil {
		c.t.Fatalf("no page: %d %s", w.Code, w.Body)
	}
	return p
}

func (c *bearerClient) follow(l link) *httptest.ResponseRecorder {
	return c.serve(httptest.NewRequest(http.MethodGet, l.URL, nil))
}

// paths returns the paths of a page's links.
func paths(t testing.TB, p linkPage) (list []string) {
	t.Helper()
	for _, l := range p.Value {
		at, err := url.Parse(l.URL)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, at.Path)
	}
	return list
}

// oldTypes are the types of API 2.0 in the words of 1.0, written out once more.
var oldTypes = map[string]string{
	"receipt": "receipt", "process": "process", "delivery": "delivery", "journal": "jrnl", "av": "av",
	"spam": "spameventthread", "url protect": "ttp_url", "attachment protect": "ttp_ap",
	"impersonation protect": "impersonation", "internal email protect": "iep",
}

// decodeLines reads a body without any of the package's own decoding, and counts
// the lines that are no records.
func decodeLines(t testing.TB, body []byte) (records []string, bad int) {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, 1
	}
	lines, err := io.ReadAll(unpacked)
	if err != nil {
		bad++
	}
	for line := range bytes.SplitSeq(lines, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.UseNumber()
		var record map[string]any
		if err := decoder.Decode(&record); err != nil {
			bad++
			continue
		}
		kind := fmt.Sprint(record["type"])
		record["log_source"], record["log_type"] = "siem", oldTypes[kind]
		switch kind {
		case "entities", "mailflow", "urlclick":
			record["log_source"], record["log_type"] = "siem_ci", kind
		}
		spelt, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := Canonical(spelt)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, canonical)
	}
	return records, bad
}

// gather follows a type's pages to their end, each path once, and returns the
// records sorted, and how many lines and files it cannot read.
func (c *bearerClient) gather(query ...string) (records []string, bad int) {
	c.t.Helper()
	cursor := ""
	seen := map[string]bool{}
	for range 1000 {
		ask := slices.Clone(query)
		if cursor != "" {
			ask = append(ask, "nextPage", cursor)
		}
		p := c.linkPage(ask...)
		for i, path := range paths(c.t, p) {
			if seen[path] {
				continue
			}
			seen[path] = true
			w := c.follow(p.Value[i])
			if w.Code != http.StatusOK {
				c.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
			more, unreadable := decodeLines(c.t, w.Body.Bytes())
			records, bad = append(records, more...), bad+unreadable
		}
		cursor = p.NextPage
		if p.IsCaughtUp {
			slices.Sort(records)
			return records, bad
		}
	}
	c.t.Fatal("no end")
	return nil, 0
}

// stockedFiles returns a client of a server with files of every type.
func stockedFiles(t testing.TB, config Config) *bearerClient {
	t.Helper()
	c := newBearerClient(t, config)
	for range 2 {
		for _, kind := range EventTypes() {
			if err := c.server.AddFiles(kind, 3, 40); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

func TestEventsOfEachTypeAndOfAll(t *testing.T) {
	c := stockedFiles(t, Config{})
	want := slices.Sorted(c.server.Expected())
	if len(want) != 10*6*40 || len(slices.Compact(slices.Clone(want))) != len(want) {
		t.Fatalf("%d records, or some twice", len(want))
	}
	all, bad := c.gather("pageSize", "7")
	sameRecords(t, all, want)
	var each []string
	for _, kind := range EventTypes() {
		records, worse := c.gather("type", kind)
		each, bad = append(each, records...), bad+worse
	}
	slices.Sort(each)
	sameRecords(t, each, want)
	if bad > 0 {
		t.Errorf("%d lines or files cannot be read", bad)
	}
}

func TestEventsOfASubtype(t *testing.T) {
	c := newBearerClient(t, Config{})
	if err := c.server.AddFiles("process", 2, 100); err != nil {
		t.Fatal(err)
	}
	held, _ := c.gather("type", "process:Hld")
	accepted, _ := c.gather("type", "process:Acc")
	if len(held) == 0 || len(accepted) == 0 || !strings.Contains(held[0], `"subtype":"Hld"`) {
		t.Errorf("%d held, %d accepted", len(held), len(accepted))
	}
	both := slices.Concat(held, accepted)
	slices.Sort(both)
	sameRecords(t, both, slices.Sorted(c.server.Expected()))
}

func TestEventsHaveWhatTrafficHas(t *testing.T) {
	c := newBearerClient(t, Config{})
	size := 0
	var wire []byte
	for _, kind := range EventTypes() {
		if err := c.server.AddFiles(kind, 1, 1000); err != nil {
			t.Fatal(err)
		}
	}
	for i := range EventTypes() {
		body, err := c.server.RawEventFile(i)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := io.ReadAll(unpacked)
		if err != nil || bytes.Count(lines, []byte("\n")) != 1000 {
			t.Fatal(err, bytes.Count(lines, []byte("\n")))
		}
		size += len(lines)
		wire = append(wire, lines...)
	}
	if mean := size / 10_000; mean < 400 || mean > 900 {
		t.Errorf("%d bytes a record", mean)
	}
	for _, want := range []string{
		`"type":"internal email protect"`, `"subtype":null`, `"subtype":"true"`, `"numberAttachments":"0"`, `"delivered":"false"`,
		`"timestamp":1634626`, `"accountId":"CSIM1A240"`, `"spamProcessingDetail":{"spf":`, `"spamProcessingDetail":"{\"spf\":`,
		`"spamProcessingDetail":"\"{\\\"spf\\\":`, `"analysis":"null"`, `"analysis":"{\"Status\":`, `"Hostname":null`, `"Hostname":"mx1.`,
		`"tlsVersion":""`, `"processingId":"req-`, `"_offset":`, `"direction":"inbound"`, `"direction":"Inbound"`, `.25`, `"recipient":"`,
		`🎉`, `\ud83c\udf89`,
	} {
		if !bytes.Contains(wire, []byte(want)) {
			t.Errorf("no record has %s", want)
		}
	}
}

func TestEventsOfSameSeedAreSameBytes(t *testing.T) {
	bodies := make([][]byte, 3)
	for i, seed := range []uint64{1, 1, 2} {
		c := stockedFiles(t, Config{Seed: seed})
		bodies[i] = slices.Concat(c.events().Body.Bytes(), c.follow(c.linkPage().Value[0]).Body.Bytes())
	}
	if !bytes.Equal(bodies[0], bodies[1]) || bytes.Equal(bodies[0], bodies[2]) {
		t.Error("the seed must decide the bytes")
	}
}

func TestCursor(t *testing.T) {
	c := newBearerClient(t, Config{})
	empty := c.linkPage("type", "av")
	if len(empty.Value) != 0 || !empty.IsCaughtUp || empty.NextPage == "" {
		t.Fatalf("got %+v", empty)
	}
	if err := c.server.AddFiles("av", 5, 10); err != nil {
		t.Fatal(err)
	}
	first := c.linkPage("type", "av", "pageSize", "2", "nextPage", empty.NextPage)
	again := c.linkPage("type", "av", "pageSize", "2", "nextPage", empty.NextPage)
	if first.IsCaughtUp || len(first.Value) != 2 || first.NextPage != again.NextPage ||
		!slices.Equal(paths(t, first), paths(t, again)) || first.Value[0].URL == again.Value[0].URL {
		t.Errorf("a cursor must always give the same files, signed anew:\n%+v\n%+v", first, again)
	}
	last := c.linkPage("type", "av", "nextPage", first.NextPage)
	if !last.IsCaughtUp || len(last.Value) != 3 {
		t.Errorf("the last page has links: %+v", last)
	}
	c.clock.advance(30 * 24 * time.Hour)
	c.login()
	if err := c.server.AddFiles("spam", 1, 10); err != nil {
		t.Fatal(err)
	}
	if idle := c.linkPage("type", "av", "nextPage", last.NextPage); len(idle.Value) != 0 || !idle.IsCaughtUp || idle.NextPage != last.NextPage {
		t.Errorf("a cursor stays while idle: %+v", idle)
	}

	c.server.ExpireFiles(4)
	if left := c.linkPage("type", "av", "nextPage", empty.NextPage); len(left.Value) != 1 {
		t.Errorf("got %+v", left)
	}
	if w := c.follow(first.Value[0]); w.Code != http.StatusNotFound {
		t.Errorf("got %d", w.Code)
	}
}

func TestOldCursorIsRefused(t *testing.T) {
	c := newBearerClient(t, Config{OldCursorStatus: http.StatusGone})
	if err := c.server.AddFiles("av", 2, 1); err != nil {
		t.Fatal(err)
	}
	old := c.linkPage("pageSize", "1").NextPage
	c.server.ExpireFiles(2)
	if w := c.events("nextPage", old); w.Code != http.StatusGone || !strings.HasPrefix(w.Body.String(), `{"error":{"code":"Request Validation Failed"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if p := c.linkPage(); len(p.Value) != 0 {
		t.Errorf("got %+v", p)
	}
}

func TestDays(t *testing.T) {
	c := newBearerClient(t, Config{TokenLife: 30 * 24 * time.Hour}) // 19 October 2021, 07:06
	for range 3 {
		if err := c.server.AddFiles("receipt", 1, 1); err != nil {
			t.Fatal(err)
		}
		c.clock.advance(24 * time.Hour)
	} // 22 October
	for _, test := range []struct {
		query []string
		files int
	}{
		{nil, 3},
		{[]string{"dateRangeStartsAt", "2021-10-20"}, 2},
		{[]string{"dateRangeStartsAt", "2021-10-20", "dateRangeEndsAt", "2021-10-20"}, 1},
		{[]string{"dateRangeEndsAt", "2021-10-20"}, 2},
		{[]string{"dateRangeStartsAt", "2021-10-16"}, 3},
		{[]string{"dateRangeStartsAt", "2021-10-22"}, 0},
	} {
		if p := c.linkPage(test.query...); len(p.Value) != test.files {
			t.Errorf("%v: %d files", test.query, len(p.Value))
		}
	}
	// A cursor knows where the days began that it was first asked for.
	cursor := c.linkPage("dateRangeStartsAt", "2021-10-22").NextPage
	if p := c.linkPage("nextPage", cursor); len(p.Value) != 0 {
		t.Errorf("got %+v", p)
	}
}

func TestEventsRefusals(t *testing.T) {
	c := stockedFiles(t, Config{})
	c.server.Forbid("spam")
	for _, test := range []struct {
		query  []string
		status int
		code   string
	}{
		{[]string{"type", "virus"}, 400, codeValidation},
		{[]string{"type", "receipt,process"}, 400, codeValidation},
		{[]string{"type", "spam"}, 403, "app_forbidden"},
		{[]string{"type", "spam:x"}, 403, "app_forbidden"},
		{[]string{"dateRangeStartsAt", "2021-10-12"}, 400, "within the 7-day retention period"},
		{[]string{"dateRangeStartsAt", "2021-10-19T00:00:00Z"}, 400, "dateRangeStartsAt"},
		{[]string{"dateRangeEndsAt", "today"}, 400, "dateRangeEndsAt"},
		{[]string{"dateRangeStartsAt", "2021-10-19", "dateRangeEndsAt", "2021-10-18"}, 400, codeValidation},
		{[]string{"pageSize", "0"}, 400, "pageSize"},
		{[]string{"pageSize", "101"}, 400, "pageSize"},
		{[]string{"pageSize", "ten"}, 400, "pageSize"},
		{[]string{"nextPage", "tomorrow"}, 400, "nextPage"},
		{[]string{"nextPage", "LTE="}, 400, "nextPage"},
		{[]string{"nextPage", "OTk5OQ=="}, 400, "nextPage"},
		{[]string{"@nextPage", "MA=="}, 400, "@nextPage"},
	} {
		if w := c.events(test.query...); w.Code != test.status || !strings.Contains(w.Body.String(), test.code) {
			t.Errorf("%v: got %d %.200s", test.query, w.Code, w.Body)
		}
	}
	for _, record := range gathered(c) {
		if strings.Contains(record, `"type":"spam"`) {
			t.Fatal("a call for all types has a forbidden one")
		}
	}
	c.server.Forbid()
	c.linkPage("type", "spam")

	r := httptest.NewRequest(http.MethodPost, PathEvents, nil)
	r.Header.Set("Authorization", "Bearer "+c.bearer)
	if w := c.serve(r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("got %d", w.Code)
	}
}

func gathered(c *bearerClient) []string {
	records, _ := c.gather()
	return records
}

func TestQuotaOfEvents(t *testing.T) {
	c := newBearerClient(t, Config{EventsLimit: 50})
	for i := range 50 {
		if w := c.events("type", "av"); w.Code != 200 || len(w.Header()["X-Ratelimit-Limit"]) > 0 {
			t.Fatalf("call %d: %d %v", i, w.Code, w.Header())
		}
		c.clock.advance(time.Second)
	}
	w := c.events("type", "spam")
	if h := w.Header(); w.Code != 429 || h.Get("X-RateLimit-Limit") != "50" || h.Get("X-RateLimit-Remaining") != "0" || h.Get("X-RateLimit-Reset") != "850000" ||
		!strings.HasPrefix(w.Body.String(), `{"fail":[{"code":`) {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	c.clock.advance(850 * time.Second)
	c.login()
	if w = c.events(); w.Code != 200 {
		t.Errorf("got %d", w.Code)
	}
	r := c.server.Requests()
	if want := map[string]int{"av": 50, "spam": 1, "": 1}; !maps.Equal(r.Events, want) || r.PeakEvents != 51 {
		t.Errorf("got %v, peak %d", r.Events, r.PeakEvents)
	}
	if r.Count(PathEvents, OutcomeIdle) != 51 || r.Count(PathEvents, codeTooMany) != 1 || r.Count(PathToken, OutcomeToken) != 2 {
		t.Errorf("got %v", r.Outcomes)
	}
}

func TestEventsAtOnce(t *testing.T) {
	c := newBearerClient(t, Config{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 8 {
				if err := c.server.AddFiles(EventTypes()[i], 2, 10); err != nil {
					t.Error(err)
				}
				c.server.NextAt(PathLinks, FaultBlankLine)
				for _, l := range c.linkPage("type", EventTypes()[i], "pageSize", "3").Value {
					if w := c.follow(l); w.Code != http.StatusOK {
						t.Errorf("got %d %s", w.Code, w.Body)
					}
				}
				c.askToken(c.server.Client())
				c.server.Requests()
			}
		})
	}
	all.Wait()
	got, bad := c.gather()
	if bad > 0 {
		t.Errorf("%d lines or files cannot be read", bad)
	}
	sameRecords(t, got, slices.Sorted(c.server.Expected()))
}

func TestGivenEventFile(t *testing.T) {
	c := newBearerClient(t, Config{})
	lines := []byte(`{"type":"journal","a":1}` + "\n" + `{"type":"Web Security","b":1}`)
	err := c.server.AddEventFile(EventFile{Type: "journal", Lines: lines, Records: []string{`{"type":"journal","a":1}`, `{"type":"Web Security","b":1}`, `{"c":1}`}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"a":1,"log_source":"siem","log_type":"jrnl","type":"journal"}`,
		`{"b":1,"log_source":"siem","log_type":"web_security","type":"Web Security"}`,
		`{"c":1,"log_source":"siem","log_type":"jrnl"}`,
	}
	sameRecords(t, slices.Collect(c.server.Expected()), want)
	unpacked, err := gzip.NewReader(c.follow(c.linkPage("type", "journal").Value[0]).Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(unpacked); !bytes.Equal(got, lines) || err != nil {
		t.Errorf("got %q %v", got, err)
	}
	for _, bad := range []EventFile{{}, {Type: "av", Records: []string{"[]"}}} {
		if err := c.server.AddEventFile(bad); err == nil {
			t.Errorf("%v must be refused", bad)
		}
	}
	if err := c.server.AddFiles("virus", 1, 1); err == nil {
		t.Error("an unknown type must be refused")
	}
	if _, err := c.server.RawEventFile(1); err == nil {
		t.Error("a number no file has must be refused")
	}
}

func BenchmarkEventFile(b *testing.B) {
	c := newBearerClient(b, Config{})
	const each = 1000
	for _, kind := range EventTypes() {
		if err := c.server.AddFiles(kind, 1, each); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for _, f := range c.server.files.snapshot().all {
			if _, err := c.server.gzipper.pack(packing{object: object{file: f.number}}, f); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10/each, "ns/record")
}

func parsePage(t testing.TB, body []byte) (p linkPage) {
	t.Helper()
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("no page: %v: %.200q", err, body)
	}
	return p
}
