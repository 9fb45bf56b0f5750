// Package metric has the table of the plugin's metrics: their names, types and
// meanings. The collector knows their values, and the host shows them.
package metric

import (
	"fmt"
	"strings"
)

// Metric is one metric.
type Metric struct {
	Name    string // without [Namespace], with its unit
	Counter bool   // else it is a gauge
	Labels  []string
	Help    string // without a full stop
}

// Series is one time series.
type Series struct {
	ID     ID
	Values []string // of the metric's labels, without name
	// Read returns the value as of now. Call it from the host's thread.
	Read func() float64
}

// MaxSeries is how many series a block has at most.
const MaxSeries = 60

// Namespace and an underscore begin the name of each metric in Prometheus.
const Namespace = "mimecast"

// ID names a metric.
type ID int

// The metrics: first those that each log has, then those of a block.
const (
	Position ID = iota
	LogState
	Records

	BuildInfo
	LastAnswer
	Newest
	Confirmed
	Unparsed
	Repeated
	Known
	Requests
	Received
	Retries
	Waited
	QuotaLeft
	Tokens
	Queued
	InFlight
	Pauses
	Commits
	CommitSeconds
	CommitFailures
	DiskSpace
	Kept
)

// Metric returns the row of the table.
func (id ID) Metric() Metric {
	m := table[id]
	m.Labels = append([]string{"name"}, m.Labels...)
	return m
}

// All returns all metrics in order.
func All() []ID {
	all := make([]ID, len(table))
	for i := range all {
		all[i] = ID(i)
	}
	return all
}

// table has the metrics without the label name, that of the block in Fluent Bit, which
// all have.
var table = [...]Metric{
	Position: {
		"position_timestamp_seconds", false,
		[]string{"log"},
		"Time up to which the log has been fetched; a poll that found nothing new counts as now, and 0 is unknown",
	},
	LogState: {"log_state", false, []string{"log", "account"}, "State of the log: " + states()},
	Records:  {"records_total", true, []string{"log"}, "Records handed over to Fluent Bit"},

	BuildInfo:  {"build_info", false, []string{"version", "go", "api"}, "Always 1"},
	LastAnswer: {"last_answer_timestamp_seconds", false, nil, "When the API last answered with status 200; 0 before the first time"},
	Newest:     {"newest_record_timestamp_seconds", false, nil, "Time of the newest record that was handed over; 0 before the first"},
	Confirmed:  {"confirmed_records_total", true, nil, "Records handed over that Fluent Bit is known to have stored; the last one counts when others follow it"},
	Unparsed:   {"unparsed_records_total", true, nil, "Records handed over with log_type unparsed: bytes that can't be read"},
	Repeated:   {"repeated_records_total", true, nil, "Records handed over that may be repeated, after a start from the earliest logs"},
	Known:      {"known_records_total", true, nil, "Records that the service gave again, and that were dropped because they had been handed over"},
	Requests: {
		"requests_total", true,
		[]string{"outcome"},
		"Requests to the API and for log files, by the status of the answer: success is 200, rate_limited 429, refused another below 500, failed one from 500 on or no answer",
	},
	Received:       {"received_bytes_total", true, nil, "Bytes of the bodies of answers, as they were sent"},
	Retries:        {"retries_total", true, nil, "Failures after which a request was to be repeated"},
	Waited:         {"wait_seconds_total", true, nil, "Time that requests waited for the quota or for the service's rate limit; a wait counts when it ends"},
	QuotaLeft:      {"quota_calls", false, nil, "Calls for links that may be made now, of those in 15 minutes; of several logs the least"},
	Tokens:         {"token_renewals_total", true, nil, "OAuth 2 tokens that the service gave"},
	Queued:         {"queue_bytes", false, nil, "Size of the records that wait to be handed over"},
	InFlight:       {"in_flight_bytes", false, nil, "Size of the records handed over that Fluent Bit has not taken"},
	Pauses:         {"pauses_total", true, nil, "Times that Fluent Bit paused the block"},
	Commits:        {"commits_total", true, nil, "Writes to the db, those that failed too"},
	CommitSeconds:  {"commit_seconds_total", true, nil, "Time that writes to the db took"},
	CommitFailures: {"commit_failures_total", true, nil, "Writes to the db that failed"},
	DiskSpace:      {"storage_available_bytes", false, nil, "Bytes that the file system of the db has room for before nothing more is handed over"},
	Kept:           {"kept_ids", false, nil, "Ids of events that are kept, to know those that the service gives again"},
}

// State is how a log is doing. That of a log with several types is the highest of
// theirs.
type State int

// The states of a log.
const (
	Unlicensed    State = iota // the account lacks the log, and may
	Starting                   // no answer yet
	UpToDate                   // all that the service has is collected
	CatchingUp                 // what is collected is more than 15 minutes old
	Failing                    // requests fail, and are repeated
	Refused                    // the service refuses the credentials, or this log
	Blocked                    // the db can't be used
	Misconfigured              // the configuration can't be used
)

func (s State) String() string {
	return [...]string{"unlicensed", "starting", "up to date", "catching up", "failing", "refused", "blocked", "misconfigured"}[s]
}

// states spells all states with their values.
func states() string {
	var all []string
	for s := Unlicensed; s <= Misconfigured; s++ {
		all = append(all, fmt.Sprintf("%d %s", s, s))
	}
	return strings.Join(all, ", ")
}

// Markdown returns the table for the documentation.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, id := range All() {
		m, kind := id.Metric(), "gauge"
		if m.Counter {
			kind = "counter"
		}
		fmt.Fprintf(&b, "| `%s_%s` | %s | `%s` | %s |\n", Namespace, m.Name, kind, strings.Join(m.Labels, "` `"), m.Help)
	}
	return b.String()
}
