// Command mimecastctl looks after the configuration and the checkpoint files of
// mimecast.so.
//
//	mimecastctl check -c FILE
//	mimecastctl health -db FILE
//	mimecastctl positions FILE
//	mimecastctl forget FILE KEY
//	mimecastctl rename FILE ACCOUNT NAME
//	mimecastctl version
//
// mimecastctl VERB -h shows an example. A FILE that is not a flag's comes first, so a
// name after it may begin with a hyphen. A file that a Fluent Bit uses is refused but by
// check and health, and so is a file of an earlier version of the plugin until the
// plugin has taken it over.
//
// The exit status is 0 when all is well, 1 when something failed, and 2 for wrong
// arguments.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/version"
)

// verb is one thing that the command does.
type verb struct {
	name    string
	args    string // their names, separated by spaces
	does    string
	more    string // for its own help
	example string // args
	run     func(args []string, out io.Writer) error
	// flags, if set, defines those of the verb and returns what takes the place of run.
	flags func(*flag.FlagSet) func(out io.Writer) error
}

var verbs = []verb{
	{
		name: "check", does: "check a configuration of Fluent Bit",
		more:    "Run it as the user of Fluent Bit, with its environment. It changes nothing.",
		example: "-c /etc/fluent-bit/fluent-bit.yaml", flags: checkFlags,
	},
	{
		name: "health", does: "tell by its positions whether the plugin makes progress",
		more:    "It reads the file also while the plugin has it open, and changes nothing.",
		example: "-db /var/lib/fluent-bit/mimecast.db -max-age 15m", flags: healthFlags,
	},
	{
		name: "positions", args: "FILE", does: "show the position of each log in words",
		more:    "The first line of each log is its key.",
		example: "/var/lib/fluent-bit/mimecast.db", run: positions,
	},
	{
		name: "forget", args: "FILE KEY", does: "forget the position of a log",
		more:    "KEY is as positions shows it. The log then starts as if it were new.",
		example: "/var/lib/fluent-bit/mimecast.db 'acme|siem'", run: forget,
	},
	{
		name: "rename", args: "FILE ACCOUNT NAME", does: "give an account another name",
		more:    "ACCOUNT is as positions shows it. All its logs get the name, or none. Set the\noption account to it then.",
		example: "/var/lib/fluent-bit/mimecast.db 0a1b2c3d acme", run: rename,
	},
	{name: "version", does: "show the version of this build", run: showVersion},
}

// Errors that say no more than the exit status, and that of wrong arguments.
var (
	errFailed = errors.New("something failed")
	errUsage  = errors.New("wrong arguments")
)

// usage is an error about the arguments.
type usage struct{ text string }

func (u usage) Error() string { return u.text }

func (u usage) Is(target error) bool { return target == errUsage }

func usagef(format string, args ...any) error { return usage{fmt.Sprintf(format, args...)} }

func showVersion(_ []string, out io.Writer) error {
	_, err := fmt.Fprintln(out, "mimecast", version.String(), runtime.Version())
	return err
}

func main() {
	err := run(os.Args[1:], os.Stdout)
	if err != nil && err != errFailed {
		fmt.Fprintln(os.Stderr, "mimecastctl:", err)
	}
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return usagef("name a verb; mimecastctl -h lists them")
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		fmt.Fprintln(out, "usage: mimecastctl VERB ARGUMENTS")
		for _, v := range verbs {
			fmt.Fprintf(out, "  %-28s %s\n", v.name+" "+v.args, v.does)
		}
		fmt.Fprintln(out, "mimecastctl VERB -h shows an example")
		return nil
	}
	for _, v := range verbs {
		if v.name == args[0] {
			return v.call(args[1:], out)
		}
	}
	return usagef("there is no verb %q; mimecastctl -h lists them", args[0])
}

func (v verb) call(args []string, out io.Writer) error {
	flags := flag.NewFlagSet(v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main prints the error
	var runFlags func(io.Writer) error
	if v.flags != nil {
		runFlags = v.flags(flags)
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(out, "usage: mimecastctl %s %s\n\n%s: %s.\n%s\n\nexample:\n  mimecastctl %s %s\n", v.name, v.args, v.name, v.does, v.more, v.name, v.example)
		if v.flags != nil {
			fmt.Fprintln(out, "\nflags:")
			flags.SetOutput(out)
			flags.PrintDefaults()
		}
		return nil
	case err != nil:
		return usagef("%s: %v; mimecastctl %s -h shows an example", v.name, err, v.name)
	case flags.NArg() != len(strings.Fields(v.args)):
		return usagef("%s takes %s; mimecastctl %s -h shows an example", v.name, cmp.Or(v.args, "no arguments"), v.name)
	}
	if runFlags != nil {
		return runFlags(out)
	}
	return v.run(flags.Args(), out)
}

// use opens a checkpoint file for do.
func use(path string, do func(*checkpoint.Store, []checkpoint.Stream) error) (err error) {
	store, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	streams, err := store.Streams()
	if err != nil {
		return err
	}
	return do(store, streams)
}

func positions(args []string, out io.Writer) error {
	return use(args[0], func(_ *checkpoint.Store, streams []checkpoint.Stream) error {
		if len(streams) == 0 {
			fmt.Fprintln(out, "no log has a position yet")
		}
		for _, s := range streams {
			show(s, out)
		}
		return nil
	})
}

func forget(args []string, out io.Writer) error {
	return use(args[0], func(store *checkpoint.Store, streams []checkpoint.Stream) error {
		key := args[1]
		for _, s := range streams {
			if s.Key.String() != key {
				continue
			}
			if _, err := store.Forget(s.Key); err != nil {
				return err
			}
			fmt.Fprintf(out, "forgot %s: it starts as if it were new\n", key)
			return nil
		}
		return fmt.Errorf("there is no log %q; mimecastctl positions shows the keys", key)
	})
}

func rename(args []string, out io.Writer) error {
	from, to := args[1], args[2]
	if err := config.CheckAccount(to); err != nil {
		return fmt.Errorf("the new name: %w", err)
	}
	return use(args[0], func(store *checkpoint.Store, _ []checkpoint.Stream) error {
		logs, err := store.Rename(from, to)
		switch {
		case err != nil:
			return err
		case logs == 0:
			return fmt.Errorf("no log is of account %q; mimecastctl positions shows the accounts", from)
		}
		fmt.Fprintf(out, "renamed %s to %s: %d logs; set the option account to it\n", from, to, logs)
		return nil
	})
}

func show(s checkpoint.Stream, out io.Writer) {
	fmt.Fprintf(out, "%s\n", s.Key)
	fmt.Fprintf(out, "  %s logs of account %s\n", s.Key.Log, s.Key.Account)
	if s.Origin.Host != "" {
		fmt.Fprintf(out, "  collected by application %s at %s\n", s.Origin.AppID, s.Origin.Host)
	}
	if len(s.Origin.Accounts) > 0 {
		fmt.Fprintf(out, "  from Mimecast accounts %s\n", strings.Join(s.Origin.Accounts, ", "))
	}
	lines, err := position.Describe(s)
	if err != nil {
		lines = []string{err.Error()}
	}
	for _, line := range lines {
		fmt.Fprintf(out, "  %s\n", line)
	}
	if s.IDs > 0 {
		fmt.Fprintf(out, "  %d ids of delivered events are remembered\n", s.IDs)
	}
	if !s.Written.IsZero() {
		fmt.Fprintf(out, "  written at %s\n", s.Written.Format("2006-01-02 15:04:05Z"))
	}
}
