package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// example writes an example with folders that are there, and returns its path.
func example(t *testing.T, name string) (path string) {
	t.Helper()
	content, err := os.ReadFile("../../" + name + ".example")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(content), "/var/lib/fluent-bit", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheck(t *testing.T) {
	t.Setenv("MIMECAST_CLIENT_ID", "id")
	t.Setenv("MIMECAST_CLIENT_SECRET", "not-to-be-shown")
	for _, name := range []string{"fluent-bit.yaml", "fluent-bit.conf"} {
		path := example(t, name)
		expect(t, "", []string{" 0 warning, 0 failed, 1 skipped\n"}, "check", "-c", path, "-offline")

		var printed struct {
			Results []map[string]string
			Counts  map[string]int
		}
		out := expect(t, "", nil, "check", "--offline", "--json", "-c", path)
		if err := json.Unmarshal([]byte(out), &printed); err != nil || len(printed.Results) < 6 || printed.Counts["skipped"] != 1 || printed.Results[0]["status"] != "ok" {
			t.Errorf("%v in\n%s", err, out)
		}
		if strings.Contains(out, "not-to-be-shown") {
			t.Error("the secret is printed")
		}
	}
	expect(t, "something failed", []string{"0 ok, 0 warning, 1 failed, 0 skipped"}, "check", "-offline", "-c", filepath.Join(t.TempDir(), "gone.yaml"))
}

// TestExitStatus tells what failed from wrong arguments.
func TestExitStatus(t *testing.T) {
	for _, args := range [][]string{nil, {"x"}, {"check"}, {"check", "-x"}, {"check", "x"}, {"positions"}} {
		if err := run(args, &strings.Builder{}); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v is no usage error", args, err)
		}
	}
	if err := run([]string{"positions", filepath.Join(t.TempDir(), "x.db")}, &strings.Builder{}); err == nil || errors.Is(err, errUsage) {
		t.Error(err)
	}
}
