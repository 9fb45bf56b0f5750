package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// recordsPerBatch is how many records the batches of the cases have.
const recordsPerBatch = 2000

// rig is one service and one host.
type rig struct {
	*suite
	service *harness.Service
	host    harness.Host
	process *harness.Process
	dice    *rand.Rand
	batches int
	files   int // of each type
}

// rig makes one for a case. Close it.
func (s *suite) rig(cfg simulator.Config) (*rig, error) {
	dir, err := os.MkdirTemp(s.dir, "case-")
	if err != nil {
		return nil, err
	}
	cfg.Seed = s.seed
	cfg.RateLimit = 1 << 20
	service, err := harness.StartService(cfg)
	if err != nil {
		return nil, err
	}
	r := &rig{suite: s, service: service, dice: rand.New(rand.NewPCG(s.seed, 7))}
	r.host = harness.Host{FluentBit: s.fluentBit.Path, Plugin: s.plugin, Dir: dir, Env: service.Env()}
	r.host.Inputs = []harness.Input{r.input()}
	return r, nil
}

func (r *rig) input(more ...string) harness.Input {
	return r.service.Input(append([]string{"db", r.db(), "poll_interval", "1s"}, more...)...)
}

func (r *rig) db() string { return filepath.Join(r.host.Dir, "mimecast.db") }

func (r *rig) close() {
	if r.process != nil {
		r.process.Kill()
	}
	r.service.Close()
	_ = os.RemoveAll(r.host.Dir)
}

// add adds batches until there are n more than the host has asked for.
func (r *rig) add(n int) {
	asked := r.service.Requests().Count(simulator.PathSIEM, simulator.OutcomeBatch)
	for r.batches < asked+n {
		r.service.AddBatch(recordsPerBatch)
		r.batches++
	}
}

func (r *rig) start(args ...string) error {
	process, err := r.host.Start(r.ctx, args...)
	r.process = process
	return err
}

func (r *rig) stop() error {
	err := r.process.Stop()
	r.process = nil
	if err != nil {
		return fmt.Errorf("stopping the host: %w", err)
	}
	return nil
}

func (r *rig) kill() {
	r.process.Kill()
	r.process = nil
}

// sleep waits a random time of up to limit.
func (r *rig) sleep(limit time.Duration) { time.Sleep(time.Duration(r.dice.Int64N(int64(limit)))) }

// await waits until something holds.
func (r *rig) await(what string, limit time.Duration, holds func() (bool, error)) error {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		ok, err := holds()
		if ok || err != nil {
			return err
		}
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: not within %s; the plugin's log ends\n%s", what, limit, tail(r.host.PluginLog()))
		}
		if r.process != nil {
			select {
			case <-r.process.Ended():
				return fmt.Errorf("%s: the host ended; its log ends\n%s", what, tail(r.host.Log()))
			default:
			}
		}
	}
}

func tail(text string) string { return text[max(0, len(text)-1500):] }

// logged waits for a line of the host's log.
func (r *rig) logged(text string, limit time.Duration) error {
	return r.await("the log line "+text, limit, func() (bool, error) {
		return strings.Contains(r.host.Log(), text), nil
	})
}

// delivered waits until the plugin has nothing more to deliver: everything is
// in the output.
func (r *rig) delivered(limit time.Duration) (harness.Account, error) {
	var a harness.Account
	want := 0
	for range r.service.Expected() {
		want++
	}
	size, took := int64(-1), time.Duration(0)
	err := r.await("all records", limit, func() (bool, error) {
		// Reading a large output over and over would take all the time.
		st, err := os.Stat(r.host.Output())
		if errors.Is(err, os.ErrNotExist) || (err == nil && st.Size() != size) {
			if err == nil {
				size = st.Size()
			}
			time.Sleep(500*time.Millisecond + 4*took)
			return false, nil
		}
		began := time.Now()
		defer func() { took = time.Since(began) }()
		a, err = harness.TallyFile(r.service.Expected(), r.host.Output())
		return a.Lost == 0, err
	})
	return a, err
}

// finish lets all records come, stops the host and accounts for them.
func (r *rig) finish(limit time.Duration) (harness.Account, error) {
	a, err := r.delivered(limit)
	if err != nil {
		return a, err
	}
	if err := r.stop(); err != nil {
		return a, err
	}
	return harness.TallyFile(r.service.Expected(), r.host.Output())
}
