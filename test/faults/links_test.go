package faults

import (
	"fmt"
	"math"
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
func (s *suite) linksRig(cfg simulator.Config) *rig {
	cfg.EventsLimit, cfg.EventsWindow = 1<<20, time.Minute
	r := s.rig(cfg)
	r.Host.Inputs = []harness.Input{r.Input2("siem_types", "receipt,url_protect")}
	return r
}

// addFiles adds files until there are n more of each type than the host has asked
// for.
func (r *rig) addFiles(n, records int) {
	sent := r.Service.Requests().Count(simulator.PathLinks, simulator.OutcomeFile)
	for ; r.files < sent/2+n; r.files++ {
		for _, kind := range []string{"receipt", "url protect"} {
			r.Must(r.Service.AddFiles(kind, 1, records))
		}
	}
}

// killedInPage kills the host at random moments while files stream. After each kill
// the chunks are counted and taken away.
func (s *suite) killedInPage() result {
	r := s.linksRig(simulator.Config{})
	r.Host.Inputs = []harness.Input{r.Input2("logs", "siem", "siem_types", "receipt,url_protect")}
	r.Host.Service = map[string]string{"flush": never}
	unconfirmed, worst, inPage := 0, 0, 0
	for range *kills {
		r.addFiles(90, recordsPerFile)
		asked := r.Service.Requests().At(simulator.PathLinks)
		r.Start()
		r.Await("a file", func() bool { return r.Service.Requests().At(simulator.PathLinks) > asked })
		r.sleep(1500 * time.Millisecond)
		r.Kill()
		open := r.Unconfirmed(recordsPerFile)
		unconfirmed += open
		worst = max(worst, open)
		if r.Tally.Different() < 2*r.files*recordsPerFile {
			inPage++
		}
	}
	return result{account: r.rest(), repeats: unconfirmed, note: fmt.Sprintf("%d kills, %d before all had come; unconfirmed when killed: %d in all, %d at most", *kills, inPage, unconfirmed, worst)}
}

// stoppedInPage stops and starts the host at random moments.
func (s *suite) stoppedInPage() result {
	r := s.linksRig(simulator.Config{})
	for range *stops {
		r.addFiles(40, recordsPerFile)
		r.Service.AddEvents(5, time.Now().Add(-time.Minute), 3)
		r.Start()
		time.Sleep(500 * time.Millisecond)
		r.sleep(1500 * time.Millisecond)
		r.Stop()
	}
	r.Start()
	return result{account: r.finish(), note: fmt.Sprintf("%d stops", *stops)}
}

// reloadedInPage reloads the host at random moments.
func (s *suite) reloadedInPage() result {
	r := s.linksRig(simulator.Config{})
	for n := range *reloads {
		r.addFiles(40, recordsPerFile)
		r.Service.AddEvents(5, time.Now().Add(-time.Minute), 3)
		if n == 0 {
			r.Start("-Y")
		}
		time.Sleep(500 * time.Millisecond) // the host handles signals
		r.sleep(2 * time.Second)
		r.Reload()
	}
	r.Stop()
	r.Start()
	return result{account: r.finish(), note: fmt.Sprintf("%d reloads", *reloads)}
}

// recordsPerFaulty is how many records the files have that faults hit.
const recordsPerFaulty = 100

// allTypes gives the rig so many files of each type.
func (r *rig) allTypes(each, records int) {
	for _, kind := range simulator.EventTypes() {
		r.Must(r.Service.AddFiles(kind, each, records))
	}
}

// allBut waits for all records but so many for each unparsed one, since a file that
// came broken time and again is kept as its bytes, and stops the host.
func (r *rig) allBut(perUnparsed int) (a harness.Account) {
	r.Await("all records", func() bool {
		time.Sleep(time.Second) // an account takes long
		a = r.Account()
		if a.Lost <= a.Unparsed*perUnparsed {
			a.Lost = 0
		}
		return a.Lost == 0
	})
	r.Stop()
	return a
}

// shortLives has tokens and links that end while pages are read.
func (s *suite) shortLives() result {
	r := s.linksRig(simulator.Config{TokenLife: 5 * time.Second, LinkLife: 2 * time.Second})
	r.Host.Inputs = []harness.Input{r.Input2("logs", "siem")}
	r.allTypes(40, recordsPerFile)
	r.Start()
	a := r.finish()
	requests := r.Service.Requests()
	expired := requests.At(simulator.PathLinks) - requests.Count(simulator.PathLinks, simulator.OutcomeFile)
	if expired == 0 {
		r.T.Error("no link expired")
	}
	return result{account: a, note: fmt.Sprintf("%d links had expired", expired)}
}

// slowFaults are those after which the plugin waits for minutes.
var slowFaults = []simulator.Fault{simulator.FaultForbidden, simulator.FaultFailFinal, simulator.FaultValidation}

// mixedLinks has every fault that repeats nothing and is not slow, at half of all
// requests, over all types.
func (s *suite) mixedLinks() result {
	faults := slices.DeleteFunc(simulator.EventFaults(), func(f simulator.Fault) bool {
		restarts := f == simulator.FaultInvalidToken || f == simulator.FaultPageTokenStale // the log starts again
		return restarts || slices.Contains(slowFaults, f)
	})
	r := s.linksRig(simulator.Config{BombSize: 64 << 20})
	r.Host.Inputs = []harness.Input{r.Input2("logs", "siem", "http_timeout", "5s")}
	r.allTypes(30, recordsPerFaulty)
	r.Must(r.Service.SetFaults(simulator.Plan{Rate: 0.5, Faults: faults, Seed: *seed}))
	r.Start()
	a := r.allBut(recordsPerFaulty)
	requests := r.Service.Requests()
	return result{account: a, note: fmt.Sprintf("%d unparsed, %d requests a minute at most", a.Unparsed, requests.PeakPerMinute)}
}

// brokenFiles is how many files have a broken line for good, which costs no record.
const brokenFiles = 2

// faultyLinks runs a host until all records are there, with a service of API 2.0
// that has a fault at half of all requests.
func (s *suite) faultyLinks(fault simulator.Fault) result {
	r := s.linksRig(simulator.Config{BombSize: 64 << 20})
	in := []string{"siem_types", "receipt,url_protect", "impersonation_page_size", "40", "poll_interval", "2s", "http_timeout", "5s"}
	files, events := 3, 100
	switch fault {
	case simulator.FaultForbidden, simulator.FaultValidation:
		in = append(in, "logs", "siem") // a few requests: after each the plugin waits for minutes
		files, events = 1, 0
	case simulator.FaultInvalidToken:
		files = 120 // more than a page
	}
	r.Host.Inputs = []harness.Input{r.Input2(in...)}
	r.Service.AddEvents(events, time.Now().Add(-time.Hour), 3)
	r.addFiles(files, recordsPerFaulty)
	broken := fault == simulator.FaultLineBroken
	if broken { // for good too
		r.Must(r.Service.AddFaultyFiles("receipt", fault, brokenFiles, recordsPerFaulty))
	}
	r.Must(r.Service.SetFaults(simulator.Plan{Rate: 0.5, Faults: []simulator.Fault{fault}, Seed: *seed}))
	r.Start()
	perUnparsed := recordsPerFaulty
	if broken {
		perUnparsed = 0
	}
	a := r.allBut(perUnparsed)
	requests := r.Service.Requests()
	hits := 0
	for _, outcomes := range requests.Outcomes {
		hits += outcomes[simulator.Hit(fault)]
	}
	out := result{account: a, note: fmt.Sprintf("%d hits, %d unparsed, %d requests a minute at most", hits, a.Unparsed, requests.PeakPerMinute)}
	// A cursor that is refused twice has the log start again from the earliest.
	if strings.Contains(r.Host.PluginLog(), "starting again from the earliest logs") {
		out.repeats = math.MaxInt
	}
	switch {
	case hits == 0:
		r.T.Error("no request was hit")
	case broken && a.Unparsed < brokenFiles:
		r.T.Errorf("%d broken lines came, of %d files", a.Unparsed, brokenFiles)
	case requests.PeakPerMinute > calm+4*files: // two types, of which each file may be asked for twice
		r.T.Errorf("%d requests in a minute", requests.PeakPerMinute)
	}
	return out
}
