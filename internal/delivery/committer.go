package delivery

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/sleep"
)

// Store is the checkpoint file.
type Store interface {
	Commit([]checkpoint.Change) error
}

const (
	// commitInterval spaces commits out: each waits for the disk.
	commitInterval = 200 * time.Millisecond
	// commitRetry is how long to wait after a commit that failed.
	commitRetry = 5 * time.Second
)

// Committer writes positions in a goroutine of its own, so that the host's
// thread does not wait for the disk. Changes that come while one commit is
// under way go into the next together.
type Committer struct {
	// Store is the checkpoint file, to be set before Run; nil when there is none.
	Store Store
	log   *slog.Logger

	mu      sync.Mutex
	pending []checkpoint.Change
	wake    chan struct{}
	failing atomic.Bool

	commits, failures, nanoseconds atomic.Int64
}

// Commits are the writes of a [Committer].
type Commits struct {
	Tried, Failed int64
	Took          time.Duration // all together
	Failing       bool          // the latest failed
}

// Commits returns the writes so far. It is safe for concurrent use.
func (c *Committer) Commits() Commits {
	return Commits{c.commits.Load(), c.failures.Load(), time.Duration(c.nanoseconds.Load()), c.failing.Load()}
}

// NewCommitter returns a committer without a file.
func NewCommitter(log *slog.Logger) *Committer {
	return &Committer{log: log, wake: make(chan struct{}, 1)}
}

// healthy reports whether positions can be written. While they can't, nothing is
// handed over: all of it would come again after a restart.
func (c *Committer) healthy() bool { return !c.failing.Load() }

// add notes a change to be written. It does not wait.
func (c *Committer) add(change *checkpoint.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = checkpoint.Merge(c.pending, *change)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run writes changes until ctx ends, and then once more.
func (c *Committer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-c.wake:
			for c.flush() != nil && sleep.For(ctx, commitRetry) == nil {
			}
			_ = sleep.For(ctx, commitInterval)
		}
	}
	_ = c.flush() // it has said what is wrong
}

// flush writes what waits; after an error it waits on.
func (c *Committer) flush() error {
	c.mu.Lock()
	changes := c.pending
	c.pending = nil
	c.mu.Unlock()
	if len(changes) == 0 || c.Store == nil {
		return nil
	}
	began := time.Now()
	err := c.Store.Commit(changes)
	c.nanoseconds.Add(int64(time.Since(began)))
	c.commits.Add(1)
	if err == nil {
		if c.failing.Swap(false) {
			c.log.Info("positions are written again")
		}
		return nil
	}
	c.failures.Add(1)
	if !c.failing.Swap(true) {
		c.log.Error("the position can't be written; nothing is handed over until it can", "err", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	newer := c.pending
	c.pending = changes
	for _, change := range newer {
		c.pending = checkpoint.Merge(c.pending, change)
	}
	return err
}
