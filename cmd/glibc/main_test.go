package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]release{"2.34": {2, 34}, "2.2.5": {2, 2}, "3.0": {3, 0}} {
		if got, err := parse(text); err != nil || got != want {
			t.Errorf("parse(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2", "PRIVATE", "2.x"} {
		if got, err := parse(text); err == nil {
			t.Errorf("parse(%q) = %v, no error", text, got)
		}
	}
}

func TestAfter(t *testing.T) {
	ordered := []release{{}, {2, 4}, {2, 34}, {2, 36}, {3, 0}}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := a.after(b); got != (i > j) {
				t.Errorf("%v after %v: %v", a, b, got)
			}
		}
	}
}

// TestLimit links a library that needs glibc 2.34 by the version of its one symbol.
func TestLimit(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("NO gcc: the limit of glibc is NOT TESTED")
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "a.c"), filepath.Join(dir, "a.so")
	// The name of dlsym moved into libc with 2.34.
	text := "extern void *dlsym(void *, const char *);\nvoid *f(void) { return dlsym(0, \"f\"); }\n"
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	needs, symbol, err := needed(library)
	if err != nil {
		t.Fatal(err)
	}
	if symbol != "dlsym" || (release{2, 34}).after(needs) {
		t.Skipf("glibc of this machine is older than 2.34: %s needs %s: the limit is NOT TESTED", symbol, needs)
	}
	var out bytes.Buffer
	if err := run("2.34", []string{library}, &out); err != nil {
		t.Errorf("2.34: %v", err)
	}
	if want := "a.so needs glibc 2.34\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("printed %q, want %q", &out, want)
	}
	if err := run("2.33", []string{library}, &out); err == nil || !strings.Contains(err.Error(), "needs glibc 2.34, for dlsym") {
		t.Errorf("2.33: %v", err)
	}
	if err := run("2.34", []string{source}, &out); err == nil {
		t.Error("a text file: no error")
	}
}
