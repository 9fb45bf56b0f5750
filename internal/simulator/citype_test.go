package simulator

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// newCIClient returns a client of Cloud Integrated, of a server with files of both
// endpoints.
func newCIClient(t testing.TB, config Config) *bearerClient {
	t.Helper()
	c := newBearerClient(t, config)
	c.path = PathEventsCI
	for _, kind := range slices.Concat([]string{"av"}, CITypes()) {
		if err := c.server.AddFiles(kind, 3, 40); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestEventsOfCloudIntegrated(t *testing.T) {
	c := newCIClient(t, Config{})
	var want []string
	for record := range c.server.Expected() {
		if strings.Contains(record, `"log_source":"siem_ci"`) {
			want = append(want, record)
		}
	}
	slices.Sort(want)
	if len(want) != 3*3*40 || len(slices.Compact(slices.Clone(want))) != len(want) {
		t.Fatalf("%d records, or some twice", len(want))
	}
	all, bad := c.gather("pageSize", "2")
	sameRecords(t, all, want)
	var each []string
	for _, kind := range CITypes() {
		records, worse := c.gather("type", kind)
		each, bad = append(each, records...), bad+worse
	}
	slices.Sort(each)
	sameRecords(t, each, want)
	if bad > 0 {
		t.Errorf("%d lines or files cannot be read", bad)
	}
	text := strings.Join(want, "\n")
	for _, has := range []string{
		`"type":"entities"`, `"type":"mailflow"`, `"type":"urlclick"`, `"accountId":"CSIM1A240"`, `"historicalMail":true`, `"attachments":[]`,
		`"tags":null`, `"tags":["MALWARE"]`, `"policiesApplied":[{"action":"`, `{"aligned":null,"result":"`, `"originalUrl":"`, `"timestamp":1634626`,
	} {
		if !strings.Contains(text, has) {
			t.Errorf("no record has %s", has)
		}
	}
}

func TestEndpointsOfEventsAreApart(t *testing.T) {
	c := newCIClient(t, Config{EventsLimit: 4})
	ask := func(path, kind string, want int) {
		t.Helper()
		c.path = path
		if w := c.events("type", kind); w.Code != want {
			t.Errorf("%s, %s: got %d %s", path, kind, w.Code, w.Body)
		}
	}
	ask(PathEventsCI, "av", http.StatusBadRequest)
	ask(PathEvents, "entities", http.StatusBadRequest)
	c.server.Forbid("entities")
	ask(PathEventsCI, "entities", http.StatusForbidden)
	ask(PathEventsCI, "mailflow", http.StatusOK)
	ask(PathEventsCI, "mailflow", http.StatusOK)
	ask(PathEventsCI, "mailflow", http.StatusTooManyRequests)
	ask(PathEvents, "av", http.StatusOK)
	r := c.server.Requests()
	if r.PeakEvents != 5 || r.At(PathEventsCI) != 5 || r.At(PathEvents) != 2 || r.Events["mailflow"] != 3 {
		t.Errorf("got %+v", r)
	}
}
