package faults

import (
	"fmt"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// pagedLogs has all logs that come in pages, on both APIs, with equal events, late
// ones and faults at half of all requests. On one host of each API it is killed, on
// another stopped and started.
func (s *suite) pagedLogs() result {
	return s.together(4, func(s *suite, i int) result { return s.pagedHost(1+i/2, i%2 == 1) })
}

func (s *suite) pagedHost(api int, kill bool) result {
	r := s.rig(simulator.Config{EmptyLastPage: kill, MaxPageSizes: map[string]int{"audit": 250}})
	options := []string{"logs", strings.Join(simulator.Logs(), ","), "poll_interval", "2s", "http_timeout", "5s", "overlap", "15m", "initial_lookback", "2h"}
	r.Host.Inputs = []harness.Input{r.Input(options...)}
	if api == 2 {
		r.Host.Inputs = []harness.Input{r.Input2(options...)}
	}
	for _, log := range simulator.Logs() {
		with := simulator.LogEvents{
			// Of 5,000, some of those that are late turn up in the first minutes.
			Start: time.Now().Add(-35 * time.Minute), PerSecond: 3, TwinEvery: 10, LateEvery: 10, LateBy: 10 * time.Minute,
		}
		switch log {
		case "message_release":
			with.UndatedEvery = 7
		case "threat_intel":
			with.RevisedEvery = 9
		}
		r.Must(r.Service.AddLogEvents(log, *events, with))
	}
	r.Must(r.Service.SetFaults(simulator.Plan{Rate: 0.5, Faults: repeatless(), Seed: *seed}))
	if kill {
		return r.killedInPages(fmt.Sprintf("API %d.0", api))
	}
	for range *stops {
		r.Start()
		time.Sleep(time.Second)
		r.sleep(4 * time.Second)
		r.Stop()
	}
	r.Start()
	a := r.finish()
	a.Foreign += a.Unparsed
	return result{account: a, note: fmt.Sprintf("API %d.0: %d stops, %d twice", api, *stops, a.Twice)}
}

// killedInPages kills the host at random moments, and counts and takes away the
// chunks after each kill.
func (r *rig) killedInPages(about string) result {
	r.Host.Service = map[string]string{"flush": never}
	unconfirmed := 0
	for range *kills {
		r.Start()
		time.Sleep(1500 * time.Millisecond)
		r.sleep(3 * time.Second)
		r.Kill()
		r.TakeChunks()
		a, ids := r.Account(), r.ids()
		if a.Received-a.Twice < ids {
			r.T.Fatalf("%d ids are in the db and only %d records in chunks", ids, a.Received-a.Twice)
		}
		unconfirmed += a.Received - a.Twice - ids
	}
	a := r.rest()
	a.Foreign += a.Unparsed
	return result{account: a, repeats: unconfirmed, note: fmt.Sprintf("%s: %d kills, %d twice of %d unconfirmed", about, *kills, a.Twice, unconfirmed)}
}

// rest lets the records come that have not, stops the host and returns the account of
// all. What is in chunks can't be seen while the host runs: these go to a file.
func (r *rig) rest() harness.Account {
	r.Host.Service = nil
	r.Start()
	return r.finish()
}

// droppedByID has an output that keeps one record of each id, while the host is
// killed: what is left has to be what was served, equal events as often as there are.
func (s *suite) droppedByID(api int) result {
	r := s.rig(simulator.Config{EventsLimit: 1 << 20, EventsWindow: time.Minute})
	r.Host.Service = map[string]string{"flush": never}
	options := []string{"logs", "all", "id_key", "record_id"}
	r.Host.Inputs = []harness.Input{r.Input(options...)}
	if api == 2 {
		r.Host.Inputs = []harness.Input{r.Input2(append(options, "siem_types", "receipt,url_protect")...)}
	}
	r.Tally = harness.Tally{IDKey: "record_id"}
	for range *kills {
		if api == 1 {
			r.add(20)
		} else {
			r.addFiles(30, recordsPerFile)
		}
		for _, log := range simulator.Logs() {
			with := simulator.LogEvents{Start: time.Now().Add(-time.Minute), PerSecond: 3, TwinEvery: 3}
			r.Must(r.Service.AddLogEvents(log, 60, with))
		}
		r.Start()
		time.Sleep(600 * time.Millisecond)
		r.sleep(2 * time.Second)
		r.Kill()
		r.TakeChunks()
	}
	return result{account: r.rest(), note: fmt.Sprintf("%d kills, %d repeats dropped", *kills, r.Tally.Dropped())}
}

// ids returns how many ids are in the db of a host that does not run.
func (r *rig) ids() (ids int) {
	store, err := checkpoint.Open(r.DB())
	r.Must(err)
	defer func() { _ = store.Close() }()
	streams, err := store.Streams()
	r.Must(err)
	for _, st := range streams {
		ids += st.IDs
	}
	return ids
}
