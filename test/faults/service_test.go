package faults

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// calm is how many requests a minute no case may exceed, besides those that
// brought records.
const calm = 300

// faulty runs a host until all records are there, with a service that breaks.
func (s *suite) faulty(prepare func(*rig)) result {
	r := s.rig(simulator.Config{BombSize: 64 << 20})
	r.Host.Inputs = []harness.Input{r.Input("impersonation_page_size", "40", "poll_interval", "2s", "http_timeout", "5s")}
	for range 5 {
		r.Service.AddBatch(200)
	}
	r.Service.AddEvents(200, time.Now().Add(-time.Hour), 3)
	prepare(r)
	r.Start()
	a := r.finish()
	peak := r.Service.Requests().PeakPerMinute
	if peak > calm {
		r.T.Errorf("%d requests in a minute", peak)
	}
	return result{account: a, note: fmt.Sprintf("%d requests a minute at most", peak)}
}

// repeatless are the faults after which no log starts again.
func repeatless() []simulator.Fault {
	return slices.DeleteFunc(simulator.Faults(), func(f simulator.Fault) bool { return f == simulator.FaultInvalidToken })
}

// faulted hits the first requests of two logs with a fault.
func (s *suite) faulted(fault simulator.Fault) result {
	return s.faulty(func(r *rig) {
		r.Service.NextAt(simulator.PathSIEM, fault, fault)
		r.Service.NextAt(simulator.PathImpersonation, fault, fault)
	})
}

// mixedFaults are all of them at half of all requests.
func (s *suite) mixedFaults() result {
	return s.together(*mixed, func(s *suite, i int) result {
		return s.faulty(func(r *rig) {
			r.Must(r.Service.SetFaults(simulator.Plan{Rate: 0.5, Faults: repeatless(), Seed: *seed + uint64(i)}))
		})
	})
}

// refusedToken has the service forget the token that the plugin holds: it starts
// from the earliest logs, and what is still kept comes again.
func (s *suite) refusedToken() result {
	r := s.rig(simulator.Config{})
	r.Host.Inputs = []harness.Input{r.Input("logs", "siem")}
	r.add(5)
	r.Start()
	r.All()
	r.Service.NextAt(simulator.PathSIEM, simulator.FaultInvalidToken, simulator.FaultInvalidToken)
	r.Logged("starting again from the earliest logs")
	r.add(3)
	time.Sleep(3 * time.Second)
	return result{account: r.finish(), repeats: math.MaxInt, note: "started again from the earliest"}
}

// serviceGone refuses connections for a while.
func (s *suite) serviceGone() result {
	r := s.rig(simulator.Config{})
	r.add(5)
	r.Start()
	r.All()
	r.Must(r.Service.Down())
	r.Logged("connection refused")
	time.Sleep(5 * time.Second)
	r.Must(r.Service.Up())
	for range 5 {
		r.Service.AddBatch(recordsPerBatch)
	}
	return result{account: r.finish()}
}

// noDNS names a host that does not exist: nothing comes, it is said, and the
// host is none the worse.
func (s *suite) noDNS() result {
	r := s.rig(simulator.Config{})
	in := r.Input("logs", "siem")
	in[0] = [2]string{"base_url", "https://mimecast.invalid"}
	r.Host.Inputs = []harness.Input{in}
	r.Start()
	r.Logged("fetching fails")
	time.Sleep(5 * time.Second)
	lines := strings.Count(r.Host.PluginLog(), "fetching fails")
	if lines > 2 {
		r.T.Errorf("one trouble was said %d times", lines)
	}
	r.Stop()
	return result{note: "said, and the host stops as always"}
}

// clock moves the service's clock against this machine's by an hour, forth and
// back.
func (s *suite) clock() result {
	var mu sync.Mutex
	var offset time.Duration
	r := s.rig(simulator.Config{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(offset)
	}})
	set := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		offset = d
	}
	r.Start()
	for _, d := range []time.Duration{0, time.Hour, 0, -time.Hour, 0} {
		set(d)
		time.Sleep(2 * time.Second)
		r.add(5)
		r.Service.AddEvents(20, time.Now().Add(d-10*time.Second), 3)
		r.All()
	}
	if !strings.Contains(r.Host.Log(), "this machine's clock is off") {
		r.T.Error("the clock was not named")
	}
	return result{account: r.finish(), note: "this machine's own clock was not set"}
}
