// Command glibc prints the version of glibc that ELF files need at least, and fails
// when that is later than a given one.
//
//	glibc -max 2.34 build/mimecast.so
package main

import (
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// release is a version of glibc: 2.34 is {2, 34}. The zero value is earlier than all.
type release struct{ major, minor int }

func (r release) String() string { return fmt.Sprintf("%d.%d", r.major, r.minor) }

func (r release) after(other release) bool {
	return r.major > other.major || r.major == other.major && r.minor > other.minor
}

func main() {
	latest := flag.String("max", "", "fail for a file that needs a later `VERSION`")
	flag.Parse()
	if err := run(*latest, flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "glibc:", err)
		os.Exit(1)
	}
}

func run(latest string, paths []string, out io.Writer) error {
	limit, err := parse(latest)
	if err != nil {
		return fmt.Errorf("-max: %w", err)
	}
	if len(paths) == 0 {
		return errors.New("name a file")
	}
	for _, path := range paths {
		needs, symbol, err := needed(path)
		if err != nil {
			return err
		}
		if needs.after(limit) {
			return fmt.Errorf("%s needs glibc %s, for %s: later than %s", path, needs, symbol, limit)
		}
		fmt.Fprintf(out, "%s needs glibc %s\n", path, needs)
	}
	return nil
}

// needed returns the latest version of glibc of which a file imports a symbol, and
// one such symbol. It is an error if there is none: such a file was not linked to
// glibc, or its table of versions was not found.
func needed(path string) (latest release, symbol string, err error) {
	file, err := elf.Open(path)
	if err != nil {
		return release{}, "", fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = file.Close() }()
	symbols, err := file.ImportedSymbols()
	if err != nil {
		return release{}, "", fmt.Errorf("%s: %w", path, err)
	}
	for _, s := range symbols {
		text, isGlibc := strings.CutPrefix(s.Version, "GLIBC_")
		if !isGlibc {
			continue
		}
		r, err := parse(text)
		if err != nil {
			return release{}, "", fmt.Errorf("%s: symbol %s: %w", path, s.Name, err)
		}
		if r.after(latest) {
			latest, symbol = r, s.Name
		}
	}
	if symbol == "" {
		return release{}, "", fmt.Errorf("%s imports no symbol of glibc", path)
	}
	return latest, symbol, nil
}

// parse reads 2.34, and 2.2.5 as 2.2.
func parse(text string) (release, error) {
	major, rest, _ := strings.Cut(text, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA != nil || errB != nil {
		return release{}, fmt.Errorf("%q is not a version of glibc", text)
	}
	return release{a, b}, nil
}
