package collector

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/metric"
	"fluent-bit-mimecast/internal/simulator"
)

// scrape is how often a recorder notes the series.
const scrape = 30 * time.Second

// recorder notes the series of rigs in fake time, as a Prometheus that scrapes them.
type recorder struct {
	t       *testing.T
	rigs    []*rig
	began   time.Time // of the first sample
	samples int
	series  map[string][]float64 // NaN is no sample
	hung    bool                 // the host does nothing, and what it shows stands still
}

// record runs the rigs, with traffic before each sample; nil: without any.
func (rec *recorder) record(d time.Duration, traffic func(sample int)) {
	rec.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		if traffic != nil {
			traffic(rec.samples)
		}
		time.Sleep(time.Until(rec.next()) - 10*time.Second)
		for _, r := range rec.rigs {
			if r.collector != nil && !rec.hung {
				r.step(1 << 20)
			}
		}
		time.Sleep(time.Until(rec.next()))
		rec.sample()
	}
}

// next returns when the next sample is due.
func (rec *recorder) next() time.Time {
	if rec.began.IsZero() {
		rec.began = time.Now().Add(scrape)
	}
	return rec.began.Add(time.Duration(rec.samples) * scrape)
}

func (rec *recorder) sample() {
	values := map[string]float64{}
	for i, r := range rec.rigs {
		if r.collector == nil {
			continue
		}
		for _, s := range r.collector.Series() {
			row := s.ID.Metric()
			labels := []string{fmt.Sprintf("instance=%q", fmt.Sprint("host-", i)), `name="mimecast.0"`}
			for k, value := range s.Values {
				labels = append(labels, fmt.Sprintf("%s=%q", row.Labels[k+1], value))
			}
			values[metric.Namespace+"_"+row.Name+"{"+strings.Join(labels, ",")+"}"] = s.Read()
		}
	}
	for key := range values {
		if rec.series[key] == nil {
			rec.series[key] = slices.Repeat([]float64{math.NaN()}, rec.samples)
		}
	}
	for key, before := range rec.series {
		value, there := values[key]
		switch {
		case rec.hung:
			value = before[len(before)-1]
		case !there:
			value = math.NaN()
		}
		rec.series[key] = append(before, value)
	}
	rec.samples++
}

// rulesTest is a test of promtool's.
type rulesTest struct {
	Name     string        `json:"name"`
	Interval string        `json:"interval"`
	Series   []inputSeries `json:"input_series"`
	Queries  []queryTest   `json:"promql_expr_test"`
}

type inputSeries struct {
	Series string `json:"series"`
	Values string `json:"values"`
}

type queryTest struct {
	Query  string       `json:"expr"`
	At     string       `json:"eval_time"`
	Result []testSample `json:"exp_samples"`
}

type testSample struct {
	Labels string  `json:"labels"`
	Value  float64 `json:"value"`
}

// test returns the test that of all alerts those with the given names, and no others,
// fire at some time. Time in promtool begins at 0, and no position may be before.
func (rec *recorder) test(name string, alerts []string) rulesTest {
	began, earliest := seconds(rec.began), seconds(rec.began)
	rec.timestamps(func(v float64) float64 {
		if v > 0 {
			earliest = min(earliest, v)
		}
		return v
	})
	blank := int((began-earliest)/scrape.Seconds()) + 1
	start := float64(blank) * scrape.Seconds()
	rec.timestamps(func(v float64) float64 {
		if v > 0 {
			return v - began + start
		}
		return v
	})
	test := rulesTest{Name: name, Interval: scrape.String()}
	for key, values := range rec.series {
		spelled := []string{fmt.Sprintf("_x%d", blank)}
		for _, v := range values {
			if math.IsNaN(v) {
				spelled = append(spelled, "_")
				continue
			}
			spelled = append(spelled, strconv.FormatFloat(v, 'f', -1, 64))
		}
		test.Series = append(test.Series, inputSeries{key, strings.Join(spelled, " ")})
	}
	last := time.Duration(rec.samples-1) * scrape
	query := queryTest{
		// promtool prints the query alone.
		Query: fmt.Sprintf(`group by (alertname) (max_over_time(ALERTS{alertstate="firing"}[%ds])) # %s`, int(last.Seconds()), name),
		At:    (time.Duration(blank)*scrape + last).String(),
	}
	for _, alert := range alerts {
		query.Result = append(query.Result, testSample{fmt.Sprintf("{alertname=%q}", alert), 1})
	}
	test.Queries = []queryTest{query}
	return test
}

// timestamps changes the values that are times.
func (rec *recorder) timestamps(change func(float64) float64) {
	for key, values := range rec.series {
		if name, _, _ := strings.Cut(key, "{"); !strings.HasSuffix(name, "_timestamp_seconds") {
			continue
		}
		for i, v := range values {
			values[i] = change(v)
		}
	}
}

// twin starts another collector with the service of the first.
func (rec *recorder) twin(options ...string) {
	r := &rig{t: rec.t, sim: rec.rigs[0].sim, host: &fakeHost{}, dir: rec.t.TempDir()}
	r.statfs = r.slowStatfs
	r.configure(options...)
	r.start()
	rec.rigs = append(rec.rigs, r)
}

// fails has the service refuse every request from now on.
func (r *rig) fails() {
	r.t.Helper()
	if err := r.sim.SetFaults(simulator.Plan{Rate: 1, Faults: []simulator.Fault{simulator.FaultServerError}}); err != nil {
		r.t.Fatal(err)
	}
}

// traffic brings records of all logs every five minutes.
func (r *rig) traffic(sample int) {
	r.t.Helper()
	if sample%10 != 0 {
		return
	}
	r.addFiles(1, 5)
	for _, log := range simulator.Logs() {
		if err := r.sim.AddLogEvents(log, 5, simulator.LogEvents{Start: time.Now()}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// faultyStore is a checkpoint file that can't be written while it is full.
type faultyStore struct {
	delivery.Store
	full atomic.Bool
}

func (s *faultyStore) Commit(changes []checkpoint.Change) error {
	if s.full.Load() {
		return syscall.ENOSPC
	}
	return s.Store.Commit(changes)
}

// scene is a run, and the alerts that fire in it.
type scene struct {
	name    string
	options []string
	run     func(rec *recorder, r *rig)
	alerts  []string // in order
}

func scenes() []scene {
	return []scene{
		{"a normal hour with logs that the account lacks", []string{"logs", "all"}, func(rec *recorder, r *rig) {
			r.sim.Forbid("audit", "process")
			r.traffic(0)
			r.start()
			rec.record(50*time.Minute, r.traffic)
			r.stop()
			r.start()
			rec.record(50*time.Minute, r.traffic)
			r.inState("audit", metric.Unlicensed)
			if r.metric(metric.Records, "siem") == 0 {
				r.t.Error("there was no traffic")
			}
			r.inState("siem", metric.UpToDate)
		}, nil},
		{"a normal hour without news", []string{"logs", "all"}, func(rec *recorder, r *rig) {
			r.start()
			rec.record(75*time.Minute, nil)
		}, nil},
		{"a normal hour of API 1.0", []string{"api", "1", "logs", "all"}, func(rec *recorder, r *rig) {
			r.start()
			rec.record(75*time.Minute, func(sample int) {
				if sample < 60 { // then there is no news
					r.sim.AddBatch(20)
				}
			})
			r.inState("siem", metric.UpToDate)
		}, nil},
		{"refused credentials", []string{"client_secret", "wrong"}, func(rec *recorder, r *rig) {
			r.start()
			rec.record(2*time.Hour, nil)
		}, []string{"MimecastRefused"}},
		{"a named log that the account lacks", []string{"logs", "audit,url"}, func(rec *recorder, r *rig) {
			r.sim.Forbid("audit")
			r.start()
			rec.record(time.Hour, nil)
		}, []string{"MimecastRefused"}},
		{"a service that fails", nil, func(rec *recorder, r *rig) {
			r.start()
			rec.record(20*time.Minute, r.traffic)
			r.fails()
			rec.record(2*time.Hour, r.traffic)
		}, []string{"MimecastLag", "MimecastStalled"}},
		{"a service that fails at the first start", []string{"logs", "url"}, func(rec *recorder, r *rig) {
			r.fails()
			r.start()
			rec.record(2*time.Hour, nil)
		}, []string{"MimecastStalled"}},
		{"a service that fails for days", []string{"logs", "url"}, func(rec *recorder, r *rig) {
			r.start()
			r.run(10 * time.Minute)
			r.fails()
			r.run(5 * 24 * time.Hour)
			rec.record(2*time.Hour, nil)
		}, []string{"MimecastLag", "MimecastPositionOld", "MimecastStalled"}},
		{"a host that is paused for hours, as its output is down", nil, func(rec *recorder, r *rig) {
			r.start()
			rec.record(20*time.Minute, r.traffic)
			rec.record(10*time.Minute, nil) // for the queue to be empty
			r.handover.Pause()
			rec.hung = true
			rec.record(2*time.Hour, r.traffic)
			rec.hung = false
			r.handover.Resume()
			rec.record(20*time.Minute, r.traffic)
			r.inState("siem", metric.UpToDate)
		}, []string{"MimecastLag", "MimecastStalled"}},
		{"a host that is paused for an hour, and shows how the block goes on", []string{"logs", "url,audit"}, func(rec *recorder, r *rig) {
			r.start()
			rec.record(20*time.Minute, r.traffic)
			r.handover.Pause()
			rec.record(time.Hour, r.traffic)
		}, []string{"MimecastNotHandedOver"}},
		{"a host that refuses the few records that come", []string{"logs", "url"}, func(rec *recorder, r *rig) {
			r.start()
			rec.record(20*time.Minute, nil)
			r.host.refuse = math.MaxInt
			if err := r.sim.AddLogEvents("url", 1, simulator.LogEvents{Start: time.Now()}); err != nil {
				r.t.Fatal(err)
			}
			rec.record(time.Hour, nil)
		}, []string{"MimecastNotHandedOver"}},
		{"a type that fails from the first start on", []string{"siem_types", "receipt,process"}, func(rec *recorder, r *rig) {
			r.answerWith(func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Query().Get("type") == "process" {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				r.sim.ServeHTTP(w, req)
			})
			r.start()
			rec.record(90*time.Minute, r.traffic)
			r.inState("siem", metric.Failing)
			if r.metric(metric.Records, "siem") == 0 {
				r.t.Error("there was no traffic")
			}
		}, []string{"MimecastStalled"}},
		{"a file that can't be read", nil, func(rec *recorder, r *rig) {
			r.start()
			rec.record(10*time.Minute, nil)
			if err := r.sim.AddFaultyFiles("receipt", simulator.FaultLineBroken, 1, 50); err != nil {
				r.t.Fatal(err)
			}
			rec.record(time.Hour, nil)
		}, []string{"MimecastUnparsed"}},
		{"a disk that is nearly full", nil, func(rec *recorder, r *rig) {
			r.statfs = func(string) (uint64, uint64, error) { return reserve + 100<<20, 1 << 40, nil }
			r.start()
			rec.record(time.Hour, r.traffic)
		}, []string{"MimecastDiskLow"}},
		{"a disk that is full", []string{"logs", "url,audit"}, func(rec *recorder, r *rig) {
			var free atomic.Uint64
			free.Store(1 << 40)
			r.statfs = func(string) (uint64, uint64, error) { return free.Load(), 1 << 40, nil }
			r.start()
			rec.record(20*time.Minute, r.traffic)
			free.Store(reserve)
			rec.record(time.Hour, r.traffic)
		}, []string{"MimecastDiskLow", "MimecastNotHandedOver"}},
		{"a db that can't be written", nil, func(rec *recorder, r *rig) {
			r.start()
			rec.record(20*time.Minute, r.traffic)
			store := &faultyStore{Store: r.collector.committer.Store}
			store.full.Store(true)
			r.collector.committer.Store = store
			rec.record(40*time.Minute, r.traffic)
			store.full.Store(false)
			rec.record(20*time.Minute, r.traffic)
			r.inState("siem", metric.UpToDate)
		}, []string{"MimecastBlocked", "MimecastCommitsFailing"}},
		{"a db in use", []string{"logs", "url"}, func(rec *recorder, r *rig) {
			if err := os.MkdirAll(filepath.Dir(r.cfg.DB), 0o700); err != nil {
				r.t.Fatal(err)
			}
			other, err := bbolt.Open(r.cfg.DB, 0o600, nil)
			if err != nil {
				r.t.Fatal(err)
			}
			defer other.Close()
			r.start()
			rec.record(time.Hour, nil)
		}, []string{"MimecastBlocked"}},
		{"another collector with the same application", nil, func(rec *recorder, r *rig) {
			r.start()
			rec.twin("api", "2", "logs", "siem", "account", "another")
			rec.record(5*time.Hour, r.traffic)
		}, []string{"MimecastQuota"}},
		{"another collector of the same account", []string{"logs", "url,audit"}, func(rec *recorder, r *rig) {
			r.start()
			rec.twin("api", "2", "logs", "url")
			rec.record(time.Hour, r.traffic)
		}, []string{"MimecastCollectedTwice"}},
		{"a collector that is gone", nil, func(rec *recorder, r *rig) {
			r.start()
			rec.record(20*time.Minute, r.traffic)
			r.stop()
			rec.record(30*time.Minute, nil)
		}, []string{"MimecastGone"}},
	}
}

// provokesAll fails the test unless each alert but one fires in a scene. A
// configuration that can't be used is not the collector's to show.
func provokesAll(t *testing.T, rules string) {
	t.Helper()
	content, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	fires := map[string]bool{"MimecastMisconfigured": true}
	for _, s := range scenes() {
		for _, alert := range s.alerts {
			fires[alert] = true
		}
	}
	names := regexp.MustCompile(`- alert: (\w+)`).FindAllSubmatch(content, -1)
	if len(names) != len(fires) {
		t.Errorf("%d alerts, of which %d fire", len(names), len(fires))
	}
	for _, name := range names {
		if !fires[string(name[1])] {
			t.Errorf("%s fires in no scene", name[1])
		}
	}
}

// TestAlertsInRuns has promtool evaluate the alert rules over the series of collectors
// that run.
func TestAlertsInRuns(t *testing.T) {
	t.Parallel()
	notShort(t)
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("NO PROMTOOL on PATH: the alert rules are not tested")
	}
	rules, err := filepath.Abs("../../build/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	provokesAll(t, rules)
	var mu sync.Mutex
	var tests []rulesTest
	t.Run("runs", func(t *testing.T) {
		for _, scene := range scenes() {
			t.Run(scene.name, func(t *testing.T) {
				t.Parallel()
				withAPI2(t, simulator.Config{}, scene.options, func(r *rig) {
					rec := &recorder{t: t, rigs: []*rig{r}, series: map[string][]float64{}}
					scene.run(rec, r)
					for _, other := range rec.rigs[1:] {
						other.stop()
					}
					mu.Lock()
					defer mu.Unlock()
					tests = append(tests, rec.test(scene.name, scene.alerts))
				})
			})
		}
	})
	content, err := json.Marshal(map[string]any{"rule_files": []string{rules}, "evaluation_interval": "1m", "tests": tests})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "runs.yaml")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "test", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
