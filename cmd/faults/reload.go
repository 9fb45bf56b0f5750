package main

import (
	"fmt"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// reloaded reloads the host at random moments.
func (s *suite) reloaded() (result, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.service.AddEvents(300, time.Now().Add(-time.Hour), 3)
	r.add(40)
	if err := r.start("-Y"); err != nil {
		return result{}, err
	}
	time.Sleep(2 * time.Second)
	for range s.reloads {
		r.add(40)
		r.service.AddEvents(5, time.Now().Add(-time.Minute), 3)
		r.sleep(2500 * time.Millisecond)
		if err := r.process.Reload(); err != nil {
			return result{}, err
		}
	}
	a, err := r.finish(2 * time.Minute)
	return result{account: a, note: fmt.Sprintf("%d reloads", s.reloads)}, err
}

// reloadedBroken reloads into a configuration that can't be used, and back.
func (s *suite) reloadedBroken() (result, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	good := r.host.Inputs
	r.add(10)
	if err := r.start("-Y"); err != nil {
		return result{}, err
	}
	time.Sleep(2 * time.Second)
	for _, inputs := range [][]harness.Input{{r.input("siem_format", "xml")}, good} {
		r.host.Inputs = inputs
		if err := r.host.WriteConfig(); err != nil {
			return result{}, err
		}
		r.add(10)
		if err := r.process.Reload(); err != nil {
			return result{}, err
		}
		time.Sleep(2 * time.Second)
	}
	if !strings.Contains(r.host.Log(), "collects nothing until its configuration is corrected") {
		return result{}, fmt.Errorf("the broken configuration was not noticed")
	}
	a, err := r.finish(time.Minute)
	return result{account: a, note: "the host stayed up"}, err
}

// soak streams steadily with a reload each minute and prints what the host
// holds.
func (s *suite) soak(length time.Duration) (bool, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return false, err
	}
	defer r.close()
	r.host.Pipeline = noOutput
	r.host.Inputs = []harness.Input{r.input("log_level", "debug")}
	r.service.AddEvents(300, time.Now().Add(-time.Hour), 3)
	if err := r.start("-Y"); err != nil {
		return false, err
	}
	fmt.Println("| minute | records served | resident memory, MB | threads | files | goroutines left at the end of an instance |\n|---|---|---|---|---|---|")
	minute := 0
	for end := time.Now().Add(length); time.Now().Before(end) && s.ctx.Err() == nil; minute++ {
		for tick := time.Now().Add(time.Minute); time.Now().Before(tick) && s.ctx.Err() == nil; {
			r.service.AddBatch(recordsPerBatch)
			r.batches++
			time.Sleep(100 * time.Millisecond)
		}
		p, err := r.process.Holds()
		if err != nil {
			return false, err
		}
		if err := r.process.Reload(); err != nil {
			return false, err
		}
		log := r.host.Log()
		_, left, _ := strings.Cut(log[strings.LastIndex(log, "goroutines="):], "=")
		left, _, _ = strings.Cut(left, " ")
		fmt.Printf("| %d | %d | %d | %d | %d | %s |\n", minute+1, r.batches*recordsPerBatch, p.Resident>>20, p.Threads, p.Files, left)
	}
	return true, r.stop()
}
