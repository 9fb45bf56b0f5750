package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/migration"
	"fluent-bit-mimecast/internal/simulator"
)

// api1Filter returns the filter of docs/migration.md.
func api1Filter(t *testing.T) (section string) {
	t.Helper()
	page, err := os.ReadFile("../docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile("(?s)```yaml\n(  filters:\n.*?)```").FindSubmatch(page)
	if match == nil {
		t.Fatal("the page has no filter")
	}
	return string(match[1])
}

// objects reads the objects of a file, a line each.
func objects(t *testing.T, path string) (all []map[string]any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatal(err)
		}
		all = append(all, object)
	}
	return all
}

// TestRecordsInTheFormOfAPI1 runs an event of each type through the filter that the
// page has for those who come from API 1.0.
func TestRecordsInTheFormOfAPI1(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		if f, err := harness.DescribeFluentBit(); err != nil || !f.Lua {
			b.t.Skipf("THIS FLUENT BIT WAS BUILT WITHOUT lua: not tested, %v", err)
		}
		b.input2("typed", "on", "tag", "mimecast")
		events, err := os.ReadFile("../internal/migration/testdata/api2.ndjson")
		if err != nil {
			b.t.Fatal(err)
		}
		types := simulator.EventTypes()
		for line := range strings.Lines(string(events)) {
			var event struct{ Type string }
			b.Must(json.Unmarshal([]byte(line), &event))
			b.Must(b.Service.AddEventFile(simulator.EventFile{Type: event.Type, Lines: []byte(line)}))
			types = slices.DeleteFunc(types, func(name string) bool { return name == event.Type })
		}
		if len(types) > 0 {
			b.t.Errorf("no event of %q", types)
		}
		b.Service.AddEvents(1, time.Now().Add(-time.Hour), 1)
		b.Host.Pipeline = api1Filter(b.t) + "  outputs:\n    - {name: file, match: mimecast, path: " + b.Host.Dir + ", file: records.jsonl, format: plain}\n"
		want := objects(b.t, "../internal/migration/testdata/api1.ndjson")
		b.Start()
		b.Await("all records", func() bool {
			content, _ := os.ReadFile(b.Host.Output())
			return strings.Count(string(content), "\n") == len(want)+1
		})
		b.Stop()
		got := map[string]map[string]any{}
		for _, record := range objects(b.t, b.Host.Output()) {
			got[record["log_source"].(string)+"."+record["log_type"].(string)] = record
		}
		for _, record := range want {
			if diff := cmp.Diff(record, got["siem."+record["log_type"].(string)]); diff != "" {
				b.t.Errorf("-want +got:\n%s", diff)
			}
			hasAllOf(b.t, record)
		}
		if record := got["ttp.impersonation"]; record["senderAddress"] == nil || record["acc"] != nil {
			b.t.Errorf("of another log: %v", record)
		}
	})
}

// hasAllOf fails the test unless a record has the fields that the table has for its
// log type, and no other.
func hasAllOf(t *testing.T, record map[string]any) {
	t.Helper()
	for _, f := range migration.Fields() {
		if !slices.Contains(f.LogTypes, record["log_type"].(string)) {
			continue
		}
		if _, ok := record[f.Old]; ok != (f.New != "") {
			t.Errorf("%s: %s is there: %t", record["log_type"], f.Old, ok)
		}
		if _, ok := record[f.New]; ok && f.New != f.Old {
			t.Errorf("%s: %s is still there", record["log_type"], f.New)
		}
	}
}
