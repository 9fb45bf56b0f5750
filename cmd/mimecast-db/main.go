// Command mimecast-db prints the positions in a checkpoint file of mimecast.so
// in words, can give an account another name, and can make it forget a log.
//
//	mimecast-db FILE
//	mimecast-db -rename ACCOUNT -to NAME FILE
//	mimecast-db -forget KEY FILE
//
// ACCOUNT and KEY are as it prints them. All logs of an account get its new name,
// or none. A name may hold = and spaces, so each has a flag of its own. A log that
// is forgotten starts as if it were new. It refuses while a Fluent Bit uses the
// file, and a file of an earlier version of the plugin until the plugin has taken
// it over.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/position"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mimecast-db:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("mimecast-db", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: mimecast-db [-rename ACCOUNT -to NAME | -forget KEY] FILE")
		flags.PrintDefaults()
	}
	rename := flags.String("rename", "", "give all logs of this `account` the name that -to has")
	to := flags.String("to", "", "the `name` for -rename, as the option account is to have it")
	forget := flags.String("forget", "", "forget the log with this `key`: it then starts as if it were new")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() != 1:
		flags.Usage()
		return errors.New("name one file")
	case (*rename == "") != (*to == ""):
		return errors.New("-rename and -to go together")
	case *rename != "" && *forget != "":
		return errors.New("-rename and -forget don't go together")
	}
	if *rename != "" {
		if err := config.CheckAccount(*to); err != nil {
			return fmt.Errorf("-to: %w", err)
		}
	}
	store, err := checkpoint.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	streams, err := store.Streams()
	if err != nil {
		return err
	}
	if *rename != "" {
		return renameAccount(store, *rename, *to, out)
	}
	if *forget != "" {
		return forgetLog(store, streams, *forget, out)
	}
	if len(streams) == 0 {
		fmt.Fprintln(out, "no log has a position yet")
	}
	for _, s := range streams {
		show(s, out)
	}
	return nil
}

func renameAccount(store *checkpoint.Store, from, to string, out io.Writer) error {
	logs, err := store.Rename(from, to)
	switch {
	case err != nil:
		return err
	case logs == 0:
		return fmt.Errorf("no log is of account %q; without -rename the accounts are printed", from)
	}
	fmt.Fprintf(out, "renamed %s to %s: %d logs; set the option account to it\n", from, to, logs)
	return nil
}

func forgetLog(store *checkpoint.Store, streams []checkpoint.Stream, key string, out io.Writer) error {
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
	return fmt.Errorf("there is no log %q; without -forget the keys are printed", key)
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
