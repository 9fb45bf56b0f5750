package main

import (
	"path/filepath"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/position"
)

func TestHealth(t *testing.T) {
	path := written(t, func(path string) {
		expect(t, "", []string{"ok: acme|impersonation was written "}, "health", "-db", path)
	})
	expect(t, "", []string{"ok: acme|"}, "health", "--db", path, "--max-age", "1h")
	expect(t, "no log has been written for ", nil, "health", "-db", path, "-max-age", "1ns")
	expect(t, "no such file", nil, "health", "-db", filepath.Join(t.TempDir(), "x.db"))
	expect(t, "-db is missing", nil, "health")
	expect(t, "-max-age has to be more than 0", nil, "health", "-db", path, "-max-age", "0s")
	expect(t, `invalid value "soon"`, nil, "health", "-db", path, "-max-age", "soon")
}

// TestHealthStuck has the calls for links written, as a plugin whose requests fail
// writes them, and no position.
func TestHealthStuck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var files checkpoint.Files
	calls := checkpoint.Key{Account: "acme", Log: "calls"}
	claim, err := files.Claim(path, []checkpoint.Key{calls})
	if err != nil {
		t.Fatal(err)
	}
	store, err := claim.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Commit([]checkpoint.Change{{Key: calls, Position: position.Calls{Calls: []int64{1}}}}); err != nil {
		t.Fatal(err)
	}
	expect(t, "no log has a position yet", nil, "health", "-db", path)
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestLatest(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	of := func(log, pos string, age time.Duration) checkpoint.Stream {
		return checkpoint.Stream{Key: checkpoint.Key{Account: "acme", Log: log}, Position: []byte(pos), Written: now.Add(-age)}
	}
	latest, ok := latestOf([]checkpoint.Stream{
		of("siem", `{"token":"x"}`, time.Hour), of("calls", `{"calls":[1]}`, 0), of("audit", `{"last_poll":"2026-01-02T03:04:05Z"}`, time.Minute),
	})
	if !ok || latest.Key.Log != "audit" {
		t.Errorf("%v, %v", latest.Key, ok)
	}
	if _, ok := latestOf([]checkpoint.Stream{of("calls", `{"calls":[]}`, 0)}); ok {
		t.Error("the calls count as a log")
	}
}
