// Command mimecast-db prints the positions in a checkpoint file of mimecast.so
// in words, and can make it forget a log.
//
//	mimecast-db FILE
//	mimecast-db -forget KEY FILE
//
// KEY is as it prints it. The log then starts as if it were new. It refuses
// while a Fluent Bit uses the file, and a file of an earlier version of the
// plugin until that has taken it over.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/collector"
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
		fmt.Fprintln(flags.Output(), "usage: mimecast-db [-forget KEY] FILE")
		flags.PrintDefaults()
	}
	forget := flags.String("forget", "", "forget the log with this `key`: it then starts as if it were new")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() != 1:
		flags.Usage()
		return errors.New("name one file")
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
	lines, err := collector.Describe(s)
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
