package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
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
func (s *suite) crowd() (*crowd, error) {
	dir, err := os.MkdirTemp(s.dir, "case-")
	if err != nil {
		return nil, err
	}
	c := &crowd{rig: &rig{suite: s}}
	c.host = harness.Host{FluentBit: s.fluentBit.Path, Plugin: s.plugin, Dir: dir}
	for n := range s.blocks {
		service, err := harness.StartService(simulator.Config{
			Seed: s.seed + uint64(n), ClientID: fmt.Sprint("client", n), ClientSecret: "secret",
			EventsLimit: 1 << 20, EventsWindow: time.Minute,
		})
		if err != nil {
			c.close()
			return nil, err
		}
		c.services = append(c.services, service)
		for _, kind := range []string{"receipt", "url protect"} {
			if err := service.AddFiles(kind, filesOfEach, recordsOfOne); err != nil {
				c.close()
				return nil, err
			}
		}
		c.host.Env = service.Env() // the same secret for all
		c.host.Inputs = append(c.host.Inputs, service.Input2("logs", "siem", "siem_types", "receipt,url_protect", "db", filepath.Join(dir, "mimecast.db")))
	}
	return c, nil
}

func (c *crowd) close() {
	if c.process != nil {
		c.process.Kill()
	}
	for _, s := range c.services {
		s.Close()
	}
	_ = os.RemoveAll(c.host.Dir)
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
func (s *suite) manyKilled() (result, error) {
	c, err := s.crowd()
	if err != nil {
		return result{}, err
	}
	defer c.close()
	c.host.Service = map[string]string{"flush": never}
	if err := c.start(); err != nil {
		return result{}, err
	}
	var most harness.Holdings
	watch := func() error {
		now, err := c.process.Holds()
		most.Anonymous = max(most.Anonymous, now.Anonymous)
		most.Threads, most.Files = max(most.Threads, now.Threads), max(most.Files, now.Files)
		return err
	}
	sum, slowest := 0, 0
	err = c.await("half of all files", 5*time.Minute, func() (bool, error) {
		sum = 0
		all := c.sent()
		for _, n := range all {
			sum += n
		}
		slowest = slices.Min(all)
		return sum >= s.blocks*filesOfEach, watch()
	})
	if err != nil {
		return result{}, err
	}
	c.kill()
	var tally harness.Tally
	if err := tally.TakeChunks(c.host.Storage()); err != nil {
		return result{}, err
	}
	half := tally.Different()
	c.host.Service = nil
	if err := c.start(); err != nil {
		return result{}, err
	}
	watching, stop := context.WithCancel(c.ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for watching.Err() == nil && watch() == nil {
			time.Sleep(50 * time.Millisecond)
		}
	}()
	var a harness.Account
	count := func() (bool, error) {
		time.Sleep(2 * time.Second) // an account takes long
		err := tally.AddFile(c.host.Output())
		a = tally.Account(c.expected())
		return a.Lost == 0, err
	}
	err = c.await("all records", 10*time.Minute, count)
	stop()
	<-watched
	if err == nil {
		err = c.stop()
	}
	if err == nil {
		_, err = count()
	}
	return result{account: a, repeats: true, note: fmt.Sprintf(
		"%d blocks, killed with %d records in chunks, when the slowest had %d files and the mean was %d; at most %d MB of anonymous memory, %d threads, %d files",
		s.blocks, half, slowest, sum/s.blocks, most.Anonymous/1e6, most.Threads, most.Files)}, err
}
