package harness

import (
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// Trial is a service, a host and the account of what came from one to the other, for
// one test, which its methods end when something fails.
type Trial struct {
	T        testing.TB
	Service  *Service
	Host     Host
	Process  *Process // nil: the host does not run
	Tally    Tally
	Expected func() iter.Seq[string] // nil: the service's
	Limit    time.Duration           // for each wait
}

// NewTrial starts a service for a host, in a new folder unless it has one, with a block that collects from it. All of it
// ends with the test.
func NewTrial(t testing.TB, host Host, cfg simulator.Config) *Trial {
	t.Helper()
	r := &Trial{T: t, Host: host, Limit: 2 * time.Minute} // a loaded machine is slow
	if r.Host.Dir == "" {
		r.Host.Dir = t.TempDir()
	}
	r.Serve(cfg)
	r.Host.Inputs = []Input{r.Input()}
	t.Cleanup(func() {
		if r.Process != nil {
			r.Process.Kill()
		}
		if t.Failed() {
			log := r.Host.Log()
			t.Logf("the end of the host's log:\n%s", log[max(0, len(log)-4000):])
		}
	})
	return r
}

// Must ends the test with an error, if there is one.
func (r *Trial) Must(err error) {
	r.T.Helper()
	if err != nil {
		r.T.Fatal(err)
	}
}

// Serve starts a service, in the place of the one that there is.
func (r *Trial) Serve(cfg simulator.Config) {
	r.T.Helper()
	service, err := StartService(cfg)
	r.Must(err)
	r.T.Cleanup(service.Close)
	r.Service, r.Host.Env = service, service.Env()
}

// DB is the file of positions.
func (r *Trial) DB() string { return filepath.Join(r.Host.Dir, "mimecast.db") }

// Input returns a block of API 1.0 that polls each second, with more options in pairs.
func (r *Trial) Input(more ...string) Input {
	return r.Service.Input(append([]string{"db", r.DB(), "poll_interval", "1s"}, more...)...)
}

// Input2 is Input for API 2.0.
func (r *Trial) Input2(more ...string) Input {
	return r.Service.Input2(append([]string{"db", r.DB(), "poll_interval", "1s"}, more...)...)
}

// Start starts the host.
func (r *Trial) Start(args ...string) {
	r.T.Helper()
	process, err := r.Host.Start(r.T.Context(), args...)
	r.Must(err)
	r.Process = process
}

// Stop ends the host as an orchestrator does. A bad end fails the test and goes on.
func (r *Trial) Stop() {
	r.T.Helper()
	if err := r.Process.Stop(); err != nil {
		r.T.Errorf("the host ended with %v", err)
	}
	r.Process = nil
}

// Kill ends the host as a power cut does.
func (r *Trial) Kill() {
	r.Process.Kill()
	r.Process = nil
}

// Reload asks the host to read its configuration again.
func (r *Trial) Reload() {
	r.T.Helper()
	r.Must(r.Process.Reload())
}

// Holds is what the host has of the machine.
func (r *Trial) Holds() Holdings {
	r.T.Helper()
	h, err := r.Process.Holds()
	r.Must(err)
	return h
}

// Await waits until something holds, while the host runs.
func (r *Trial) Await(what string, holds func() bool) {
	r.T.Helper()
	end := time.Now().Add(r.Limit)
	for asked := time.Now(); !holds(); asked = time.Now() {
		if time.Now().After(end) {
			r.T.Fatalf("%s: not within %s", what, r.Limit)
		}
		select {
		case <-r.Process.Ended():
			r.T.Fatalf("%s: the host ended", what)
		case <-r.T.Context().Done():
			r.T.Fatal(r.T.Context().Err())
		default:
		}
		// An account of many records takes long, and the host needs the time too.
		time.Sleep(max(50*time.Millisecond, time.Since(asked)))
	}
}

// Logged waits for a text in the host's log.
func (r *Trial) Logged(text string) {
	r.T.Helper()
	r.Await("the log line "+text, func() bool { return strings.Contains(r.Host.Log(), text) })
}

// Received is how many records have come.
func (r *Trial) Received() int {
	r.T.Helper()
	r.Must(r.Tally.AddFile(r.Host.Output()))
	return r.Tally.Received()
}

// Account compares what has come with what was served.
func (r *Trial) Account() Account {
	r.T.Helper()
	r.Received()
	if r.Expected != nil {
		return r.Tally.Account(r.Expected())
	}
	return r.Tally.Account(r.Service.Expected())
}

// Complete returns a function that reports whether every record has come. An account
// takes long, so it makes none unless more have come.
func (r *Trial) Complete() func() bool {
	r.T.Helper()
	served, latest := r.Account().Served, -1
	return func() bool {
		n := r.Received()
		if n < served || n == latest {
			return false
		}
		latest = n
		return r.Account().Lost == 0
	}
}

// All waits until every record has come.
func (r *Trial) All() {
	r.T.Helper()
	r.Await("all records", r.Complete())
}

// Some waits until more than so many records have come, or all.
func (r *Trial) Some(than int) {
	r.T.Helper()
	complete := r.Complete()
	r.Await("some records", func() bool { return r.Received() > than || complete() })
}

// Clean fails the test unless every record came once and nothing else, and none
// was handed over in a pause.
func (r *Trial) Clean() {
	r.T.Helper()
	if strings.Contains(r.Host.Log(), "appends in a pause") {
		r.T.Error("records were handed over in a pause")
	}
	if a := r.Account(); !a.Clean() || a.Served == 0 {
		r.T.Errorf("%v, foreign %d, unparsed %d, lost for instance %.300s", a, a.Foreign, a.Unparsed, a.FirstLost)
	}
}

// TakeChunks counts the chunks of a host that does not run, and takes them away.
func (r *Trial) TakeChunks() {
	r.T.Helper()
	r.Must(r.Tally.TakeChunks(r.Host.Storage()))
}

// Unconfirmed counts what a host that does not run has stored, in chunks or its output,
// and returns how many different records of it are not before the positions of the db,
// when all batches or files of SIEM logs have so many each.
func (r *Trial) Unconfirmed(recordsEach int) int {
	r.T.Helper()
	r.TakeChunks()
	r.Received()
	confirmed, err := r.Service.Confirmed(r.DB(), recordsEach)
	r.Must(err)
	stored := r.Tally.Different()
	if stored < confirmed {
		r.T.Fatalf("%d records are before the position, and only %d were stored", confirmed, stored)
	}
	return stored - confirmed
}

// OutputSize is how many bytes have come.
func (r *Trial) OutputSize() int64 {
	st, err := os.Stat(r.Host.Output())
	if err != nil {
		return 0
	}
	return st.Size()
}
