package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/delivery"
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

	accountKey, account string // what records get; see record.Origin
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
	s.report.fails(err, wait)
	return sleep.For(ctx, wait)
}

// answered reports that a request succeeded which may not be enough.
func (s *stream) answered() {
	s.clock.check()
	s.report.answers()
}

// worked reports that a request succeeded.
func (s *stream) worked(b *mimecast.Backoff) {
	b.Reset()
	s.clock.check()
	s.report.works()
}
