package main

import (
	"errors"
	"strings"
	"testing"

	"fluent-bit-mimecast/internal/harness"

	"github.com/google/go-cmp/cmp"
)

func TestReadTests(t *testing.T) {
	t.Parallel()
	const in = `{"Action":"start","Package":"p"}
{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA","Output":"{\"Action\":\"fail\"}\n"}
{"Action":"pass","Test":"TestA/fluent-bit"}
{"Action":"pass","Test":"TestA"}
{"Action":"skip","Test":"TestB/x/fluent-bit"}
{"Action":"fail","Test":"TestB/y/fluent-bit"}
{"Action":"fail","Test":"TestB/y"}
{"Action":"pass","Test":"TestB/x"}
{"Action":"fail","Test":"TestB"}
{"Action":"pass","Test":"TestC"}
{"Action":"pass","Test":"TestD/fluent-bit"}
{"Action":"fail","Test":"TestD"}
{"Action":"fail","Package":"p"}
`
	got, err := readTests(strings.NewReader(in))
	want := outcome{passed: 3, skipped: 1, failed: []string{"TestB/y/fluent-bit", "TestD"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := readTests(strings.NewReader("# command-line-arguments\n")); err == nil {
		t.Error("text was read as JSON")
	}
}

func TestReadFaults(t *testing.T) {
	t.Parallel()
	const in = `Fluent Bit v5.1.1, 2026-12-01

| case | served | received | lost | twice | |
|---|---|---|---|---|---|
| kill -9 while batches stream | 1000 | 1100 | 0 | 100 | ok; 3 kills (1m2s) |
| reload | 500 | 501 | 0 | 1 | FAILED: foreign 0 (5s) |
| counts | 0 | 0 | 0 | 0 | SKIPPED: no Lua (0s) |
| pause | 40 | 38 | 2 | 0 | FAILED: lost for instance {"a":"|"} (5s) |
`
	got, err := readFaults(strings.NewReader(in))
	want := outcome{
		passed: 1, skipped: 1, served: 1540, lost: 2, twiceAfterKill: 100, twiceUnwanted: 1,
		failed: []string{"reload: FAILED: foreign 0 (5s)", `pause: FAILED: lost for instance {"a":"`},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := readFaults(strings.NewReader("| a | 1 | 1 | x | 0 | ok |")); err == nil {
		t.Error("x was read as a number")
	}
}

func TestRow(t *testing.T) {
	t.Parallel()
	got := row(harness.Version{4, 2, 8}, outcome{passed: 50, skipped: 2}, outcome{passed: 9, failed: []string{"reload"}, served: 10, twiceAfterKill: 3})
	if want := "| 4.2.8 | 50 passed, 0 failed, 2 skipped | 9 passed, 1 failed, 0 skipped | 10 | 0 | 3 | 0 |"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if n := strings.Count(strings.Split(header, "\n")[0], "|"); n != strings.Count(got, "|") {
		t.Errorf("the header has %d bars", n)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	failed := errors.New("exit status 1")
	for _, c := range []struct {
		o      outcome
		failed error
		want   bool // an error
	}{
		{outcome{passed: 1}, nil, false},
		{outcome{failed: []string{"a"}}, failed, false}, // the table has it
		{outcome{passed: 1}, failed, true},
		{outcome{skipped: 5}, nil, true},
	} {
		if err := check(c.o, c.failed, nil); (err != nil) != c.want {
			t.Errorf("%+v, %v: %v", c.o, c.failed, err)
		}
	}
}
