package faults

import (
	"fmt"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// reloaded reloads the host at random moments.
func (s *suite) reloaded() result {
	r := s.rig(simulator.Config{})
	r.Service.AddEvents(300, time.Now().Add(-time.Hour), 3)
	r.add(40)
	r.Start("-Y")
	time.Sleep(2 * time.Second)
	for range *reloads {
		r.add(40)
		r.Service.AddEvents(5, time.Now().Add(-time.Minute), 3)
		r.sleep(2500 * time.Millisecond)
		r.Reload()
	}
	return result{account: r.finish(), note: fmt.Sprintf("%d reloads", *reloads)}
}

// reloadedBroken reloads into a configuration that can't be used, and back.
func (s *suite) reloadedBroken() result {
	r := s.rig(simulator.Config{})
	good := r.Host.Inputs
	r.add(10)
	r.Start("-Y")
	time.Sleep(2 * time.Second)
	for _, inputs := range [][]harness.Input{{r.Input("siem_format", "xml")}, good} {
		r.Host.Inputs = inputs
		r.Must(r.Host.WriteConfig())
		r.add(10)
		r.Reload()
		time.Sleep(2 * time.Second)
	}
	if !strings.Contains(r.Host.Log(), "collects nothing until its configuration is corrected") {
		r.T.Error("the broken configuration was not noticed")
	}
	return result{account: r.finish(), note: "the host stayed up"}
}

// soak streams steadily with a reload each minute and prints what the host
// holds.
func (s *suite) soak(length time.Duration) {
	r := s.rig(simulator.Config{})
	r.Host.Pipeline = noOutput
	r.Host.Inputs = []harness.Input{r.Input("log_level", "debug")}
	r.Service.AddEvents(300, time.Now().Add(-time.Hour), 3)
	r.Start("-Y")
	fmt.Println("| minute | records served | resident memory, MB | threads | files | goroutines left at the end of an instance |\n|---|---|---|---|---|---|")
	minute := 0
	for end := time.Now().Add(length); time.Now().Before(end); minute++ {
		for tick := time.Now().Add(time.Minute); time.Now().Before(tick); {
			r.Service.AddBatch(recordsPerBatch)
			r.batches++
			time.Sleep(100 * time.Millisecond)
		}
		p := r.Holds()
		r.Reload()
		log := r.Host.Log()
		_, left, _ := strings.Cut(log[strings.LastIndex(log, "goroutines="):], "=")
		left, _, _ = strings.Cut(left, " ")
		fmt.Printf("| %d | %d | %d | %d | %d | %s |\n", minute+1, r.batches*recordsPerBatch, p.Resident>>20, p.Threads, p.Files, left)
	}
	r.Stop()
}
