package migration

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"fluent-bit-mimecast/internal/simulator"
)

var update = flag.Bool("update", false, "write the tables into the page")

func TestFields(t *testing.T) {
	for _, logType := range LogTypes() {
		old, taken := map[string]bool{}, map[string]bool{}
		for _, f := range Fields() {
			if !slices.Contains(f.LogTypes, logType) {
				continue
			}
			if old[f.Old] || f.New != "" && taken[f.New] {
				t.Errorf("%s: %s, %s are there twice", logType, f.Old, f.New)
			}
			// The filter goes field by field: none may take what another has made.
			if old[f.New] {
				t.Errorf("%s: %s is a name in both APIs", logType, f.New)
			}
			old[f.Old], taken[f.New] = true, true
		}
	}
}

// TestFieldsOfTheSimulator holds the table to the records of both APIs.
func TestFieldsOfTheSimulator(t *testing.T) {
	old, all := served(t, func(s *simulator.Server) { s.AddBatch(1000) }), served(t, func(s *simulator.Server) {
		for _, name := range simulator.EventTypes() {
			if err := s.AddFiles(name, 1, 100); err != nil {
				t.Fatal(err)
			}
		}
	})
	for _, logType := range LogTypes() {
		if len(old[logType]) == 0 || len(all[logType]) == 0 {
			t.Errorf("no records of %s", logType)
		}
		for _, f := range Fields() {
			if !slices.Contains(f.LogTypes, logType) {
				continue
			}
			delete(old[logType], f.Old)
			if f.New != "" && !all[logType][f.New] {
				t.Errorf("%s: %s is in no record of API 2.0", logType, f.New)
			}
		}
		for name := range old[logType] {
			if name != "log_source" && name != "log_type" {
				t.Errorf("%s: %s is in API 1.0 and not in the table", logType, name)
			}
		}
	}
}

// served returns the names of the fields that records of each log type have.
func served(t *testing.T, add func(*simulator.Server)) map[string]map[string]bool {
	t.Helper()
	s, err := simulator.New(simulator.Config{})
	if err != nil {
		t.Fatal(err)
	}
	add(s)
	names := map[string]map[string]bool{}
	for text := range s.Expected() {
		var record map[string]any
		if err := json.Unmarshal([]byte(text), &record); err != nil {
			t.Fatal(err)
		}
		logType := record["log_type"].(string)
		if names[logType] == nil {
			names[logType] = map[string]bool{}
		}
		for name := range record {
			names[logType][name] = true
		}
	}
	return names
}

// TestPageHasTheTables fails when docs/migration.md is stale; go test
// ./internal/migration -update writes it.
func TestPageHasTheTables(t *testing.T) {
	const path = "../../docs/migration.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := string(b)
	for name, text := range map[string]string{"fields": Table(), "gone": Gone(), "filter": Filter()} {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		before, rest, ok1 := strings.Cut(want, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok1 || !ok2 {
			t.Fatalf("the page has no place between %q and %q", begin, end)
		}
		want = before + begin + text + end + after
	}
	if want == string(b) {
		return
	}
	if !*update {
		t.Fatal("the page is stale: go test ./internal/migration -update")
	}
	if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}
