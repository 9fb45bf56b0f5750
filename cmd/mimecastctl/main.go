// Command mimecastctl looks after the checkpoint files of mimecast.so.
//
//	mimecastctl positions FILE
//	mimecastctl forget FILE KEY
//	mimecastctl rename FILE ACCOUNT NAME
//	mimecastctl version
//
// mimecastctl VERB -h shows an example. FILE comes first, so a name after it may
// begin with a hyphen. A file that a Fluent Bit uses is refused, and so is a file
// of an earlier version of the plugin until the plugin has taken it over.
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
}

var verbs = []verb{
	{
		"positions", "FILE", "show the position of each log in words",
		"The first line of each log is its key.",
		"/var/lib/fluent-bit/mimecast.db", positions,
	},
	{
		"forget", "FILE KEY", "forget the position of a log",
		"KEY is as positions shows it. The log then starts as if it were new.",
		"/var/lib/fluent-bit/mimecast.db 'acme|siem'", forget,
	},
	{
		"rename", "FILE ACCOUNT NAME", "give an account another name",
		"ACCOUNT is as positions shows it. All its logs get the name, or none. Set the\noption account to it then.",
		"/var/lib/fluent-bit/mimecast.db 0a1b2c3d acme", rename,
	},
	{
		"version", "", "show the version of this build",
		"",
		"", showVersion,
	},
}

func showVersion(_ []string, out io.Writer) error {
	_, err := fmt.Fprintln(out, "mimecast", version.String(), runtime.Version())
	return err
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mimecastctl:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("name a verb; mimecastctl -h lists them")
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
	return fmt.Errorf("there is no verb %q; mimecastctl -h lists them", args[0])
}

func (v verb) call(args []string, out io.Writer) error {
	flags := flag.NewFlagSet(v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main prints the error
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(out, "usage: mimecastctl %s %s\n\n%s: %s.\n%s\n\nexample:\n  mimecastctl %s %s\n", v.name, v.args, v.name, v.does, v.more, v.name, v.example)
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w; mimecastctl %s -h shows an example", v.name, err, v.name)
	case flags.NArg() != len(strings.Fields(v.args)):
		return fmt.Errorf("%s takes %s; mimecastctl %s -h shows an example", v.name, cmp.Or(v.args, "no arguments"), v.name)
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
