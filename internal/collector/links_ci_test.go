package collector

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/position"
	"fluent-bit-mimecast/internal/simulator"
	"fluent-bit-mimecast/mimecast"
)

// addCIFiles adds files of every type of Cloud Integrated.
func (r *rig) addCIFiles(each, records int) {
	r.t.Helper()
	for _, kind := range mimecast.SIEMTypesCI() {
		if err := r.sim.AddFiles(kind, each, records); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestCIEverythingOnce has both logs of links beside each other, over a restart.
func TestCIEverythingOnce(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"logs", "siem,siem_ci,impersonation", "tag_by_type", "on"}, func(r *rig) {
		for range 2 {
			r.addFiles(2, 60)
			r.addCIFiles(3, 100)
			r.sim.AddEvents(50, time.Now().Add(-time.Minute), 10)
			r.start()
			r.run(30 * time.Minute)
			r.stop()
			r.clean()
		}
		tags := map[string]int{}
		for _, s := range r.host.stored {
			tags[s.tag]++
		}
		for _, tag := range []string{"siem_ci.entities", "siem_ci.mailflow", "siem_ci.urlclick"} {
			if tags[tag] != 2*3*100 {
				t.Errorf("%d records with the tag %s", tags[tag], tag)
			}
		}
		r.notLogged("level=WARN", "level=ERROR")
	})
}

// TestCIFaults has all faults of API 2.0 at a third of all requests.
func TestCIFaults(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{EventsLimit: 1000, EventsWindow: time.Minute}, []string{"logs", "siem_ci"}, func(r *rig) {
		for range 4 {
			r.addCIFiles(2, 30)
		}
		mayRepeat := []simulator.Fault{simulator.FaultInvalidToken, simulator.FaultPageTokenStale, simulator.FaultZipBomb}
		passing := slices.DeleteFunc(simulator.EventFaults(), func(f simulator.Fault) bool { return slices.Contains(mayRepeat, f) })
		if err := r.sim.SetFaults(simulator.Plan{Rate: 0.3, Faults: passing}); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.run(2 * time.Hour)
		if err := r.sim.SetFaults(simulator.Plan{}); err != nil {
			t.Fatal(err)
		}
		r.run(2 * time.Hour)
		r.clean()
	})
}

// TestCIThatIsNotLicensed disturbs no other log, and is warned of once a day. The other
// types say it as information.
func TestCIThatIsNotLicensed(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"logs", "siem,siem_ci", "siem_types", "receipt"}, func(r *rig) {
		r.sim.Forbid(simulator.CITypes()...)
		if err := r.sim.AddFiles("receipt", 2, 10); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.run(12 * time.Hour)
		r.clean()
		r.count("fetching fails", 3)
		r.count(`level=WARN msg="fetching fails"`, 1)
		r.logged(`what_to_do="the API application needs the product Threats, Security Events and Data for CI"`)
		r.sim.Forbid()
		r.addCIFiles(1, 10)
		r.run(time.Hour)
		r.clean()
	})
}

// TestCIHasAQuotaOfItsOwn goes on while that of the other log is spent, and stays
// within its own when it starts anew again and again.
func TestCIHasAQuotaOfItsOwn(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"logs", "siem,siem_ci"}, func(r *rig) {
		r.addFiles(1, 10)
		r.addCIFiles(1, 10)
		for range 20 {
			r.start()
			r.run(10 * time.Second)
			r.kill()
		}
		ci := 0
		for _, s := range r.host.stored {
			if strings.Contains(s.record, `"log_source":"siem_ci"`) {
				ci++
			}
		}
		if ci < 30 {
			t.Errorf("%d records of Cloud Integrated", ci)
		}
		asked := r.sim.Requests()
		at, atCI := asked.At(simulator.PathEvents), asked.At(simulator.PathEventsCI)
		if at != quotaCalls || atCI <= 20 || atCI > quotaCalls {
			t.Errorf("%d calls, and %d of Cloud Integrated", at, atCI)
		}
		r.start()
		r.run(2 * time.Hour)
		if a := r.account(r.sim.Expected()); a.lost+a.foreign+a.unparsed > 0 {
			t.Errorf("%+v", a)
		}
		r.stop()
		if n := r.sim.Requests().PeakEvents; n > quotaCalls {
			t.Errorf("%d calls in a quarter of an hour", n)
		}
		r.notLogged("status 429")
		store, err := openStore(r)
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore(r)
		for _, log := range []string{"calls", "calls:siem_ci"} {
			var calls position.Calls
			if _, err := store.Load(checkpoint.Key{Account: r.cfg.Account, Log: log}, &calls); err != nil || len(calls.Calls) == 0 {
				t.Errorf("%s: %d calls are kept, %v", log, len(calls.Calls), err)
			}
		}
	})
}

// TestCIWithoutAccountCodes goes on with another application id.
func TestCIWithoutAccountCodes(t *testing.T) {
	t.Parallel()
	withAPI2(t, simulator.Config{}, []string{"logs", "siem_ci", "account", "acme"}, func(r *rig) {
		for range 2 {
			if err := r.sim.AddFiles("urlclick", 2, 10); err != nil {
				t.Fatal(err)
			}
			r.start()
			r.run(10 * time.Minute)
			r.stop()
			r.clean()
			r.cfg.AppID = "other-client"
		}
		r.logged("the position was reached with another application id")
		r.notLogged("another Mimecast customer's")
	})
}

// TestCIDoesNotGoOnFromAPI1 starts from initial_lookback.
func TestCIDoesNotGoOnFromAPI1(t *testing.T) {
	t.Parallel()
	withRig(t, simulator.Config{}, []string{"logs", "siem", "account", "acme"}, func(r *rig) {
		r.sim.AddBatch(50)
		r.start()
		r.run(10 * time.Minute)
		r.stop()
		r.addCIFiles(1, 10)
		time.Sleep(3 * 24 * time.Hour)
		r.configure("api", "2", "logs", "siem,siem_ci", "account", "acme")
		r.start()
		r.run(30 * time.Minute)
		r.stop()
		r.clean()
		r.count("going on from where API 1.0 ended", len(mimecast.SIEMTypes()))
		r.count("no position yet: starting from initial_lookback", len(mimecast.SIEMTypesCI()))
	})
}

// TestPlainFilesOfCI are log files, also without ids.
func TestPlainFilesOfCI(t *testing.T) {
	t.Parallel()
	lines := `{"authResults":[{"aligned":null,"result":"pass","type":"DMARC"}],"messageId":"<a>","subtype":null,"timestamp":946684800123,"type":"mailflow"}` + "\n"
	withAPI2(t, simulator.Config{}, []string{"logs", "siem_ci"}, func(r *rig) {
		f := &fileService{page: func(n int, _ string) filePage {
			if n == 1 {
				return filePage{[]string{"A"}, "c1", true}
			}
			return filePage{nil, "c1", true}
		}}
		f.file = func(w http.ResponseWriter, _ *http.Request, _ string, _ int) { _, _ = io.WriteString(w, lines) }
		r.answerWith(f.ServeHTTP)
		r.start()
		r.run(time.Minute)
		want := `{"authResults":[{"aligned":null,"result":"pass","type":"DMARC"}],"log_source":"siem_ci","log_type":"mailflow","messageId":"<a>","subtype":null,"timestamp":946684800123,"type":"mailflow"}`
		if len(r.host.stored) != 1 || r.host.stored[0].record != want {
			t.Errorf("got %+v", r.host.stored)
		}
		r.notLogged("level=WARN")
	})
}
