package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// recordsPerFile is how many records the files of the cases have.
const recordsPerFile = 1000

// linksRig is a rig of API 2.0, for two types of SIEM logs. A type with nothing new
// is asked for again after five minutes, and at a start.
func (s *suite) linksRig(cfg simulator.Config) (*rig, error) {
	cfg.EventsLimit, cfg.EventsWindow = 1<<20, time.Minute
	r, err := s.rig(cfg)
	if err != nil {
		return nil, err
	}
	r.host.Inputs = []harness.Input{r.input2("siem_types", "receipt,url_protect")}
	return r, nil
}

func (r *rig) input2(more ...string) harness.Input {
	return r.service.Input2(append([]string{"db", r.db(), "poll_interval", "1s"}, more...)...)
}

// addFiles adds files until there are n more of each type than the host has asked
// for.
func (r *rig) addFiles(n, records int) error {
	sent := r.service.Requests().Count(simulator.PathLinks, simulator.OutcomeFile)
	for ; r.files < sent/2+n; r.files++ {
		for _, kind := range []string{"receipt", "url protect"} {
			if err := r.service.AddFiles(kind, 1, records); err != nil {
				return err
			}
		}
	}
	return nil
}

// killedInPage kills the host at random moments while files stream. After each kill
// the chunks are counted and taken away.
func (s *suite) killedInPage() (result, error) {
	r, err := s.linksRig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.host.Inputs = []harness.Input{r.input2("logs", "siem", "siem_types", "receipt,url_protect")}
	r.host.Service = map[string]string{"flush": never}
	var tally harness.Tally
	unconfirmed, worst, inPage := 0, 0, 0
	for range s.kills {
		if err := r.addFiles(90, recordsPerFile); err != nil {
			return result{}, err
		}
		asked := r.service.Requests().At(simulator.PathLinks)
		if err := r.start(); err != nil {
			return result{}, err
		}
		if err := r.await("a file", 20*time.Second, func() (bool, error) { return r.service.Requests().At(simulator.PathLinks) > asked, nil }); err != nil {
			return result{}, err
		}
		r.sleep(1500 * time.Millisecond)
		r.kill()
		if err := tally.TakeChunks(r.host.Storage()); err != nil {
			return result{}, err
		}
		confirmed, err := r.service.Confirmed(r.db(), recordsPerFile)
		if err != nil {
			return result{}, err
		}
		open := tally.Different() - confirmed
		if open < 0 {
			return result{}, fmt.Errorf("%d records were confirmed and only %d are in chunks", confirmed, tally.Different())
		}
		unconfirmed += open
		worst = max(worst, open)
		if tally.Different() < 2*r.files*recordsPerFile {
			inPage++
		}
	}
	a, err := r.rest(&tally, 5*time.Minute)
	if err == nil && a.Twice > unconfirmed {
		err = errors.New("more came twice than was unconfirmed")
	}
	return result{account: a, repeats: true, note: fmt.Sprintf("%d kills, %d before all had come; unconfirmed when killed: %d in all, %d at most", s.kills, inPage, unconfirmed, worst)}, err
}

// stoppedInPage stops and starts the host at random moments.
func (s *suite) stoppedInPage() (result, error) {
	r, err := s.linksRig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	for range s.stops {
		if err := r.addFiles(40, recordsPerFile); err != nil {
			return result{}, err
		}
		r.service.AddEvents(5, time.Now().Add(-time.Minute), 3)
		if err := r.start(); err != nil {
			return result{}, err
		}
		time.Sleep(500 * time.Millisecond)
		r.sleep(1500 * time.Millisecond)
		if err := r.stop(); err != nil {
			return result{}, err
		}
	}
	if err := r.start(); err != nil {
		return result{}, err
	}
	a, err := r.finish(2 * time.Minute)
	return result{account: a, note: fmt.Sprintf("%d stops", s.stops)}, err
}

// reloadedInPage reloads the host at random moments.
func (s *suite) reloadedInPage() (result, error) {
	r, err := s.linksRig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	for n := range s.reloads {
		if err := r.addFiles(40, recordsPerFile); err != nil {
			return result{}, err
		}
		r.service.AddEvents(5, time.Now().Add(-time.Minute), 3)
		if n == 0 {
			if err := r.start("-Y"); err != nil {
				return result{}, err
			}
		}
		time.Sleep(500 * time.Millisecond) // the host handles signals
		r.sleep(2 * time.Second)
		if err := r.process.Reload(); err != nil {
			return result{}, err
		}
	}
	if err := r.stop(); err != nil {
		return result{}, err
	}
	if err := r.start(); err != nil {
		return result{}, err
	}
	a, err := r.finish(2 * time.Minute)
	return result{account: a, note: fmt.Sprintf("%d reloads", s.reloads)}, err
}

// recordsPerFaulty is how many records the files have that faults hit.
const recordsPerFaulty = 100

// allTypes gives the rig so many files of each type.
func (r *rig) allTypes(each, records int) error {
	for _, kind := range simulator.EventTypes() {
		if err := r.service.AddFiles(kind, each, records); err != nil {
			return err
		}
	}
	return nil
}

// allBut waits for all records but so many for each unparsed one, since a file that
// came broken time and again is kept as its bytes, and stops the host.
func (r *rig) allBut(perUnparsed int, limit time.Duration) (a harness.Account, err error) {
	err = r.await("all records", limit, func() (bool, error) {
		time.Sleep(time.Second) // an account takes long
		a, err = harness.TallyFile(r.service.Expected(), r.host.Output())
		if a.Lost <= a.Unparsed*perUnparsed {
			a.Lost = 0
		}
		return a.Lost == 0, err
	})
	if err == nil {
		err = r.stop()
	}
	return a, err
}

// shortLives has tokens and links that end while pages are read.
func (s *suite) shortLives() (result, error) {
	r, err := s.linksRig(simulator.Config{TokenLife: 5 * time.Second, LinkLife: 2 * time.Second})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.host.Inputs = []harness.Input{r.input2("logs", "siem")}
	if err := r.allTypes(40, recordsPerFile); err != nil {
		return result{}, err
	}
	if err := r.start(); err != nil {
		return result{}, err
	}
	a, err := r.finish(10 * time.Minute)
	requests := r.service.Requests()
	expired := requests.At(simulator.PathLinks) - requests.Count(simulator.PathLinks, simulator.OutcomeFile)
	if err == nil && expired == 0 {
		err = errors.New("no link expired")
	}
	return result{account: a, note: fmt.Sprintf("%d links had expired", expired)}, err
}

// slowFaults are those after which the plugin waits for minutes.
var slowFaults = []simulator.Fault{simulator.FaultForbidden, simulator.FaultFailFinal, simulator.FaultValidation}

// mixedLinks has every fault that repeats nothing and is not slow, at half of all
// requests, over all types.
func (s *suite) mixedLinks() (result, error) {
	faults := slices.DeleteFunc(simulator.EventFaults(), func(f simulator.Fault) bool {
		restarts := f == simulator.FaultInvalidToken || f == simulator.FaultPageTokenStale // the log starts again
		return restarts || slices.Contains(slowFaults, f)
	})
	r, err := s.linksRig(simulator.Config{BombSize: 64 << 20})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	r.host.Inputs = []harness.Input{r.input2("logs", "siem", "http_timeout", "5s")}
	if err := r.allTypes(30, recordsPerFaulty); err != nil {
		return result{}, err
	}
	if err := r.service.SetFaults(simulator.Plan{Rate: 0.5, Faults: faults, Seed: s.seed}); err != nil {
		return result{}, err
	}
	if err := r.start(); err != nil {
		return result{}, err
	}
	a, err := r.allBut(recordsPerFaulty, 30*time.Minute)
	requests := r.service.Requests()
	return result{account: a, note: fmt.Sprintf("%d unparsed, %d requests a minute at most", a.Unparsed, requests.PeakPerMinute)}, err
}

// brokenFiles is how many files have a broken line for good, which costs no record.
const brokenFiles = 2

// faultyLinks runs a host until all records are there, with a service of API 2.0
// that has a fault at half of all requests.
func (s *suite) faultyLinks(fault simulator.Fault) (result, error) {
	r, err := s.linksRig(simulator.Config{BombSize: 64 << 20})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	in := []string{"siem_types", "receipt,url_protect", "impersonation_page_size", "40", "poll_interval", "2s", "http_timeout", "5s"}
	files, events := 3, 100
	switch fault {
	case simulator.FaultForbidden, simulator.FaultValidation:
		in = append(in, "logs", "siem") // a few requests: after each the plugin waits for minutes
		files, events = 1, 0
	case simulator.FaultInvalidToken:
		files = 120 // more than a page
	}
	r.host.Inputs = []harness.Input{r.input2(in...)}
	r.service.AddEvents(events, time.Now().Add(-time.Hour), 3)
	if err := r.addFiles(files, recordsPerFaulty); err != nil {
		return result{}, err
	}
	broken := fault == simulator.FaultLineBroken
	if broken { // for good too
		if err := r.service.AddFaultyFiles("receipt", fault, brokenFiles, recordsPerFaulty); err != nil {
			return result{}, err
		}
	}
	if err := r.service.SetFaults(simulator.Plan{Rate: 0.5, Faults: []simulator.Fault{fault}, Seed: s.seed}); err != nil {
		return result{}, err
	}
	if err := r.start(); err != nil {
		return result{}, err
	}
	perUnparsed := recordsPerFaulty
	if broken {
		perUnparsed = 0
	}
	a, err := r.allBut(perUnparsed, 25*time.Minute)
	requests := r.service.Requests()
	hits := 0
	for _, outcomes := range requests.Outcomes {
		hits += outcomes[simulator.Hit(fault)]
	}
	out := result{account: a, note: fmt.Sprintf("%d hits, %d unparsed, %d requests a minute at most", hits, a.Unparsed, requests.PeakPerMinute)}
	// A cursor that is refused twice has the log start again from the earliest.
	out.repeats = strings.Contains(r.host.PluginLog(), "starting again from the earliest logs")
	switch {
	case err != nil:
	case hits == 0:
		err = errors.New("no request was hit")
	case broken && a.Unparsed < brokenFiles:
		err = fmt.Errorf("%d broken lines came, of %d files", a.Unparsed, brokenFiles)
	case requests.PeakPerMinute > calm+4*files: // two types, of which each file may be asked for twice
		err = fmt.Errorf("%d requests in a minute", requests.PeakPerMinute)
	}
	return out, err
}
