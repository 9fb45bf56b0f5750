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
