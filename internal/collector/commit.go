package collector

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
)

// store is the checkpoint file; nil when there is none.
type store interface {
	Commit([]checkpoint.Change) error
}

const (
	// commitInterval spaces commits out: each waits for the disk.
	commitInterval = 200 * time.Millisecond
	// commitRetry is how long to wait after a commit that failed.
	commitRetry = 5 * time.Second
)

// committer writes positions in a goroutine of its own, so that the host's
// thread does not wait for the disk. Changes that come while one commit is
// under way go into the next together.
type committer struct {
	store store
	log   *slog.Logger

	mu      sync.Mutex
	pending []checkpoint.Change
	wake    chan struct{}
	failing atomic.Bool
}

func newCommitter(s store, log *slog.Logger) *committer {
	return &committer{store: s, log: log, wake: make(chan struct{}, 1)}
}

// healthy says whether positions can be written. While they can't, nothing is
// handed over: all of it would come again after a restart.
func (c *committer) healthy() bool { return !c.failing.Load() }

// add notes a change to be written. It does not wait.
func (c *committer) add(change *checkpoint.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = merge(c.pending, *change)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// merge adds a change to those that wait, into that of the same stream.
func merge(changes []checkpoint.Change, c checkpoint.Change) []checkpoint.Change {
	for i := range changes {
		have := &changes[i]
		if have.Key != c.Key {
			continue
		}
		if c.Position != nil {
			have.Position = c.Position
		}
		if c.Origin != nil {
			have.Origin = c.Origin
		}
		have.AddIDs = append(have.AddIDs, c.AddIDs...)
		have.ForgetBefore = max(have.ForgetBefore, c.ForgetBefore)
		return changes
	}
	// The caller's slice stays its own.
	c.AddIDs = append([]checkpoint.ID(nil), c.AddIDs...)
	return append(changes, c)
}

// run writes changes until ctx ends, and then once more.
func (c *committer) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-c.wake:
			wait := commitInterval
			for c.flush() != nil && pause(ctx, commitRetry) == nil {
			}
			_ = pause(ctx, wait)
		}
	}
	_ = c.flush() // it has said what is wrong
}

// flush writes what waits; after an error it waits on.
func (c *committer) flush() error {
	c.mu.Lock()
	changes := c.pending
	c.pending = nil
	c.mu.Unlock()
	if len(changes) == 0 || c.store == nil {
		return nil
	}
	err := c.store.Commit(changes)
	if err == nil {
		if c.failing.Swap(false) {
			c.log.Info("positions are written again")
		}
		return nil
	}
	if !c.failing.Swap(true) {
		c.log.Error("the position can't be written; nothing is handed over until it can", "err", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	newer := c.pending
	c.pending = changes
	for _, change := range newer {
		c.pending = merge(c.pending, change)
	}
	return err
}
