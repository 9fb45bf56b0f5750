package faults

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// Each of many blocks has so many files of each of two types.
const (
	filesOfEach  = 60
	recordsOfOne = 300
)

// crowd is one host with a block for each of many services.
type crowd struct {
	*rig
	services []*harness.Service
}

// crowd makes one, each service with a backlog.
func (s *suite) crowd() *crowd {
	c := &crowd{rig: s.rig(simulator.Config{})}
	c.Host.Inputs, c.Expected = nil, c.expected
	for n := range *blocks {
		c.Serve(simulator.Config{
			Seed: *seed + uint64(n), ClientID: fmt.Sprint("client", n), ClientSecret: "secret", // the same for all
			EventsLimit: 1 << 20, EventsWindow: time.Minute,
		})
		c.services = append(c.services, c.Service)
		for _, kind := range []string{"receipt", "url protect"} {
			c.Must(c.Service.AddFiles(kind, filesOfEach, recordsOfOne))
		}
		c.Host.Inputs = append(c.Host.Inputs, c.Service.Input2("logs", "siem", "siem_types", "receipt,url_protect", "db", c.DB()))
	}
	return c
}

// sent returns how many files each service has sent.
func (c *crowd) sent() (all []int) {
	for _, s := range c.services {
		all = append(all, s.Requests().Count(simulator.PathLinks, simulator.OutcomeFile))
	}
	return all
}

func (c *crowd) expected() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, s := range c.services {
			for record := range s.Expected() {
				if !yield(record) {
					return
				}
			}
		}
	}
}

// manyKilled has many blocks catch up at once, and kills the host when they have half.
func (s *suite) manyKilled() result {
	c := s.crowd()
	c.Host.Service = map[string]string{"flush": never}
	c.Start()
	var most harness.Holdings
	watch := func(p *harness.Process) error {
		now, err := p.Holds()
		most.Anonymous = max(most.Anonymous, now.Anonymous)
		most.Threads, most.Files = max(most.Threads, now.Threads), max(most.Files, now.Files)
		return err
	}
	sum, slowest := 0, 0
	c.Await("half of all files", func() bool {
		sum = 0
		all := c.sent()
		for _, n := range all {
			sum += n
		}
		slowest = slices.Min(all)
		c.Must(watch(c.Process))
		return sum >= *blocks*filesOfEach
	})
	c.Kill()
	c.TakeChunks()
	half := c.Tally.Different()
	c.Host.Service = nil
	c.Start()
	watching, stop := context.WithCancel(c.T.Context())
	watched := make(chan struct{})
	go func(p *harness.Process) {
		defer close(watched)
		for watching.Err() == nil && watch(p) == nil {
			time.Sleep(50 * time.Millisecond)
		}
	}(c.Process)
	c.All()
	stop()
	<-watched
	c.Stop()
	return result{account: c.Account(), repeats: math.MaxInt, note: fmt.Sprintf(
		"%d blocks, killed with %d records in chunks, when the slowest had %d files and the mean was %d; at most %d MB of anonymous memory, %d threads, %d files",
		*blocks, half, slowest, sum / *blocks, most.Anonymous/1e6, most.Threads, most.Files)}
}
