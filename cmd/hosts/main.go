// Command hosts tries the plugin in several versions of Fluent Bit: it runs the
// end-to-end tests and some cases of the fault suite in each, and prints the table of
// docs/hosts.md. It fails when a test or a case does.
//
//	go run ./cmd/hosts /opt/fluent-bit/bin/fluent-bit /tmp/other/fluent-bit
//
// It runs from the root of the tree, where build/faults.so was made.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"fluent-bit-mimecast/internal/harness"
)

// The tests that run in no Fluent Bit tell nothing of one.
const otherHosts = ".*/minihost|.*/.*/minihost|.*/barehost|.*/.*/barehost"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	only := flag.String("only", "^(API 2.0: )?(kill -9 (while batches|in mid-page)|stop and start$|reload|pause)|^counts|^disk|^read-only", "run only cases whose name matches this `expression`")
	rounds := flag.Int("rounds", 3, "how many kills, stops and reloads a case has")
	tests := flag.String("run", "", "run only tests whose name matches this `expression`")
	flag.Parse()
	err := run(ctx, suite{only: *only, rounds: *rounds, tests: *tests}, flag.Args(), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hosts:", err)
		os.Exit(1)
	}
}

// suite is what is run in each host.
type suite struct {
	only, tests string
	rounds      int
}

func run(ctx context.Context, s suite, paths []string, out io.Writer) error {
	if len(paths) == 0 {
		return errors.New(`name the hosts: make check-hosts HOSTS="/path/a /path/b"`)
	}
	var failures []string
	fmt.Fprintln(out, header)
	for _, path := range paths {
		path, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		version, err := harness.VersionOf(ctx, path)
		if err != nil {
			return err
		}
		tests, err := s.endToEnd(ctx, path)
		if err != nil {
			return fmt.Errorf("%s: end-to-end tests: %w", path, err)
		}
		cases, err := s.faults(ctx, path)
		if err != nil {
			return fmt.Errorf("%s: faults: %w", path, err)
		}
		fmt.Fprintln(out, row(version, tests, cases))
		for _, name := range slices.Concat(tests.failed, cases.failed) {
			failures = append(failures, fmt.Sprintf("%s: %s", version, name))
		}
	}
	if len(failures) > 0 {
		return fmt.Errorf("failed:\n  %s", strings.Join(failures, "\n  "))
	}
	return nil
}

// endToEnd runs the tests of the plugin in a host.
func (s suite) endToEnd(ctx context.Context, path string) (outcome, error) {
	out, failed := command(ctx, path, nil, "go", "test", "-json", "-count=1", "-timeout=30m", "-skip", otherHosts, "-run", s.tests, "./plugin")
	o, err := readTests(bytes.NewReader(out))
	return o, check(o, failed, err)
}

// faults runs cases of the fault suite in a host.
func (s suite) faults(ctx context.Context, path string) (outcome, error) {
	n := fmt.Sprint(s.rounds)
	plugin, err := filepath.Abs("build/faults.so")
	if err != nil {
		return outcome{}, err
	}
	// In its own folder a test's output comes at once.
	out, failed := command(ctx, path, os.Stderr, "go", "-C", "test/faults", "test", "-count=1", "-timeout=0", "-parallel=6", "-plugin", plugin, "-kills", n, "-stops", n, "-reloads", n, "-stalls", n, "-only", s.only)
	o, err := readFaults(bytes.NewReader(out))
	return o, check(o, failed, err)
}

// check returns an error if nothing was learned of a host: what failed has names, else
// it was the run itself.
func check(o outcome, failed, err error) error {
	switch {
	case err != nil:
		return err
	case failed != nil && len(o.failed) == 0:
		return failed
	case o.passed == 0 && len(o.failed) == 0:
		return errors.New("nothing was run")
	}
	return nil
}

// command runs a command for a host and returns what it printed. That goes to progress
// too, as it comes, unless nil.
func command(ctx context.Context, fluentBit string, progress io.Writer, name string, args ...string) ([]byte, error) {
	fmt.Fprintln(os.Stderr, "FLUENT_BIT="+fluentBit, name, strings.Join(args, " "))
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "FLUENT_BIT="+fluentBit)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if progress != nil {
		cmd.Stdout = io.MultiWriter(&out, progress)
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err := cmd.Run()
	return out.Bytes(), err
}
