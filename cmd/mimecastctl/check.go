package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"fluent-bit-mimecast/internal/check"
)

// checkFlags defines the flags of the verb check, and returns what runs it.
func checkFlags(flags *flag.FlagSet) func(out io.Writer) error {
	path := flags.String("c", "", "`FILE` to check: .yaml, or the classic format")
	asJSON := flags.Bool("json", false, "print JSON")
	offline := flags.Bool("offline", false, "do not ask the service")
	allTypes := flags.Bool("all-types", false, "ask for each type of the SIEM logs of API 2.0, not for one: each costs one of 50 calls in 15 minutes")
	return func(out io.Writer) error {
		if *path == "" {
			return usagef("check: -c is missing; mimecastctl check -h shows an example")
		}
		report, blocks := check.Files(*path, os.Getenv)
		if *offline {
			report.Offline(blocks)
		} else {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			report.Network(ctx, blocks, check.NetworkOptions{
				AllTypes: *allTypes,
				Say:      func(text string) { fmt.Fprintln(os.Stderr, text) },
			})
		}
		return printReport(report, out, *asJSON)
	}
}

func printReport(r *check.Report, out io.Writer, asJSON bool) error {
	toPrint := r.Print
	if asJSON {
		toPrint = r.PrintJSON
	}
	if err := toPrint(out); err != nil {
		return err
	}
	if r.Count(check.Failed) > 0 {
		return errFailed
	}
	return nil
}
