package collector

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/sleep"
	"fluent-bit-mimecast/internal/version"
	"fluent-bit-mimecast/mimecast"
)

const (
	// openRetry is how long to wait before the db is opened again, and
	// openReminder how often it is said that it can't be.
	openRetry    = 5 * time.Second
	openReminder = 10 * time.Minute
	// othersWait is how long after its start an instance looks for positions of
	// other accounts: until then the other blocks of the process have claimed theirs.
	othersWait = 5 * time.Second
	// panicRetry is how long a stream rests that has hit a bug of this plugin.
	panicRetry = time.Minute
)

// Options make up a collector.
type Options struct {
	Config config.Config
	Claim  *checkpoint.Claim // of Keys(Config); nil when no position is kept
	Log    *slog.Logger
	Quotas *Quotas        // of the process; nil: the collector has one of its own
	Memory *memory.Budget // of the process; nil: likewise
	// Client replaces the one made from Config, in tests.
	Client *mimecast.Client
	// statfs and scratch replace the system's, in tests.
	statfs  func(path string) (free, total uint64, err error)
	scratch func(dir string) (scratch, error)
}

// Collector runs the streams of one instance.
type Collector struct {
	cfg       config.Config
	claim     *checkpoint.Claim
	log       *slog.Logger
	client    *mimecast.Client
	memory    *memory.Share
	pace      pace
	queue     *delivery.Queue
	blocked   atomic.Bool       // the db can't be opened
	store     *checkpoint.Store // nil when no position is kept, and until it is open
	committer *delivery.Committer
	disk      *delivery.DiskSpace
	handover  *delivery.Handover
	streams   []*stream
	pollers   []poller
	shared    []*linksShared // of each log that comes as links

	cancel context.CancelFunc
	done   chan struct{}
}

// Start makes a collector and lets it run. It waits for nothing.
func Start(o Options) (*Collector, error) {
	client := o.Client
	if client == nil {
		var err error
		if client, err = newClient(o.Config, o.Log); err != nil {
			return nil, err
		}
	}
	if o.Memory == nil {
		o.Memory = &memory.Budget{}
	}
	share := o.Memory.Share()
	c := &Collector{
		cfg: o.Config, claim: o.Claim, log: o.Log, client: client,
		memory: share, queue: delivery.NewQueue(share), done: make(chan struct{}),
	}
	c.pace = newPace(share.Before(), rand.Float64)
	c.cfg.PollInterval = c.pace.of(c.cfg.PollInterval)
	c.committer = delivery.NewCommitter(o.Log)
	folder := ""
	if o.Config.DB != "" {
		folder = filepath.Dir(o.Config.DB)
	}
	c.disk = delivery.NewDiskSpace(folder, o.Log)
	if o.statfs != nil {
		c.disk.Statfs = o.statfs
	}
	c.handover = delivery.NewHandover(c.queue, c.committer, c.disk, o.Log)
	if o.scratch == nil {
		o.scratch = tempFile
	}
	if o.Quotas == nil {
		o.Quotas = &Quotas{}
	}
	c.share(o.Quotas)
	c.makeStreams(o.scratch)
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go c.protect("collector", func() { c.run(ctx) })
	return c, nil
}

func newClient(cfg config.Config, log *slog.Logger) (*mimecast.Client, error) {
	return mimecast.NewClient(mimecast.Options{
		BaseURL: cfg.BaseURL, Auth: cfg.Auth, Timeout: cfg.HTTPTimeout,
		ProxyURL: cfg.ProxyURL, CAPEM: cfg.CAPEM, Insecure: !cfg.TLSVerify, LinkAllow: cfg.LinkAllow,
		UserAgent:   "fluent-bit-mimecast/" + version.String(),
		OnRateLimit: func(wait time.Duration) { sayRateLimit(log, wait) },
	})
}

// share makes what the types of a log share, for each log that comes as links.
func (c *Collector) share(quotas *Quotas) {
	slots, readers := memory.NewGate(c.memory, 1, linkSlots), memory.NewGate(c.memory, 1, linkReaders)
	for _, l := range linkLogs(c.cfg) {
		c.shared = append(c.shared, &linksShared{
			source: l, quota: quotas.of(c.cfg.BaseURL.Host, c.cfg.AppID, l.name), slots: slots, readers: readers,
			keep: func(calls position.Calls) error { return c.keepCalls(l, calls) }, log: c.log.With("logs", l.name),
		})
	}
}

func (c *Collector) makeStreams(newScratch func(string) (scratch, error)) {
	shared := &clock{log: c.log, client: c.client}
	customer := newTenant(c.cfg.BaseURL.Host, c.cfg.AppID, c.client.Application, c.log)
	lacks := map[string]*lackSaid{}
	optional := &optionalLogs{left: map[string]bool{}, only: len(c.cfg.Optional) == len(c.cfg.Logs)}
	for _, name := range c.cfg.Optional {
		optional.left[name] = true
	}
	for _, p := range parts(c.cfg) {
		s := c.newStream(p.key, shared, customer)
		if lacks[p.log] == nil {
			lacks[p.log] = new(lackSaid)
		}
		s.report.lack, s.name = lacks[p.log], p.log
		if slices.Contains(c.cfg.Optional, p.log) {
			s.optional = optional
		}
		s.report.mayLack = s.optional != nil || p.links
		s.extras, s.notices = newExtras(c.cfg, p.key.Account, p.log), c.cfg.Notices
		c.streams = append(c.streams, s)
		c.pollers = append(c.pollers, newPoller(s, c.cfg, p, c.shared, newScratch))
	}
}

func (c *Collector) newStream(key checkpoint.Key, shared *clock, customer *tenant) *stream {
	log := c.log.With("logs", key.Log)
	s := &stream{
		key: key, client: c.client, log: log, report: newReport(log, c.client.Now), clock: shared,
		queue: c.queue, memory: c.memory, pace: c.pace, from: provenance{tenant: customer},
		accountKey: c.cfg.AccountKey, account: c.cfg.Account,
	}
	s.out = &delivery.Writer{
		Key: key, Queue: c.queue, Stats: &s.report.stats, ByType: c.cfg.TagByType,
		Origin: func() *checkpoint.Origin { return s.from.origin },
	}
	return s
}

// Handover returns what hands the records over. Use it from the host's thread.
func (c *Collector) Handover() *delivery.Handover { return c.handover }

// Stop ends all goroutines, writes what is confirmed and closes the checkpoint
// file. It returns false when that takes longer than wait; it then goes on by
// itself. Call Finish of the Handover before it.
func (c *Collector) Stop(wait time.Duration) bool {
	c.cancel()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-c.done:
		return true
	case <-t.C:
		return false
	}
}

func (c *Collector) run(ctx context.Context) {
	defer close(c.done)
	defer c.client.Close()
	defer c.memory.Close()
	defer c.release()
	if !c.open(ctx) {
		return
	}
	var polling, writing sync.WaitGroup
	writeCtx, stopWriting := context.WithCancel(context.Background())
	writing.Go(func() {
		for again := true; again; again = writeCtx.Err() == nil {
			c.protect("commit", func() { c.committer.Run(writeCtx) })
		}
	})
	_ = sleep.For(ctx, c.pace.late)
	for i := range c.pollers {
		polling.Go(func() { c.keepPolling(ctx, c.streams[i], c.pollers[i]) })
	}
	for _, shared := range c.shared {
		if shared.source.name != config.SIEM {
			continue // no option could name a type that is found
		}
		look := newTypeLook(c.client, shared)
		polling.Go(func() { c.protect("types", func() { look.run(ctx) }) })
	}
	polling.Go(func() { c.protect("room", func() { c.disk.Watch(ctx) }) })
	c.protect("accounts", func() { c.sayOthers(ctx) })
	c.protect("summary", func() { c.summarize(ctx) })
	polling.Wait()
	stopWriting()
	writing.Wait()
}

// open opens the checkpoint file and loads the positions, again and again until
// it can be done; false when ctx ends before.
func (c *Collector) open(ctx context.Context) bool {
	var said time.Time
	var text string
	for ctx.Err() == nil {
		err := c.tryOpen()
		c.blocked.Store(err != nil)
		if err == nil {
			if text != "" {
				c.log.Info("the db can be used now")
			}
			return true
		}
		if err.Error() != text || time.Since(said) > openReminder {
			text, said = err.Error(), time.Now()
			c.log.Error("nothing is collected until the db can be used", "err", err, "retry_in", openRetry.String())
		}
		_ = sleep.For(ctx, openRetry)
	}
	return false
}

func (c *Collector) tryOpen() error {
	var s *checkpoint.Store
	if c.claim != nil {
		var err error
		if s, err = c.claim.Open(); err != nil {
			return err
		}
		c.store, c.committer.Store = s, s
		if copied := s.Migrated(); copied != "" {
			c.log.Info("the db of an earlier version is taken over", "copy", copied,
				"means", "positions now go by account; an earlier version of the plugin reads the copy alone")
		}
	}
	for _, shared := range c.shared {
		if err := shared.quota.load(s, c.callsKey(shared.source)); err != nil {
			return err
		}
	}
	for _, p := range c.pollers {
		if err := p.load(s); err != nil {
			return err
		}
	}
	return nil
}

// sayOthers says that logs which had no position at the start have one under
// another account, which no block of this process has claimed: it may be the same
// customer's, under the application id of before.
func (c *Collector) sayOthers(ctx context.Context) {
	missing := map[string]bool{}
	for _, s := range c.streams {
		if !s.found {
			missing[s.key.Log] = true
			for _, shared := range c.shared {
				if of := shared.source; of.before != "" && strings.HasPrefix(s.key.Log, of.key) {
					missing[of.before] = true
				}
			}
		}
	}
	if c.store == nil || len(missing) == 0 {
		return
	}
	_ = sleep.For(ctx, othersWait)
	streams, err := c.store.Streams()
	if err != nil {
		c.log.Debug("looking for positions of other accounts", "err", err)
		return
	}
	accounts, logs := map[string]bool{}, map[string]bool{}
	for _, have := range streams {
		k := have.Key
		own := k.Account == c.cfg.Account || strings.HasPrefix(k.Account, c.cfg.Account+"/") // a customer's
		if own || !missing[k.Log] || have.Position == nil || c.claim.Claimed(k) {
			continue
		}
		accounts[k.Account], logs[k.Log] = true, true
	}
	if len(accounts) == 0 {
		return
	}
	c.log.Warn("no position for this account, but for others", "logs", strings.Join(slices.Sorted(maps.Keys(logs)), ","),
		"account", c.cfg.Account, "others", some(slices.Sorted(maps.Keys(accounts))),
		"means", "these logs start anew; if one of the others is the same Mimecast customer, up to seven days come again",
		"what_to_do", "nothing if this is another Mimecast customer; else set account to the other's name, or rename that with mimecastctl")
}

// callsKey is where the calls of the application for a log stand, which the service
// counts.
func (c *Collector) callsKey(l linkLog) checkpoint.Key {
	return checkpoint.Key{Account: c.cfg.Account, Log: l.calls}
}

// keepCalls writes the calls before they are made: a process that dies again and
// again must not forget them.
func (c *Collector) keepCalls(l linkLog, calls position.Calls) error {
	if c.store == nil {
		return nil
	}
	return c.store.Commit([]checkpoint.Change{{Key: c.callsKey(l), Position: calls}})
}

func (c *Collector) release() {
	for _, shared := range c.shared {
		shared.quota.release()
	}
	if c.claim == nil {
		return
	}
	if err := c.claim.Release(); err != nil {
		c.log.Error("closing the db", "err", err)
	}
}

// keepPolling polls a stream until ctx ends. A bug that panics must not take
// the host down: it is logged, and the stream goes on after a while.
func (c *Collector) keepPolling(ctx context.Context, s *stream, p poller) {
	for ctx.Err() == nil {
		c.protect(s.key.Log, func() {
			if s.tellDue(ctx) != nil {
				return
			}
			if err := p.poll(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("collecting starts again", "err", err)
			}
		})
		_ = sleep.For(ctx, panicRetry)
	}
}

func (c *Collector) protect(what string, fn func()) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("a bug in this plugin; please report it", "in", what, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	fn()
}

func (c *Collector) summarize(ctx context.Context) {
	for sleep.For(ctx, time.Minute) == nil {
		for _, s := range c.streams {
			s.report.summarize()
		}
	}
}
