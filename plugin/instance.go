package main

/*
#include "host.h"
*/
import "C"

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/fluent/fluent-bit-go/input"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/collector"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/metric"
	"fluent-bit-mimecast/internal/version"
)

const (
	// callbackTime is how long a callback may hand over. The host calls every
	// second, and takes pauses and exits only between calls.
	callbackTime = 850 * time.Millisecond
	// exitTime is how long an exit waits for the goroutines to end.
	exitTime = 900 * time.Millisecond
	// configRetry is how often a configuration that could not be used is read
	// again, and said to be wrong.
	configRetry = time.Minute
)

// plugin is what the instances of the process share.
var plugin struct {
	files     checkpoint.Files
	quotas    collector.Quotas
	memory    memory.Budget
	budgeting sync.Once   // memory has been set
	reloading atomic.Bool // the Init that follows belongs to a hot reload

	mu        sync.Mutex
	latest    uintptr
	instances map[uintptr]*instance // by their handles
}

// instance is one [INPUT] block. Its methods are for its thread, but for exit.
type instance struct {
	handle  uintptr // what its thread knows it by; never 0, never used again
	host    *host
	lines   *lines
	log     *slog.Logger
	values  map[string]string // the options as they were written
	paused  bool
	pauses  int
	metrics metrics
	longest time.Duration // callback so far

	// collector is nil as long as the configuration can't be used.
	collector atomic.Pointer[collector.Collector]
	attached  bool // the collector knows whether the instance is paused
	cancel    context.CancelFunc
	retrying  sync.WaitGroup
}

// started makes the instance of a block and lets it run; false when the host's
// start is to end.
func started(plug unsafe.Pointer) bool {
	h := newHost(plug)
	i := &instance{host: h, lines: newLines(h)}
	i.log = slog.New(&handler{lines: i.lines})
	defer i.lines.flush(h)

	plugin.budgeting.Do(func() { setMemory(i.log) })
	i.values = map[string]string{}
	for _, o := range config.Options() {
		for _, key := range o.Keys() {
			i.values[key] = input.FLBPluginConfigKey(plug, key)
		}
	}
	if i.values["tag_by_type"] != "" {
		h.findTag(plug)
	}
	var ctx context.Context
	ctx, i.cancel = context.WithCancel(context.Background())
	if err := i.begin(); err != nil {
		i.log.Error(err.Error())
		if !plugin.reloading.Load() && C.host_ends_start() != 0 {
			i.cancel()
			return false
		}
		// Failing would end the host and all its other pipelines, now or later.
		i.log.Error("this block collects nothing until its configuration is corrected")
		i.retrying.Go(func() { i.retry(ctx) })
	}
	if C.host_ignores_conditions() != 0 {
		i.log.Warn("this Fluent Bit ignores conditional routes of plugins", "means", "records go where match says, or are lost",
			"what_to_do", "route by match, or use Fluent Bit 5.0.5 or later")
	}
	i.showMetrics(i.series())
	i.register()
	return true
}

// showMetrics makes the time series of the block. A bug in one does not keep the block
// from starting, which would end the host: none is set any more then.
func (i *instance) showMetrics(all []metric.Series) {
	defer func() {
		if r := recover(); r != nil {
			i.metrics.end()
			i.log.Error("a bug in this plugin; please report it", "in", "metrics", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	if !i.metrics.show(i.host, all) {
		i.log.Info("this host shows no metrics of plugins")
	}
}

// series returns the time series of the block. They are made once: without a
// collector there is one alone, for the state of the block.
func (i *instance) series() []metric.Series {
	c := i.collector.Load()
	if c == nil {
		return []metric.Series{{ID: metric.LogState, Values: []string{"", ""}, Read: func() float64 {
			if c := i.collector.Load(); c != nil {
				return float64(c.State(""))
			}
			return float64(metric.Misconfigured)
		}}}
	}
	pauses := metric.Series{ID: metric.Pauses, Read: func() float64 { return float64(i.pauses) }}
	return append(c.Series(), pauses)
}

// setMemory sets the budget of the process from the environment.
func setMemory(log *slog.Logger) {
	if err := plugin.memory.Set(os.Getenv(memory.Variable)); err != nil {
		log.Warn("the memory limit can't be used", "variable", memory.Variable, "err", err,
			"used", fmt.Sprintf("%dM", plugin.memory.Limit()>>20), "what_to_do", "set a size like 256M or 1G")
	}
}

// begin reads the configuration and starts the collector. Its errors are about
// the configuration.
func (i *instance) begin() error {
	cfg, err := config.Parse(func(key string) string { return i.values[key] })
	if err != nil {
		return err
	}
	if cfg.TagByType && i.host.tag == "" {
		return &config.Error{Problems: []string{"tag_by_type: this host does not let plugins set tags, or keeps the tag of this block where it can't be found; leave it off"}}
	}
	var claim *checkpoint.Claim
	if cfg.DB != "" {
		if claim, err = plugin.files.Claim(cfg.DB, collector.Keys(cfg)); err != nil {
			return &config.Error{Problems: []string{"logs: " + err.Error()}}
		}
	}
	c, err := collector.Start(collector.Options{Config: cfg, Claim: claim, Log: i.log, Quotas: &plugin.quotas, Memory: &plugin.memory})
	if err != nil {
		if claim != nil {
			_ = claim.Release() // it was never open
		}
		return &config.Error{Problems: []string{err.Error()}}
	}
	about := []any{"version", version.String(), "go", runtime.Version(), "api", cfg.API, "logs", strings.Join(cfg.Logs, ",")}
	if v := hostVersion(); v != "" {
		about = append(about, "fluent_bit", v)
	}
	i.log.Info("started", about...)
	for _, w := range cfg.Warnings {
		i.log.Warn(w)
	}
	if cfg.TagByType {
		i.log.Info("tags go by type; outputs have to match them", "tags", i.host.tag+".{log_source}.{log_type}")
	}
	if claim != nil && claim.Elsewhere() != "" {
		i.log.Warn("another block with another db collects the same logs", "logs", claim.Elsewhere(),
			"means", "every record comes twice", "what_to_do", "collect each log of an account in one block")
	}
	i.collector.Store(c)
	return nil
}

// retry tries the configuration again: a file that it names may be there now.
func (i *instance) retry(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			i.log.Error("a bug in this plugin; please report it", "in", "retry", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	t := time.NewTicker(configRetry)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := i.begin()
		switch {
		case err == nil && ctx.Err() != nil:
			i.collector.Load().Stop(exitTime) // too late: exit did not wait for it
			return
		case err == nil:
			i.log.Info("the configuration can be used now")
			return
		}
		i.log.Error(err.Error())
	}
}

// register makes the calling thread the instance's.
func (i *instance) register() {
	plugin.mu.Lock()
	defer plugin.mu.Unlock()
	if plugin.instances == nil {
		plugin.instances = map[uintptr]*instance{}
	}
	plugin.latest++
	i.handle = plugin.latest
	plugin.instances[i.handle] = i
	C.host_set_instance(C.uintptr_t(i.handle))
}

// current is the instance of the calling thread, nil when it has none.
func current() *instance {
	handle := uintptr(C.host_instance())
	plugin.mu.Lock()
	defer plugin.mu.Unlock()
	return plugin.instances[handle]
}

// all returns every instance.
func all() []*instance {
	plugin.mu.Lock()
	defer plugin.mu.Unlock()
	return slices.Collect(maps.Values(plugin.instances))
}

// collect is the callback: it hands over what is queued and logs what waits. It
// returns what the host can't be given directly.
func (i *instance) collect() []byte {
	defer i.lines.flush(i.host)
	began := time.Now()
	i.metrics.refresh(began)
	h := i.handover()
	if h == nil {
		return nil
	}
	h.Drain(i.host, began.Add(callbackTime))
	i.longest = max(i.longest, time.Since(began))
	return i.host.flushBuffer()
}

// handover returns the collector's, once there is one.
func (i *instance) handover() *delivery.Handover {
	c := i.collector.Load()
	if c == nil {
		return nil
	}
	if !i.attached {
		i.attached = true
		if i.paused {
			c.Handover().Pause()
		}
	}
	return c.Handover()
}

func (i *instance) pause() {
	if !i.paused { // it is told at its end too
		i.pauses++
	}
	i.paused = true
	if h := i.handover(); h != nil {
		h.Pause()
	}
	i.metrics.update()
	i.lines.flush(i.host)
}

func (i *instance) resume() {
	i.paused = false
	if h := i.handover(); h != nil {
		h.Resume()
	}
}

// exit ends the instance: its goroutines, its files, its lock.
func (i *instance) exit() {
	i.cancel()
	if !i.retried() {
		i.log.Warn("ending takes long; it goes on in the background")
	}
	if c := i.collector.Load(); c != nil {
		c.Handover().Finish(i.host)
		if !c.Stop(exitTime) {
			i.log.Warn("ending takes long; it goes on in the background")
		}
	}
	i.log.Debug("ended", "goroutines", runtime.NumGoroutine(), "longest_callback", i.longest.Round(time.Millisecond).String(),
		"counts", i.host.counts, "counting", i.host.counting.Round(time.Microsecond).String())
	i.lines.flush(i.host)
	i.metrics.end()
	plugin.mu.Lock()
	defer plugin.mu.Unlock()
	delete(plugin.instances, i.handle)
}

// retried waits for retry to end, which it does unless the disk hangs.
func (i *instance) retried() bool {
	done := make(chan struct{})
	go func() {
		i.retrying.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(exitTime):
		return false
	}
}
