package config

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// TestLogsHaveTheirPage fails when docs/logs.md is stale; go test ./internal/config
// -update writes it.
func TestLogsHaveTheirPage(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, err := simulator.New(simulator.Config{Seed: 4, Now: func() time.Time { return at.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sample := func(log string) string {
		if err := s.AddLogEvents(log, 1, simulator.LogEvents{Start: at, PerSecond: 1}); err != nil {
			t.Fatal(err)
		}
		for record := range s.ExpectedLog(log) {
			var text bytes.Buffer
			if err := json.Indent(&text, []byte(record), "", "  "); err != nil {
				t.Fatal(err)
			}
			return text.String()
		}
		return ""
	}
	fresh(t, "../../docs/logs.md", map[string]string{"logs": LogDocs(sample)})
}
