package main

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/position"
)

// expect runs the command. It must fail with wantErr, unless that is empty, and
// print each of want.
func expect(t *testing.T, wantErr string, want []string, args ...string) (out string) {
	t.Helper()
	var b strings.Builder
	err := run(args, &b)
	if (err == nil) != (wantErr == "") || (err != nil && !strings.Contains(err.Error(), wantErr)) {
		t.Errorf("%v: %v, want %q", args, err, wantErr)
	}
	for _, text := range want {
		if !strings.Contains(b.String(), text) {
			t.Errorf("%v: %q is not in\n%s", args, text, b.String())
		}
	}
	return b.String()
}

// written makes a checkpoint file with two logs of the account acme and lets
// inUse run while the plugin has it open.
func written(t *testing.T, inUse func(path string)) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.db")
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
	inUse(path)
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVersion(t *testing.T) {
	expect(t, "", []string{"mimecast ", runtime.Version()}, "version")
}

func TestVerbs(t *testing.T) {
	expect(t, "name a verb", nil)
	expect(t, `there is no verb "x"`, nil, "x")
	expect(t, `there is no verb "x.db"`, nil, "x.db")
	for _, v := range verbs {
		for _, help := range []string{"-h", "help", "--help"} {
			expect(t, "", []string{v.name + " " + v.args, v.does}, help)
		}
		expect(t, "", []string{"mimecastctl " + v.name + " " + v.args + "\n", v.does, "example:\n  mimecastctl " + v.name + " "}, v.name, "-h")
		expect(t, "flag provided but not defined: -x; mimecastctl "+v.name+" -h", nil, v.name, "-x")

		if v.args == "" {
			expect(t, v.name+" takes no arguments", nil, v.name, "x")
			continue
		}
		// One argument less or more; the example has as many as it takes.
		path := filepath.Join(t.TempDir(), "x.db")
		args := append([]string{v.name, path}, strings.Fields(v.example)[1:]...)
		expect(t, v.name+" takes "+v.args+";", nil, args[:len(args)-1]...)
		expect(t, v.name+" takes "+v.args+";", nil, append(args, "x")...)
		expect(t, "no such file", nil, args...)
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: the file was made", v.name)
		}
	}
}

func TestPositions(t *testing.T) {
	path := written(t, func(path string) {
		expect(t, "in use by another process", nil, "positions", path)
	})
	out := expect(t, "", []string{
		"acme|siem\n", "siem logs of account acme\n", "collected by application app at eu-api.mimecast.com\n", "from Mimecast accounts C1A1, C2A2\n",
		"logs up to 2026-01-02 03:04:05Z are delivered", "then 7 records of a batch (json, a zip), the last from receipt_1.log",
		"acme|impersonation\n", "impersonation logs of account acme\n", "reached 2026-01-02 04:00:00Z", "newest event delivered is of 2026-01-02 03:04:05Z", "2 ids", "written at 20",
	}, "positions", path)
	if strings.Contains(out, "secret-token") {
		t.Error("the token is printed")
	}
}

func TestPositionsOfLinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	key := checkpoint.Key{Account: "acme", Log: "siem_ci:entities"}
	var files checkpoint.Files
	claim, err := files.Claim(path, []checkpoint.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	store, err := claim.Open()
	if err != nil {
		t.Fatal(err)
	}
	err = store.Commit([]checkpoint.Change{
		{Key: key, Position: position.Links{Cursor: "c", Done: []string{"1", "2"}, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		{Key: checkpoint.Key{Account: "acme", Log: "calls:siem_ci"}, Position: position.Calls{Calls: []int64{1, 2, 3}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := claim.Release(); err != nil {
		t.Fatal(err)
	}
	expect(t, "", []string{
		"acme|siem_ci:entities\n", "siem_ci:entities logs of account acme\n", "logs up to 2026-01-02 03:04:05Z are delivered\n", "2 files of the page",
		"acme|calls:siem_ci\n", "3 calls to the batch endpoint are counted\n",
	}, "positions", path)
	expect(t, "", []string{"forgot acme|siem_ci:entities"}, "forget", path, "acme|siem_ci:entities")
}

func TestRename(t *testing.T) {
	path := written(t, func(path string) {
		expect(t, "in use by another process", nil, "rename", path, "acme", "x")
	})
	expect(t, `no log is of account "app"`, nil, "rename", path, "app", "x")
	expect(t, `no log is of account ""`, nil, "rename", path, "", "x")
	expect(t, "the new name: ", nil, "rename", path, "acme", "a|b")
	expect(t, "the new name: ", nil, "rename", path, "acme", "")
	expect(t, "it has a log of that name: acme|", nil, "rename", path, "acme", "acme")
	expect(t, "", []string{"renamed acme to -a=b c: 2 logs"}, "rename", path, "acme", "-a=b c")
	out := expect(t, "", []string{"-a=b c|siem\n", "-a=b c|impersonation\n", "2 ids", "from Mimecast accounts C1A1, C2A2"}, "positions", path)
	if strings.Contains(out, "acme") {
		t.Errorf("the old name is there:\n%s", out)
	}
	expect(t, "", []string{"renamed -a=b c to acme: 2 logs"}, "rename", path, "-a=b c", "acme")
}

func TestForget(t *testing.T) {
	path := written(t, func(path string) {
		expect(t, "in use by another process", nil, "forget", path, "acme|siem")
	})
	expect(t, "there is no log", nil, "forget", path, "x")
	expect(t, "", []string{"forgot acme|siem"}, "forget", path, "acme|siem")
	if out := expect(t, "", []string{"2 ids"}, "positions", path); strings.Contains(out, "siem") {
		t.Errorf("it is there:\n%s", out)
	}
	expect(t, "", []string{"forgot acme|impersonation"}, "forget", path, "acme|impersonation")
	expect(t, "", []string{"no log has a position yet"}, "positions", path)
}

// TestManPage fails when a verb or a flag is missing in the man page.
func TestManPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/mimecastctl.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verbs {
		_, section, ok := strings.Cut(string(page), "\n.It Cm "+v.name+"\n")
		if !ok {
			t.Errorf("verb %s is missing", v.name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n.It Cm ")
		if v.flags == nil {
			continue
		}
		flags := flag.NewFlagSet(v.name, flag.ContinueOnError)
		v.flags(flags)
		flags.VisitAll(func(f *flag.Flag) {
			if !strings.Contains(section, "\n.It Fl "+f.Name+"\n") && !strings.Contains(section, "\n.It Fl "+f.Name+" ") {
				t.Errorf("flag -%s of %s is missing", f.Name, v.name)
			}
		})
	}
}
