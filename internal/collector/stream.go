package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/hint"
	"fluent-bit-mimecast/internal/memory"
	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/internal/sleep"
	"fluent-bit-mimecast/mimecast"
)

// poller gets the logs of one stream. poll returns when ctx ends. It may be
// called again after it returned for another reason, and goes on after what
// it has put into the queue.
type poller interface {
	// load takes up the position in the checkpoint file, if there is one.
	load(*checkpoint.Store) error
	poll(ctx context.Context) error
}

// stream is what all logs have in common.
type stream struct {
	key    checkpoint.Key
	client *mimecast.Client
	log    *slog.Logger
	report *report
	clock  *clock
	queue  *delivery.Queue
	memory *memory.Share
	pace   pace
	out    *delivery.Writer
	from   provenance // of the position
	found  bool       // the file had a position at the start

	optional *optionalLogs // those of the block; nil: the account must not lack this one
	name     string        // of the log, in the option logs
	refusals atomic.Int32  // in a row, for lack of a product or a permission; -1 once it was answered

	accountKey, account string // what records get; see record.Origin
	extras              extras
	notices             bool
}

// origin returns the origin of records, with what all of the stream's have.
func (s *stream) origin(source, logType string, collected time.Time) record.Origin {
	return record.Origin{Source: source, Type: logType, Collected: collected, AccountKey: s.accountKey, Account: s.account}
}

// load takes up what the checkpoint file has of the log, its position into pos.
func (s *stream) load(file *checkpoint.Store, pos any) error {
	if file == nil {
		s.from.adopt(nil)
		return nil
	}
	var was json.RawMessage
	found, err := file.Load(s.key, &was)
	if err != nil {
		return err
	}
	s.found = found
	use, err := s.from.load(file, s.key, was)
	if err != nil || use == nil {
		return err
	}
	if err := json.Unmarshal(use, pos); err != nil {
		return fmt.Errorf("the position of %s can't be read: %w", s.key, err)
	}
	return nil
}

// upTo is the time up to which logs are delivered: that of the newest record of
// the batch, which never goes back.
func (s *stream) upTo(was time.Time) time.Time {
	newest := time.Unix(int64(s.out.Newest()), 0).UTC()
	if s.out.Newest() > 0 && newest.After(was) && newest.Before(s.client.Now()) {
		return newest
	}
	return was
}

// failed reports an error and waits until it is time to try again. It returns
// the context's error when that has ended.
func (s *stream) failed(ctx context.Context, b *mimecast.Backoff, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	wait := b.Next(err)
	s.clock.check()
	switch n := s.lacks(err); {
	case n == 0:
		s.report.fails(err, wait)
	case n > 1: // once more before it is believed
		wait = lackRetry
		first, all := s.optional.lacks(s.name)
		s.report.lacks(err, wait, first)
		if all {
			s.log.Warn("no log of this block is to be had", "err", err, "what_to_do", hint.WhatToDo(err))
		}
	}
	if err := s.tellDue(ctx); err != nil {
		return err
	}
	return sleep.For(ctx, wait)
}

// warn reports an error that is not waited for here.
func (s *stream) warn(ctx context.Context, err error, wait time.Duration) error {
	s.report.fails(err, wait)
	return s.tellDue(ctx)
}

// optionalLogs are the logs that the option logs asks for by [config.All]. It is safe
// for concurrent use.
type optionalLogs struct {
	mu   sync.Mutex
	left map[string]bool // those that the account is not known to lack
	only bool            // the block has no others
}

// lacks notes that the account lacks a log. It reports whether that is new, and
// whether there is no log of the block left.
func (o *optionalLogs) lacks(name string) (first, all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	first = o.left[name]
	delete(o.left, name)
	return first, first && o.only && len(o.left) == 0
}

// lackRetry is how often a log is asked for that the account may lack, and does.
const lackRetry = 24 * time.Hour

// lacks returns how often in a row the service has refused a log that the account
// may lack, for that reason; 0 for another error, and once it was collected.
func (s *stream) lacks(err error) int32 {
	if s.optional == nil || s.found || !isLack(err) || s.refusals.Load() < 0 {
		return 0
	}
	return s.refusals.Add(1)
}

// isLack reports whether the service refuses one log, for lack of a product or a
// permission.
func isLack(err error) bool {
	var refusal *mimecast.APIError
	if !errors.As(err, &refusal) {
		return false
	}
	cause := refusal.Cause()
	return cause == mimecast.CauseProduct || cause == mimecast.CausePermission
}

// answered reports that a request succeeded which may not be enough.
func (s *stream) answered() {
	s.refusals.Store(-1)
	s.clock.check()
	s.report.answers()
}

// worked reports that a request succeeded.
func (s *stream) worked(b *mimecast.Backoff) {
	s.refusals.Store(-1)
	b.Reset()
	s.clock.check()
	s.report.works()
}
