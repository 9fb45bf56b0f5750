package harness

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCutTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.jsonl")
	if err := cutTorn(path); err != nil {
		t.Errorf("no file yet: %v", err)
	}
	for content, want := range map[string]string{"": "", "{\"a\":": "", "{}\n": "{}\n", "{}\n{}\n{\"a": "{}\n{}\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		err := cutTorn(path)
		got, readErr := os.ReadFile(path)
		if err != nil || readErr != nil || string(got) != want {
			t.Errorf("%q: got %q, want %q (%v, %v)", content, got, want, err, readErr)
		}
	}
}

func TestParseVersion(t *testing.T) {
	v, err := parseVersion("Fluent Bit v4.0.14\nGit commit: abc\n")
	if err != nil || v != (Version{4, 0, 14}) || v.String() != "v4.0.14" {
		t.Errorf("%v, %v", v, err)
	}
	if !v.EndsStart() || !v.LeaksFiles() || v.RoutesByCondition() || (Version{4, 0, 2}).EndsStart() || !(Version{5, 1, 0}).RoutesByCondition() {
		t.Error("versions are not compared by their numbers")
	}
	if _, err := parseVersion("sh: not found"); err == nil {
		t.Error("anything is a version")
	}
}
