// Package faults attacks the plugin in a real Fluent Bit and accounts for every
// record: kills, restarts, reloads, pauses, a main thread that stalls, a service
// that breaks in each way it can, disks that fill up, clocks that jump. It
// prints a line for each case and fails when a record is lost, or comes twice
// where it must not. It is run by make faults.
package faults

import (
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

var (
	plugin  = flag.String("plugin", "", "the plugin, linked so that it may make more calls of API 2.0; empty: nothing is run")
	kills   = flag.Int("kills", 200, "how many times to kill -9")
	stops   = flag.Int("stops", 50, "how many times to stop and start")
	reloads = flag.Int("reloads", 50, "how many times to reload")
	stalls  = flag.Int("stalls", 20, "how many times to kill while the main thread is held up")
	mixed   = flag.Int("mixed", 4, "how many runs with faults at half of all requests")
	blocks  = flag.Int("blocks", 50, "how many blocks catch up at once")
	events  = flag.Int("events", 5000, "how many events each paged log has where all are tried")
	seed    = flag.Uint64("seed", 1, "decides what is random")
	only    = flag.String("only", "", "run only cases whose name matches this expression")
	soak    = flag.Duration("soak", 0, "instead of the cases, stream for so long with a reload each minute")
)

// suite is what a case is given.
type suite struct {
	t         *testing.T
	fluentBit harness.FluentBit
	plugin    string
	dir       string // for the files of a host; empty: a new one
	skipped   string // why the case is not run
}

// in returns a suite for a test within this one.
func (s *suite) in(t *testing.T) *suite {
	return &suite{t: t, fluentBit: s.fluentBit, plugin: s.plugin}
}

func (s *suite) skip(why string) {
	s.t.Helper()
	s.skipped = why
	s.t.Skip(why)
}

// result is what a case came to.
type result struct {
	account harness.Account
	repeats int    // how many records may come twice
	note    string // what else there is to say
}

func (r result) check(t *testing.T) {
	t.Helper()
	if a := r.account; a.Lost > 0 || a.Foreign > 0 || a.Twice > r.repeats {
		t.Errorf("%v, of which %d may come twice, foreign %d, lost for instance %.120s", a, r.repeats, a.Foreign, a.FirstLost)
	}
}

// check is a case.
type check struct {
	name string
	run  func(*suite) result
}

func TestFaults(t *testing.T) {
	if *plugin == "" {
		t.Skip("it takes up to an hour: see make faults")
	}
	if harness.FindFluentBit() == "" {
		fmt.Println("*** NO FLUENT BIT on PATH nor in FLUENT_BIT: NOTHING WAS RUN ***")
		t.Skip("no Fluent Bit")
	}
	s := &suite{t: t}
	var err error
	if s.fluentBit, err = harness.DescribeFluentBit(); err != nil {
		t.Fatal(err)
	}
	if s.plugin, err = filepath.Abs(*plugin); err != nil {
		t.Fatal(err)
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("Fluent Bit %s, %s\n\n", s.fluentBit.Version, time.Now().UTC().Format("2006-01-02"))
	if *soak > 0 {
		s.soak(*soak)
		return
	}
	fmt.Println("| case | served | received | lost | twice | |\n|---|---|---|---|---|---|")
	ran := 0
	group := func(name string, checks []check, parallel bool) {
		t.Run(name, func(t *testing.T) {
			for _, c := range checks {
				if wanted.MatchString(c.name) {
					ran++
					t.Run(c.name, func(t *testing.T) {
						if parallel {
							t.Parallel()
						}
						s.in(t).report(c)
					})
				}
			}
		})
	}
	group("alone", cases(), false)
	// These wait most of the time.
	group("together", faultCases(), true)
	if ran == 0 {
		t.Errorf("no case matches %q", *only)
	}
}

func cases() []check {
	return []check{
		{"kill -9 while batches stream", (*suite).killed},
		{"stop and start", (*suite).stopped},
		{"reload", (*suite).reloaded},
		{"reload into a broken configuration", (*suite).reloadedBroken},
		{"pause, one instance", func(s *suite) result { return s.paused(1) }},
		{"pause, two instances", func(s *suite) result { return s.paused(2) }},
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
		{"API 1.0: an output that drops by id, kill -9", func(s *suite) result { return s.droppedByID(1) }},
		{"API 2.0: an output that drops by id, kill -9", func(s *suite) result { return s.droppedByID(2) }},
		{"API 2.0: kill -9 in mid-page", (*suite).killedInPage},
		{"API 2.0: stop and start", (*suite).stoppedInPage},
		{"API 2.0: reload", (*suite).reloadedInPage},
		{"API 2.0: kill -9 while many blocks catch up", (*suite).manyKilled},
		{"API 2.0: tokens of 5 s, links of 2 s", (*suite).shortLives},
		{"API 2.0: all types, faults at half of all requests", (*suite).mixedLinks},
	}
}

// faultCases are the faults of the service one by one.
func faultCases() (list []check) {
	for _, fault := range repeatless() {
		list = append(list, check{"fault " + string(fault), func(s *suite) result { return s.faulted(fault) }})
	}
	for _, fault := range simulator.EventFaults() {
		list = append(list, check{"API 2.0: half of all requests: " + string(fault), func(s *suite) result { return s.faultyLinks(fault) }})
	}
	return list
}

// report runs a case and prints its line, if the case ends its test too.
func (s *suite) report(c check) {
	began := time.Now()
	var r result
	defer func() {
		verdict := "ok"
		switch {
		case s.skipped != "":
			verdict = "SKIPPED: " + s.skipped
		case s.t.Failed():
			verdict = "FAILED"
		}
		if r.note != "" {
			verdict += "; " + r.note
		}
		a := r.account
		fmt.Printf("| %s | %d | %d | %d | %d | %s (%s) |\n", c.name, a.Served, a.Received, a.Lost, a.Twice, verdict, time.Since(began).Round(time.Second))
	}()
	r = c.run(s)
	r.check(s.t)
}

// together runs a case so many times at once, and adds up the results.
func (s *suite) together(n int, run func(s *suite, i int) result) (total result) {
	outs := make([]result, n)
	s.t.Run("hosts", func(t *testing.T) {
		for i := range outs {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				outs[i] = run(s.in(t), i)
				outs[i].check(t)
			})
		}
	})
	var notes []string
	for _, out := range outs {
		total.account.Served += out.account.Served
		total.account.Received += out.account.Received
		total.account.Lost += out.account.Lost
		total.account.Twice += out.account.Twice
		total.account.Foreign += out.account.Foreign
		total.repeats += out.repeats
		notes = append(notes, out.note)
	}
	total.note = strings.Join(notes, "; ")
	return total
}
