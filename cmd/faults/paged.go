package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// pagedLogs has all logs that come in pages, on both APIs, with equal events, late
// ones and faults at half of all requests. On one host of each API it is killed, on
// another stopped and started.
func (s *suite) pagedLogs() (result, error) {
	var total result
	outs, errs := make([]result, 4), make([]error, 4)
	var all sync.WaitGroup
	for i := range outs {
		all.Go(func() {
			outs[i], errs[i] = s.pagedHost(1+i/2, i%2 == 1)
			if errs[i] != nil {
				errs[i] = fmt.Errorf("API %d.0: %w", 1+i/2, errs[i])
			}
		})
	}
	all.Wait()
	notes := []string{}
	for _, out := range outs {
		a := out.account
		total.account.Served += a.Served
		total.account.Received += a.Received
		total.account.Lost += a.Lost
		total.account.Twice += a.Twice
		total.account.Foreign += a.Foreign + a.Unparsed
		notes = append(notes, out.note)
	}
	total.repeats, total.note = true, strings.Join(notes, "; ")
	return total, errors.Join(errs...)
}

func (s *suite) pagedHost(api int, kill bool) (result, error) {
	r, err := s.rig(simulator.Config{EmptyLastPage: kill, MaxPageSizes: map[string]int{"audit": 250}})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	options := []string{"logs", strings.Join(simulator.Logs(), ","), "poll_interval", "2s", "http_timeout", "5s", "overlap", "15m", "initial_lookback", "2h"}
	r.host.Inputs = []harness.Input{r.input(options...)}
	if api == 2 {
		r.host.Inputs = []harness.Input{r.input2(options...)}
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
		if err := r.service.AddLogEvents(log, s.events, with); err != nil {
			return result{}, err
		}
	}
	faults := slices.DeleteFunc(simulator.Faults(), func(f simulator.Fault) bool { return f == simulator.FaultInvalidToken })
	if err := r.service.SetFaults(simulator.Plan{Rate: 0.5, Faults: faults, Seed: s.seed}); err != nil {
		return result{}, err
	}
	if kill {
		return r.killedInPages(fmt.Sprintf("API %d.0", api))
	}
	for range s.stops {
		if err := r.start(); err != nil {
			return result{}, err
		}
		time.Sleep(time.Second)
		r.sleep(4 * time.Second)
		if err := r.stop(); err != nil {
			return result{}, err
		}
	}
	if err := r.start(); err != nil {
		return result{}, err
	}
	a, err := r.finish(30 * time.Minute)
	if err == nil && a.Twice > 0 {
		err = fmt.Errorf("%d came twice without a kill", a.Twice)
	}
	return result{account: a, note: fmt.Sprintf("API %d.0: %d stops, %d twice", api, s.stops, a.Twice)}, err
}

// killedInPages kills the host at random moments, and counts and takes away the
// chunks after each kill.
func (r *rig) killedInPages(about string) (result, error) {
	r.host.Service = map[string]string{"flush": never}
	var tally harness.Tally
	unconfirmed := 0
	take := func() (harness.Account, error) {
		r.kill()
		if err := tally.TakeChunks(r.host.Storage()); err != nil {
			return harness.Account{}, err
		}
		return tally.Account(r.service.Expected()), nil
	}
	for range r.kills {
		if r.ctx.Err() != nil {
			return result{}, r.ctx.Err()
		}
		if err := r.start(); err != nil {
			return result{}, err
		}
		time.Sleep(1500 * time.Millisecond)
		r.sleep(3 * time.Second)
		a, err := take()
		if err != nil {
			return result{}, err
		}
		ids, err := idsIn(r.db())
		if err != nil {
			return result{}, err
		}
		open := a.Received - a.Twice - ids
		if open < 0 {
			return result{}, fmt.Errorf("%d ids are in the db and only %d records in chunks", ids, a.Received-a.Twice)
		}
		unconfirmed += open
	}
	a, err := r.rest(&tally, 30*time.Minute)
	if err != nil {
		return result{account: a}, err
	}
	out := result{account: a, note: fmt.Sprintf("%s: %d kills, %d twice of %d unconfirmed", about, r.kills, a.Twice, unconfirmed)}
	if a.Twice > unconfirmed {
		return out, errors.New("more came twice than was unconfirmed")
	}
	return out, nil
}

// rest lets the records come that have not, stops the host and returns the account of
// all. What is in chunks can't be seen while the host runs: these go to a file.
func (r *rig) rest(tally *harness.Tally, limit time.Duration) (a harness.Account, err error) {
	r.host.Service = nil
	if err := r.start(); err != nil {
		return a, err
	}
	took := time.Duration(0)
	count := func() (bool, error) {
		time.Sleep(time.Second + 4*took)
		began := time.Now()
		defer func() { took = time.Since(began) }()
		err := tally.AddFile(r.host.Output())
		a = tally.Account(r.service.Expected())
		return a.Lost == 0, err
	}
	if err := r.await("all records", limit, count); err != nil {
		return a, err
	}
	if err := r.stop(); err != nil {
		return a, err
	}
	took = 0 // nothing else needs the time now
	_, err = count()
	return a, err
}

// droppedByID has an output that keeps one record of each id, while the host is
// killed: what is left has to be what was served, equal events as often as there are.
func (s *suite) droppedByID(api int) (result, error) {
	r, err := s.rig(simulator.Config{EventsLimit: 1 << 20, EventsWindow: time.Minute})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.host.Service = map[string]string{"flush": never}
	options := []string{"logs", "all", "id_key", "record_id"}
	r.host.Inputs = []harness.Input{r.input(options...)}
	if api == 2 {
		r.host.Inputs = []harness.Input{r.input2(append(options, "siem_types", "receipt,url_protect")...)}
	}
	tally := harness.Tally{IDKey: "record_id"}
	for range s.kills {
		if r.ctx.Err() != nil {
			return result{}, r.ctx.Err()
		}
		if api == 1 {
			r.add(20)
		} else if err := r.addFiles(30, recordsPerFile); err != nil {
			return result{}, err
		}
		for _, log := range simulator.Logs() {
			with := simulator.LogEvents{Start: time.Now().Add(-time.Minute), PerSecond: 3, TwinEvery: 3}
			if err := r.service.AddLogEvents(log, 60, with); err != nil {
				return result{}, err
			}
		}
		if err := r.start(); err != nil {
			return result{}, err
		}
		time.Sleep(600 * time.Millisecond)
		r.sleep(2 * time.Second)
		r.kill()
		if err := tally.TakeChunks(r.host.Storage()); err != nil {
			return result{}, err
		}
	}
	a, err := r.rest(&tally, 5*time.Minute)
	return result{account: a, note: fmt.Sprintf("%d kills, %d repeats dropped", s.kills, tally.Dropped())}, err
}

// idsIn returns how many ids a db has that no host has open.
func idsIn(db string) (ids int, err error) {
	store, err := checkpoint.Open(db)
	if err != nil {
		return 0, err
	}
	defer func() { _ = store.Close() }()
	streams, err := store.Streams()
	for _, st := range streams {
		ids += st.IDs
	}
	return ids, err
}
