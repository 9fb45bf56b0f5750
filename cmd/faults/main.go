// Command faults attacks the plugin in a real Fluent Bit and accounts for every
// record: kills, restarts, reloads, pauses, a main thread that stalls, a service
// that breaks in each way it can, disks that fill up, clocks that jump. It
// prints a line for each case and fails when a record is lost, or comes twice
// where it must not.
//
//	go run ./cmd/faults -kills 200 -stops 50 -reloads 50
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// suite is what all cases share.
type suite struct {
	ctx       context.Context
	fluentBit harness.FluentBit
	plugin    string
	dir       string
	seed      uint64
	behind    sync.WaitGroup // what runs beside the cases

	kills, stops, reloads, stalls, mixed, blocks, events int
}

// result is what a case came to.
type result struct {
	account harness.Account
	repeats bool   // records may come twice
	note    string // what else there is to say
	skipped string // why it was not run
}

// check is a case.
type check struct {
	name string
	run  func(*suite) (result, error)
}

func main() {
	s := &suite{}
	flag.StringVar(&s.plugin, "plugin", "build/faults.so", "the plugin, linked so that it may make more calls of API 2.0")
	flag.IntVar(&s.kills, "kills", 200, "how many times to kill -9")
	flag.IntVar(&s.stops, "stops", 50, "how many times to stop and start")
	flag.IntVar(&s.reloads, "reloads", 50, "how many times to reload")
	flag.IntVar(&s.stalls, "stalls", 20, "how many times to kill while the main thread is held up")
	flag.IntVar(&s.mixed, "mixed", 4, "how many runs with faults at half of all requests")
	flag.IntVar(&s.blocks, "blocks", 50, "how many blocks catch up at once")
	flag.IntVar(&s.events, "events", 5000, "how many events each paged log has where all are tried")
	flag.Uint64Var(&s.seed, "seed", 1, "decides what is random")
	only := flag.String("only", "", "run only cases whose name matches this expression")
	soak := flag.Duration("soak", 0, "instead of the cases, stream for so long with a reload each minute")
	flag.Parse()
	var stop func()
	s.ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := s.main(*only, *soak)
	stop()
	s.behind.Wait()
	_ = os.RemoveAll(s.dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func (s *suite) main(only string, soak time.Duration) (ok bool, err error) {
	if harness.FindFluentBit() == "" {
		fmt.Println("*** NO FLUENT BIT on PATH nor in FLUENT_BIT: NOTHING WAS RUN ***")
		return true, nil
	}
	if s.fluentBit, err = harness.DescribeFluentBit(); err != nil {
		return false, err
	}
	if s.plugin, err = filepath.Abs(s.plugin); err != nil {
		return false, err
	}
	if s.dir, err = os.MkdirTemp("", "mimecast-faults-"); err != nil {
		return false, err
	}
	wanted, err := regexp.Compile(only)
	if err != nil {
		return false, err
	}
	fmt.Printf("Fluent Bit %s, %s\n\n", s.fluentBit.Version, time.Now().UTC().Format("2006-01-02"))
	if soak > 0 {
		return s.soak(soak)
	}
	fmt.Println("| case | served | received | lost | twice | |\n|---|---|---|---|---|---|")
	ok = true
	for _, c := range cases() {
		if wanted.MatchString(c.name) && s.ctx.Err() == nil {
			ok = s.report(c) && ok
		}
	}
	return ok, s.ctx.Err()
}

func cases() []check {
	return slices.Concat([]check{
		{"kill -9 while batches stream", (*suite).killed},
		{"stop and start", (*suite).stopped},
		{"reload", (*suite).reloaded},
		{"reload into a broken configuration", (*suite).reloadedBroken},
		{"pause, one instance", func(s *suite) (result, error) { return s.paused(1) }},
		{"pause, two instances", func(s *suite) (result, error) { return s.paused(2) }},
		{"kill -9 while the main thread is held up", (*suite).stalled},
		{"counts that don't agree: a processor drops", (*suite).processed},
		{"counts that don't agree: a processor drops all of a log", (*suite).droppedAll},
		{"counts that don't agree: conditional routes", (*suite).routed},
		{"disk full, then room", (*suite).diskFull},
		{"read-only disk, then writable", (*suite).readOnly},
		{"the service's clock jumps an hour, both ways", (*suite).clock},
		{"a refused token", (*suite).refusedToken},
		{"the service is gone, then back", (*suite).serviceGone},
		{"its name can't be resolved", (*suite).noDNS},
		{"faults at half of all requests", (*suite).mixedFaults},
		{"all paged logs, faults at half of all requests, stops and kills", (*suite).pagedLogs},
		{"API 1.0: an output that drops by id, kill -9", func(s *suite) (result, error) { return s.droppedByID(1) }},
		{"API 2.0: an output that drops by id, kill -9", func(s *suite) (result, error) { return s.droppedByID(2) }},
		{"API 2.0: kill -9 in mid-page", (*suite).killedInPage},
		{"API 2.0: stop and start", (*suite).stoppedInPage},
		{"API 2.0: reload", (*suite).reloadedInPage},
		{"API 2.0: kill -9 while many blocks catch up", (*suite).manyKilled},
		{"API 2.0: tokens of 5 s, links of 2 s", (*suite).shortLives},
		{"API 2.0: all types, faults at half of all requests", (*suite).mixedLinks},
	}, singleFaults(), atOnce("API 2.0: half of all requests: ", simulator.EventFaults(), (*suite).faultyLinks))
}

// report runs a case and prints its line.
func (s *suite) report(c check) bool {
	began := time.Now()
	r, err := c.run(s)
	a := r.account
	ok := err == nil && a.Lost == 0 && a.Foreign == 0 && (r.repeats || a.Twice == 0)
	verdict := "ok"
	switch {
	case r.skipped != "":
		verdict, ok = "SKIPPED: "+r.skipped, true
	case err != nil:
		verdict = "FAILED: " + err.Error()
	case !ok:
		verdict = fmt.Sprintf("FAILED: foreign %d, lost for instance %.120s", a.Foreign, a.FirstLost)
	}
	if r.note != "" {
		verdict += "; " + r.note
	}
	fmt.Printf("| %s | %d | %d | %d | %d | %s (%s) |\n", c.name, a.Served, a.Received, a.Lost, a.Twice, verdict, time.Since(began).Round(time.Second))
	return ok
}
