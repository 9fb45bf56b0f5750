package collector

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"fluent-bit-mimecast/internal/metric"
	"fluent-bit-mimecast/internal/version"
)

// Series returns the time series of the block but for its pauses, which only the
// plugin sees. Read them from the thread of the Handover.
func (c *Collector) Series() []metric.Series {
	var all []metric.Series
	add := func(id metric.ID, read func() float64, values ...string) {
		all = append(all, metric.Series{ID: id, Values: values, Read: read})
	}
	for _, log := range c.cfg.Logs {
		account := c.cfg.Account
		if i := slices.IndexFunc(c.streams, func(s *stream) bool { return s.name == log }); i >= 0 {
			account = c.streams[i].key.Account // a customer's has the code in it
		}
		// Prometheus refuses all that the host shows, for one label that is no UTF-8.
		account = strings.ToValidUTF8(account, string(utf8.RuneError))
		add(metric.Position, func() float64 { return seconds(c.position(log)) }, log)
		add(metric.LogState, func() float64 { return float64(c.State(log)) }, log, account)
		add(metric.Records, func() float64 {
			return c.sum(log, func(m measures) uint64 { return m.totals.Records })
		}, log)
	}
	total := func(id metric.ID, of func(measures) uint64) {
		add(id, func() float64 { return c.sum("", of) })
	}
	add(metric.BuildInfo, func() float64 { return 1 }, version.String(), runtime.Version(), fmt.Sprint(c.cfg.API))
	add(metric.LastAnswer, func() float64 { return seconds(c.client.Stats().LastSuccess) })
	add(metric.Newest, func() float64 {
		newest := uint32(0)
		for _, s := range c.streams {
			newest = max(newest, s.report.stats.Totals().Newest)
		}
		return float64(newest)
	})
	add(metric.Confirmed, func() float64 { return float64(c.handover.Confirmed()) })
	total(metric.Unparsed, func(m measures) uint64 { return m.totals.Unparsed })
	total(metric.Repeated, func(m measures) uint64 { return m.totals.Repeated })
	total(metric.Known, func(m measures) uint64 { return m.totals.Known })
	add(metric.Requests, func() float64 { return float64(c.client.Stats().Succeeded) }, "success")
	add(metric.Requests, func() float64 { return float64(c.client.Stats().RateLimited) }, "rate_limited")
	add(metric.Requests, func() float64 { return float64(c.client.Stats().Refused) }, "refused")
	add(metric.Requests, func() float64 { return float64(c.client.Stats().Failed) }, "failed")
	add(metric.Received, func() float64 { return float64(c.client.Stats().Bytes) })
	total(metric.Retries, func(m measures) uint64 { return m.retries })
	add(metric.Waited, c.waited)
	if len(c.shared) > 0 {
		add(metric.QuotaLeft, c.quotaLeft)
	}
	if c.cfg.API != 1 {
		add(metric.Tokens, func() float64 { return float64(c.client.Stats().Tokens) })
	}
	add(metric.Queued, func() float64 { return float64(c.handover.Waiting()) })
	add(metric.InFlight, func() float64 { return float64(c.handover.InFlight()) })
	if c.claim != nil {
		add(metric.Commits, func() float64 { return float64(c.committer.Commits().Tried) })
		add(metric.CommitSeconds, func() float64 { return c.committer.Commits().Took.Seconds() })
		add(metric.CommitFailures, func() float64 { return float64(c.committer.Commits().Failed) })
		add(metric.DiskSpace, func() float64 { return float64(c.disk.Available()) })
	}
	total(metric.Kept, func(m measures) uint64 { return uint64(m.ids) })
	return all
}

// State returns how a log is doing; empty: the block, by the log that does worst.
func (c *Collector) State(log string) metric.State {
	if c.blocked.Load() || c.committer.Commits().Failing {
		return metric.Blocked
	}
	state := metric.Unlicensed
	for m := range c.measures(log) {
		state = max(state, m.state)
	}
	return state
}

// position returns the position of a log, that of the type that is furthest behind;
// zero if it is known of none.
func (c *Collector) position(log string) time.Time {
	var least time.Time
	for m := range c.measures(log) {
		if !m.position.IsZero() && (least.IsZero() || m.position.Before(least)) {
			least = m.position
		}
	}
	return least
}

func (c *Collector) sum(log string, of func(measures) uint64) float64 {
	total := uint64(0)
	for m := range c.measures(log) {
		total += of(m)
	}
	return float64(total)
}

// measures yields those of the types of a log; of all logs if it is empty.
func (c *Collector) measures(log string) func(yield func(measures) bool) {
	return func(yield func(measures) bool) {
		for _, s := range c.streams {
			if (log == "" || s.name == log) && !yield(s.report.measures()) {
				return
			}
		}
	}
}

func (c *Collector) waited() float64 {
	total := c.client.Stats().Waited
	for _, shared := range c.shared {
		total += time.Duration(shared.waited.Load())
	}
	return total.Seconds()
}

func (c *Collector) quotaLeft() float64 {
	least := math.MaxInt
	for _, shared := range c.shared {
		least = min(least, shared.quota.left())
	}
	return float64(least)
}

// seconds returns a time as Prometheus has it; the zero time is 0.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
