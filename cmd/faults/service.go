package main

import (
	"fmt"
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
func (s *suite) faulty(prepare func(*rig) error, limit time.Duration) (result, error) {
	r, err := s.rig(simulator.Config{BombSize: 64 << 20})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.host.Inputs = []harness.Input{r.input("impersonation_page_size", "40", "poll_interval", "2s", "http_timeout", "5s")}
	for range 5 {
		r.service.AddBatch(200)
	}
	r.service.AddEvents(200, time.Now().Add(-time.Hour), 3)
	if err := prepare(r); err != nil {
		return result{}, err
	}
	if err := r.start(); err != nil {
		return result{}, err
	}
	a, err := r.finish(limit)
	peak := r.service.Requests().PeakPerMinute
	out := result{account: a, note: fmt.Sprintf("%d requests a minute at most", peak)}
	if err == nil && peak > calm {
		err = fmt.Errorf("%d requests in a minute", peak)
	}
	return out, err
}

// singleFaults are the faults of the service one by one.
func singleFaults() []check {
	list := slices.DeleteFunc(simulator.Faults(), func(f simulator.Fault) bool { return f == simulator.FaultInvalidToken })
	return atOnce("fault ", list, func(s *suite, fault simulator.Fault) (result, error) {
		return s.faulty(func(r *rig) error {
			r.service.NextAt(simulator.PathSIEM, fault, fault)
			r.service.NextAt(simulator.PathImpersonation, fault, fault)
			return nil
		}, 5*time.Minute)
	})
}

// atOnce returns a case for each fault. They wait most of the time: the first one
// that is asked for starts all.
func atOnce(prefix string, list []simulator.Fault, run func(*suite, simulator.Fault) (result, error)) []check {
	var (
		once    sync.Once
		results = make([]func() (result, error), len(list))
	)
	begin := func(s *suite) {
		slots := make(chan struct{}, 6)
		for i, fault := range list {
			done := make(chan struct{})
			var out result
			var err error
			s.behind.Go(func() {
				defer close(done)
				slots <- struct{}{}
				defer func() { <-slots }()
				if s.ctx.Err() == nil {
					out, err = run(s, fault)
				}
			})
			results[i] = func() (result, error) { <-done; return out, err }
		}
	}
	var checks []check
	for i, fault := range list {
		checks = append(checks, check{prefix + string(fault), func(s *suite) (result, error) {
			once.Do(func() { begin(s) })
			return results[i]()
		}})
	}
	return checks
}

// mixedFaults are all of them at half of all requests.
func (s *suite) mixedFaults() (result, error) {
	faults := slices.DeleteFunc(simulator.Faults(), func(f simulator.Fault) bool { return f == simulator.FaultInvalidToken })
	var total result
	outs := make([]result, s.mixed)
	errs := make([]error, s.mixed)
	var all sync.WaitGroup
	for i := range s.mixed {
		all.Go(func() {
			outs[i], errs[i] = s.faulty(func(r *rig) error {
				return r.service.SetFaults(simulator.Plan{Rate: 0.5, Faults: faults, Seed: s.seed + uint64(i)})
			}, 30*time.Minute)
		})
	}
	all.Wait()
	var notes []string
	for i, out := range outs {
		total.account.Served += out.account.Served
		total.account.Received += out.account.Received
		total.account.Lost += out.account.Lost
		total.account.Twice += out.account.Twice
		total.account.Foreign += out.account.Foreign
		notes = append(notes, out.note)
		if errs[i] != nil {
			return total, errs[i]
		}
	}
	total.note = strings.Join(notes, ", ")
	return total, nil
}

// refusedToken has the service forget the token that the plugin holds: it starts
// from the earliest logs, and what is still kept comes again.
func (s *suite) refusedToken() (result, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.host.Inputs = []harness.Input{r.input("logs", "siem")}
	r.add(5)
	if err := r.start(); err != nil {
		return result{}, err
	}
	if _, err := r.delivered(time.Minute); err != nil {
		return result{}, err
	}
	r.service.NextAt(simulator.PathSIEM, simulator.FaultInvalidToken, simulator.FaultInvalidToken)
	if err := r.logged("starting again from the earliest logs", time.Minute); err != nil {
		return result{}, err
	}
	r.add(3)
	time.Sleep(3 * time.Second)
	a, err := r.finish(time.Minute)
	return result{account: a, repeats: true, note: "started again from the earliest"}, err
}

// serviceGone refuses connections for a while.
func (s *suite) serviceGone() (result, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.add(5)
	if err := r.start(); err != nil {
		return result{}, err
	}
	if _, err := r.delivered(time.Minute); err != nil {
		return result{}, err
	}
	if err := r.service.Down(); err != nil {
		return result{}, err
	}
	if err := r.logged("connection refused", time.Minute); err != nil {
		return result{}, err
	}
	time.Sleep(5 * time.Second)
	if err := r.service.Up(); err != nil {
		return result{}, err
	}
	for range 5 {
		r.service.AddBatch(recordsPerBatch)
	}
	a, err := r.finish(3 * time.Minute)
	return result{account: a}, err
}

// noDNS names a host that does not exist: nothing comes, it is said, and the
// host is none the worse.
func (s *suite) noDNS() (result, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	in := r.input("logs", "siem")
	in[0] = [2]string{"base_url", "https://mimecast.invalid"}
	r.host.Inputs = []harness.Input{in}
	if err := r.start(); err != nil {
		return result{}, err
	}
	if err := r.logged("fetching fails", 30*time.Second); err != nil {
		return result{}, err
	}
	time.Sleep(5 * time.Second)
	lines := strings.Count(r.host.PluginLog(), "fetching fails")
	if lines > 2 {
		return result{}, fmt.Errorf("one trouble was said %d times", lines)
	}
	return result{note: "said, and the host stops as always"}, r.stop()
}

// clock moves the service's clock against this machine's by an hour, forth and
// back.
func (s *suite) clock() (result, error) {
	var mu sync.Mutex
	var offset time.Duration
	r, err := s.rig(simulator.Config{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(offset)
	}})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	set := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		offset = d
	}
	if err := r.start(); err != nil {
		return result{}, err
	}
	for _, d := range []time.Duration{0, time.Hour, 0, -time.Hour, 0} {
		set(d)
		time.Sleep(2 * time.Second)
		r.add(5)
		r.service.AddEvents(20, time.Now().Add(d-10*time.Second), 3)
		if _, err := r.delivered(2 * time.Minute); err != nil {
			return result{}, err
		}
	}
	if !strings.Contains(r.host.Log(), "this machine's clock is off") {
		return result{}, fmt.Errorf("the clock was not named")
	}
	a, err := r.finish(time.Minute)
	return result{account: a, note: "this machine's own clock was not set"}, err
}
