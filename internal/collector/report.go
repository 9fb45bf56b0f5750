package collector

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/hint"
	"fluent-bit-mimecast/internal/metric"
	"fluent-bit-mimecast/mimecast"
)

const (
	// retention is how long the service keeps SIEM logs.
	retention = 7 * 24 * time.Hour
	// endangered is the age of a position at which trouble becomes an error.
	endangered = 5 * 24 * time.Hour
	// reminder is how often lasting trouble is said again.
	reminder = time.Hour
	// longTrouble is how long trouble lasts until a notice tells of it.
	longTrouble = 24 * time.Hour
	// slack is how much older a position may be before logs are called lost:
	// the service's earliest batch is about as old as it keeps them.
	slack = time.Hour
	// summary is how often a stream says what it has done.
	summary = 10 * time.Minute
	// clockTolerance is how far off this machine's clock may be unsaid.
	clockTolerance = 3 * time.Minute
	// lateAfter is the age from which on a position that moves is said to catch up.
	lateAfter = 15 * time.Minute
	// shortWait is how long requests may wait for the service's rate limit unsaid.
	shortWait = time.Minute
)

// errCircle ends a poll in which a page leads back to one that was read.
var errCircle = errors.New("the pages lead in a circle; reading on from the last event")

// report says how a stream is doing. It is safe for concurrent use.
type report struct {
	log *slog.Logger
	now func() time.Time // by the service's clock, which positions go by

	keeps time.Duration // how long the service keeps the log; 0: not known
	lack  *lackSaid     // of all types of the log; nil: it has one

	mu       sync.Mutex
	trouble  string    // the kind of what is wrong; empty when nothing is
	since    time.Time // when it began
	said     time.Time // when it was last said
	position time.Time // up to when everything has been fetched; zero when unknown
	gap      bool      // it has been said that logs are lost
	long     bool      // it has been said that trouble lasts
	notices  []notice  // to be told
	answered bool      // it has been said that the service answers
	refused  bool      // the latest answer refused the credentials or the log
	lacking  bool      // the account lacks the log, and may
	mayLack  bool
	retries  uint64
	ids      int // of events, that are kept

	// The position of the last line on catching up, or the first that was late, and
	// when that was. Zero when the position is not late.
	progressFrom time.Time
	progressAt   time.Time

	stats  delivery.Stats
	was    uint64 // records as of the last summary
	summed time.Time
}

func newReport(log *slog.Logger, now func() time.Time) *report {
	return &report{log: log, now: now, summed: time.Now()}
}

// starts notes how far the stream was when the instance started, and says so;
// zero when that is not known.
func (r *report) starts(position time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.position = position
	if position.IsZero() {
		return
	}
	r.log.Info("going on from the position in the db", "position_age", r.age())
	r.checkGap()
}

// fetched notes that everything up to a time has been fetched.
func (r *report) fetched(upTo time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.position = upTo
	r.gap = false
	r.progress()
}

// progress says, at most once a minute, how fast a late position catches up. The
// first late position is where the measurement begins: before it the stream may
// have stood still for long.
func (r *report) progress() {
	now, age := time.Now(), r.now().Sub(r.position)
	switch {
	case r.position.IsZero() || age <= lateAfter:
		r.progressAt = time.Time{}
		return
	case r.progressAt.IsZero() || r.position.Before(r.progressFrom):
		r.progressFrom, r.progressAt = r.position, now
		return
	}
	moved, took := r.position.Sub(r.progressFrom), now.Sub(r.progressAt)
	if moved == 0 || took < time.Minute {
		return
	}
	r.progressFrom, r.progressAt = r.position, now
	gain := moved.Minutes()/took.Minutes() - 1 // less the minute that comes with each
	if gain < 0.1 {
		r.log.Info("not catching up", "position_age", r.age())
		return
	}
	r.log.Info("catching up", "position_age", r.age(), "catching_up_by", perMinute(gain), "done_in", roughly(age.Minutes()/gain))
}

// perMinute spells a speed in minutes of logs a minute.
func perMinute(gain float64) string {
	if gain < 10 {
		return fmt.Sprintf("%.1f minutes a minute", gain)
	}
	return fmt.Sprintf("%.0f minutes a minute", gain)
}

// roughly spells a number of minutes.
func roughly(minutes float64) string {
	switch {
	case minutes < 1:
		return "less than 1m"
	case minutes < 120:
		return fmt.Sprintf("%.0fm", minutes)
	case minutes < 48*60:
		return fmt.Sprintf("%.0fh", minutes/60)
	}
	return fmt.Sprintf("%.0fd", minutes/60/24)
}

// fails notes an error of a request. An error is said when it starts, when
// another takes its place, and once in a while as long as it lasts.
func (r *report) fails(err error, retry time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.retries++
	r.refused = mimecast.IsAccessRefused(err) || isLack(err)
	r.lacking = isLack(err) && r.mayLack && !r.answered && r.position.IsZero()
	kind, again := kindOf(err), reminder
	if isLack(err) {
		again = lackRetry // what is not licensed stays so
	}
	if r.trouble == "" {
		r.since, r.long = now, false
	}
	if now.Sub(r.since) >= longTrouble && !r.long {
		r.long = true
		r.notices = append(r.notices, notice{"error", "the log could not be fetched for a day: " + err.Error(), r.position, r.now()})
	}
	defer r.checkGap()
	if kind == r.trouble && now.Sub(r.said) < again {
		return
	}
	r.trouble, r.said = kind, now
	args := []any{"err", err}
	if do := hint.WhatToDo(err); do != "" {
		args = append(args, "what_to_do", do)
	}
	args = append(args, "retry_in", retry.Round(time.Millisecond).String())
	if now.Sub(r.since) >= time.Minute {
		args = append(args, "failing_for", now.Sub(r.since).Round(time.Second).String())
	}
	say := r.log.Warn
	if mimecast.IsAccessRefused(err) && !isLack(err) {
		say = r.log.Error
	}
	if isLack(err) && r.lack != nil && !r.lack.first(now) {
		say = r.log.Info
	}
	if old := r.now().Sub(r.position); !r.position.IsZero() && old >= time.Minute {
		args = append(args, "position_age", r.age())
		if old >= endangered {
			say = r.log.Error
		}
	}
	say("fetching fails", args...)
}

// lackSaid is when it was last said, for any type of a log, that the account lacks a
// product or a permission. It is safe for concurrent use.
type lackSaid struct {
	mu sync.Mutex
	at time.Time
}

// first reports whether it is the first time for lackRetry.
func (l *lackSaid) first(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.at.IsZero() && now.Sub(l.at) < lackRetry {
		return false
	}
	l.at = now
	return true
}

// lacks notes that the account lacks the log, which is no trouble, and says so unless
// that was said, perhaps for another type of the log.
func (r *report) lacks(err error, retry time.Duration, say bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lacking = true
	if !say {
		return
	}
	r.log.Info("this log is not to be had; going on without it", "err", err,
		"what_to_do", "nothing if the account does not have it; else: "+hint.WhatToDo(err), "retry_in", retry.String())
}

// kindOf tells troubles apart: two of one kind are the same trouble, though
// their texts differ in a status or a port.
func kindOf(err error) string {
	var refusal *mimecast.APIError
	var answer *mimecast.ResponseError
	var certificate *tls.CertificateVerificationError
	var dns *net.DNSError
	var file *os.PathError
	switch {
	case errors.As(err, &refusal) && refusal.Status >= http.StatusInternalServerError:
		return "5xx"
	case errors.As(err, &refusal):
		// What is passing trouble at first may turn out to last.
		return fmt.Sprint(refusal.Status, " ", refusal.Code, " ", refusal.Cause())
	case errors.As(err, &answer):
		return "answer"
	case errors.As(err, &certificate):
		return "certificate"
	case errors.As(err, &dns):
		return "dns"
	case hint.IsProxy(err):
		return "proxy"
	case errors.As(err, &file):
		return "file"
	case errors.Is(err, errCircle):
		return "circle"
	}
	return "network"
}

// answers notes a request that succeeded. Trouble goes on.
func (r *report) answers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused, r.lacking = false, false
	if !r.answered {
		r.answered = true
		r.log.Info("the service answers; collecting")
	}
}

// works notes that trouble is over.
func (r *report) works() {
	r.answers()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trouble != "" {
		r.log.Info("fetching works again", "failed_for", time.Since(r.since).Round(time.Second).String())
		r.trouble = ""
	}
}

// checkGap says, once, that logs are lost for certain.
func (r *report) checkGap() {
	if !r.gap && !r.position.IsZero() && r.keeps > 0 && r.now().Sub(r.position) > r.keeps+slack {
		r.gap = true
		r.notices = append(r.notices, notice{"error", "logs are lost: the service no longer keeps them", r.position, r.now().Add(-r.keeps)})
		r.log.Error("logs are lost: the service no longer keeps them",
			"kept_for", config.FormatDuration(r.keeps), "position", r.position.UTC().Format(time.RFC3339), "position_age", r.age())
	}
}

// keepsIDs notes how many ids of events are kept.
func (r *report) keepsIDs(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = n
}

// measures are what a report tells of a stream for the metrics.
type measures struct {
	state    metric.State
	position time.Time
	retries  uint64
	ids      int
	totals   delivery.Totals
}

func (r *report) measures() measures {
	r.mu.Lock()
	defer r.mu.Unlock()
	return measures{r.state(), r.position, r.retries, r.ids, r.stats.Totals()}
}

func (r *report) state() metric.State {
	switch {
	case r.lacking:
		return metric.Unlicensed
	case r.refused:
		return metric.Refused
	case r.trouble != "":
		return metric.Failing
	case !r.answered:
		return metric.Starting
	case r.position.IsZero() || r.now().Sub(r.position) > lateAfter:
		return metric.CatchingUp
	}
	return metric.UpToDate
}

// dueNotices returns the notices that are to be told, each once.
func (r *report) dueNotices() []notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	due := r.notices
	r.notices = nil
	return due
}

// summarize says once in a while what has been done.
func (r *report) summarize() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.summed) < summary {
		return
	}
	t := r.stats.Totals()
	args := []any{"records", t.Records - r.was, "since", r.summed.UTC().Format(time.RFC3339), "records_total", t.Records}
	if t.Newest > 0 {
		args = append(args, "newest", time.Unix(int64(t.Newest), 0).UTC().Format(time.RFC3339))
	}
	if t.Repeated > 0 {
		args = append(args, "repeated_total", t.Repeated)
	}
	if t.Unparsed > 0 {
		args = append(args, "unparsed_total", t.Unparsed)
	}
	if !r.position.IsZero() {
		args = append(args, "position_age", r.age())
	}
	r.log.Info("collected", args...)
	r.was, r.summed = t.Records, now
}

func (r *report) age() string {
	d := r.now().Sub(r.position).Round(time.Second)
	if d >= 48*time.Hour {
		return fmt.Sprintf("%.1fd", d.Hours()/24)
	}
	return d.String()
}

// sayRateLimit says that requests wait because the service's rate limit is used
// up.
func sayRateLimit(log *slog.Logger, wait time.Duration) {
	if wait > shortWait {
		log.Warn("waiting for the service's rate limit", "wait", wait.Round(time.Second).String(),
			"what_to_do", "nothing if it is rare; else look for other users of this API application, or raise poll_interval")
	}
}

// clock says when this machine's clock is off the service's.
type clock struct {
	log    *slog.Logger
	client *mimecast.Client

	mu   sync.Mutex
	off  bool
	said time.Time
}

func (c *clock) check() {
	offset, known := c.client.ClockOffset()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !known:
	case offset.Abs() < clockTolerance:
		if c.off {
			c.off = false
			c.log.Info("this machine's clock agrees with the service's again")
		}
	case !c.off || time.Since(c.said) > reminder:
		c.off, c.said = true, time.Now()
		direction := "behind"
		if offset < 0 {
			direction = "ahead of"
		}
		c.log.Warn("this machine's clock is off", "clock", fmt.Sprintf("%s %s the service's", offset.Abs().Truncate(time.Second), direction),
			"means", "requests are signed with the service's time", "what_to_do", "set the clock")
	}
}
