package main

import (
	"flag"
	"fmt"
	"io"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/position"
)

// healthFlags defines the flags of the verb health, and returns what runs it.
func healthFlags(flags *flag.FlagSet) func(out io.Writer) error {
	path := flags.String("db", "", "checkpoint `FILE` of the plugin")
	maxAge := flags.Duration("max-age", 15*time.Minute, "how long ago the latest position may have been written: more than ten minutes and poll_interval")
	return func(out io.Writer) error {
		switch {
		case *path == "":
			return usagef("health: -db is missing; mimecastctl health -h shows an example")
		case *maxAge <= 0:
			return usagef("health: -max-age has to be more than 0")
		}
		streams, err := checkpoint.Peek(*path)
		if err != nil {
			return err
		}
		latest, ok := latestOf(streams)
		if !ok {
			return fmt.Errorf("db %s: no log has a position yet", *path)
		}
		age := time.Since(latest.Written)
		if age > *maxAge {
			return fmt.Errorf("db %s: no log has been written for %s; the latest was %s", *path, age.Round(time.Second), latest.Key)
		}
		_, err = fmt.Fprintf(out, "ok: %s was written %s ago\n", latest.Key, age.Round(time.Second))
		return err
	}
}

// latestOf returns the log that was written last. The calls for links do not count:
// they are written before it is known whether the service answers.
func latestOf(streams []checkpoint.Stream) (latest checkpoint.Stream, ok bool) {
	for _, s := range streams {
		if !position.IsCalls(s) && s.Written.After(latest.Written) {
			latest, ok = s, true
		}
	}
	return latest, ok
}
