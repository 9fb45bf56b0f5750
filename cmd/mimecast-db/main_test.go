package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fluent-bit-mimecast/internal/checkpoint"
)

func TestCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	command := func(args ...string) (string, error) {
		var out strings.Builder
		err := run(args, &out)
		return out.String(), err
	}
	check := func(wantErr string, want []string, args ...string) {
		t.Helper()
		out, err := command(args...)
		if (err == nil) != (wantErr == "") || (err != nil && !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("%v: %v, want %q", args, err, wantErr)
		}
		for _, text := range want {
			if !strings.Contains(out, text) {
				t.Errorf("%v: %q is not in\n%s", args, text, out)
			}
		}
	}
	check("name one file", nil)
	check("no such file", nil, path)
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was made")
	}

	var files checkpoint.Files
	siem := checkpoint.Key{Account: "acme", Log: "siem"}
	ttp := checkpoint.Key{Account: "acme", Log: "impersonation"}
	origin := &checkpoint.Origin{Host: "eu-api.mimecast.com", AppID: "app", Accounts: []string{"C1A1", "C2A2"}}
	claim, err := files.Claim(path, []checkpoint.Key{siem})
	if err != nil {
		t.Fatal(err)
	}
	store, err := claim.Open()
	if err != nil {
		t.Fatal(err)
	}
	err = store.Commit([]checkpoint.Change{
		{Key: siem, Origin: origin, Position: map[string]any{"token": "secret-token", "format": "json", "compress": true, "file": "receipt_1.log", "records": 7, "digest": "1", "at": "2026-01-02T03:04:05Z"}},
		{Key: ttp, Position: map[string]any{"newest": "2026-01-02T03:04:05Z", "last_poll": "2026-01-02T04:00:00Z"}, AddIDs: []checkpoint.ID{{Unix: 1}, {Unix: 2}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	check("in use by another process", nil, path)
	check("in use by another process", nil, "-forget", siem.String(), path)
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
	check("", []string{
		"acme|siem\n", "siem logs of account acme\n", "collected by application app at eu-api.mimecast.com\n", "from Mimecast accounts C1A1, C2A2\n",
		"logs up to 2026-01-02 03:04:05Z are delivered", "then 7 records of a batch (json, a zip), the last from receipt_1.log",
		"acme|impersonation\n", "impersonation logs of account acme\n", "reached 2026-01-02 04:00:00Z", "newest event delivered is of 2026-01-02 03:04:05Z", "2 ids", "written at 20",
	}, path)
	if out, _ := command(path); strings.Contains(out, "secret-token") {
		t.Error("the token is printed")
	}
	check("there is no log", nil, "-forget", "x", path)
	check("", []string{"forgot " + siem.String()}, "-forget", siem.String(), path)
	if out, err := command(path); err != nil || strings.Contains(out, "siem") || !strings.Contains(out, "2 ids") {
		t.Errorf("%v\n%s", err, out)
	}
}
