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

// feed follows the tokens of a threat feed and returns the records it makes.
func (c client) feed(post poster, feed string, pageSize int, full bool) (records []string) {
	c.t.Helper()
	ask := feedOf(feed)("2021-10-19T00:00:00+0000", c.clock.Now().Format(timeLayout))
	for {
		w := post(PathThreatIntel, bodyOf(map[string]any{"data": []any{ask}}))
		if strings.Contains(w.Body.String(), `"fail":[{"errors":[{"code":"err_threat_intel_feed_no_result_found"`) && w.Code == http.StatusOK {
			return records
		}
		var bundle struct {
			Type, ID string
			Objects  []json.RawMessage
		}
		if err := json.Unmarshal(w.Body.Bytes(), &bundle); err != nil || bundle.Type != "bundle" || !strings.HasPrefix(bundle.ID, "bundle--") {
			c.t.Fatalf("%v: %d %s", err, w.Code, w.Body)
		}
		if len(bundle.Objects) > pageSize {
			c.t.Errorf("%d objects in a page", len(bundle.Objects))
		}
		for _, o := range bundle.Objects {
			record, err := Canonical(fmt.Appendf(nil, `%s,"log_source":"threat_intel","log_type":%q}`, o[:len(o)-1], feed))
			if err != nil {
				c.t.Fatal(err)
			}
			records = append(records, record)
		}
		token := w.Header().Get("X-Mc-Threat-Feed-Next-Token")
		if token == "" {
			if full {
				c.t.Error("the last page has no token")
			}
			return records
		}
		ask["token"] = token
	}
}

func TestThreatFeed(t *testing.T) {
	for _, full := range []bool{false, true} {
		c := newBearerClient(t, Config{MaxPageSizes: map[string]int{"threat_intel": 10}, EmptyLastPage: full})
		start := c.clock.Now().Add(-time.Hour)
		add(t, c.client, "threat_intel", 90, LogEvents{Start: start, PerSecond: 3, TwinEvery: 7, RevisedEvery: 10})
		add(t, c.client, "threat_intel", 10, LogEvents{Start: start, Feed: "malware_grid"})
		want := map[string][]string{}
		seen := map[string]map[any]bool{} // modified by id
		for record := range c.server.ExpectedLog("threat_intel") {
			fields := decoded(t, []byte(record))
			feed, id := fields["log_type"].(string), fields["id"].(string)
			want[feed] = append(want[feed], record)
			if seen[id] == nil {
				seen[id] = map[any]bool{}
			}
			seen[id][fields["modified"]] = true
			if _, err := time.Parse(stixTime, fmt.Sprint(fields["modified"])); err != nil || !strings.HasPrefix(id, fields["type"].(string)+"--") {
				t.Errorf("got %s", record)
			}
		}
		revised := 0
		for _, modified := range seen {
			revised += len(modified) - 1
		}
		if len(want["malware_customer"]) == 0 || len(want["malware_grid"]) == 0 || len(seen) != 100-8 || revised != 8 {
			t.Errorf("%d objects of malware_customer, %d ids, %d revised", len(want["malware_customer"]), len(seen), revised)
		}
		for _, feed := range threatFeeds() {
			for _, post := range []poster{c.post, c.byBearer} {
				sameRecords(t, c.feed(post, feed, 10, full), want[feed])
			}
		}
	}
}

// TestThreatFeedGoesOn keeps the last token, and asks with it alone.
func TestThreatFeedGoesOn(t *testing.T) {
	c := newClient(t, Config{EmptyLastPage: true})
	ask := map[string]any{"feedType": "malware_grid", "fileType": "stix"}
	for _, n := range []int{5, 0, 3} {
		add(t, c, "threat_intel", n, LogEvents{Start: c.clock.Now(), Feed: "malware_grid"})
		c.clock.advance(time.Minute)
		w := c.post(PathThreatIntel, bodyOf(map[string]any{"data": []any{ask}}))
		if got := strings.Count(w.Body.String(), `"modified"`); got != n {
			t.Errorf("%d objects, want %d: %s", got, n, w.Body)
		}
		if token := w.Header().Get(headerFeedToken); token != "" {
			ask["token"] = token
		}
	}
	ask["feedType"] = "malware_customer"
	if w := c.post(PathThreatIntel, bodyOf(map[string]any{"data": []any{ask}})); code(t, w) != codePageToken {
		t.Errorf("got %s", w.Body)
	}
}

func TestThreatFeedEmptied(t *testing.T) {
	c := newClient(t, Config{})
	add(t, c, "threat_intel", 5, LogEvents{Start: c.clock.Now().Add(-time.Hour), Feed: "malware_grid"})
	c.server.Next(FaultPageEmptyWithNext, FaultPageTokenStale)
	ask := feedOf("malware_grid")("2021-10-19T00:00:00+0000", "2021-10-19T07:00:00+0000")
	w := c.post(PathThreatIntel, bodyOf(map[string]any{"data": []any{ask}}))
	if token := w.Header().Get(headerFeedToken); token == "" || !strings.Contains(w.Body.String(), `"objects":[]`) {
		t.Errorf("got %v %s", w.Header(), w.Body)
	} else {
		ask["token"] = token
	}
	if w = c.post(PathThreatIntel, bodyOf(map[string]any{"data": []any{ask}})); code(t, w) != codePageToken {
		t.Errorf("got %s", w.Body)
	}
	if got := c.feed(c.post, "malware_grid", 500, false); len(got) != 5 {
		t.Errorf("%d objects", len(got))
	}
	sameRecords(t, c.feed(c.post, "malware_grid", 500, false), slices.Collect(c.server.ExpectedLog("threat_intel")))
	if got := c.feed(c.post, "malware_customer", 500, false); got != nil {
		t.Errorf("got %s", got)
	}
}
