package main

import (
	"flag"
	"io"
	"os"

	"fluent-bit-mimecast/internal/check"
)

// checkFlags defines the flags of the verb check, and returns what runs it.
func checkFlags(flags *flag.FlagSet) func(out io.Writer) error {
	path := flags.String("c", "", "`FILE` to check: .yaml, or the classic format")
	asJSON := flags.Bool("json", false, "print JSON")
	return func(out io.Writer) error {
		if *path == "" {
			return usagef("check: -c is missing; mimecastctl check -h shows an example")
		}
		report, _ := check.Files(*path, os.Getenv)
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
