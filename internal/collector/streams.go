package collector

import (
	"context"
	"log/slog"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/mimecast"
)

// sourceSIEM is the log_source of SIEM logs.
const sourceSIEM = "siem"

// kinds is the table of streams: what the option logs may name, and how each
// is polled.
func kinds(cfg config.Config) map[string]func(*stream) poller {
	table := map[string]func(*stream) poller{
		config.SIEM: func(s *stream) poller { return newSIEM(s, cfg) },
	}
	for _, l := range mimecast.Logs() {
		table[l.Name] = func(s *stream) poller { return newPaged(s, cfg, l) }
	}
	return table
}

// poller gets the logs of one stream. poll returns when ctx ends; it may be
// called again after it returned for another reason, and goes on behind what
// it has put into the queue.
type poller interface {
	// load takes up the position in the checkpoint file, if there is one.
	load(*checkpoint.Store) error
	poll(ctx context.Context) error
}

// stream is what all streams have in common.
type stream struct {
	key    checkpoint.Key
	name   string
	client *mimecast.Client
	queue  queue
	log    *slog.Logger
	report *report
	clock  *clock
	busy   interface{ Add(int32) int32 } // up while pieces are on their way
	byType bool                          // tags go by type
	from   provenance                    // of the position
	found  bool                          // the file had a position at the start
	// scratch makes a file without a name in a folder.
	scratch func(dir string) (scratch, error)

	// collected is the time, in seconds, that records without one of their own
	// get for now.
	collected uint32
	// again is the time, in seconds, up to which logs come again because the
	// stream had to start from the earliest ones; 0 when it had not.
	again uint32
}

// change returns a change to a position; nil leaves it.
func (s *stream) change(position any) *checkpoint.Change {
	return &checkpoint.Change{Key: s.key, Position: position, Origin: s.from.origin}
}

// load takes up what the checkpoint file has of the stream, its position into pos.
func (s *stream) load(file *checkpoint.Store, pos any) (err error) {
	if file != nil {
		if s.found, err = file.Load(s.key, pos); err != nil {
			return err
		}
	}
	return s.from.load(file, s.key)
}

// put puts a change alone into the queue.
func (s *stream) put(ctx context.Context, change *checkpoint.Change) error {
	p := newPiece(s)
	p.after = change
	return s.queue.put(ctx, p)
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
	return pause(ctx, wait)
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
