package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/metric"
	"fluent-bit-mimecast/internal/simulator"
)

// serveMetrics has the host show its metrics, and returns where.
func (b *bench) serveMetrics() (url string) {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	b.Host.Service = map[string]string{"http_server": "on", "http_listen": host, "http_port": port}
	return "http://" + l.Addr().String() + "/api/v2/metrics/prometheus"
}

// scrape returns the series of the plugin, by their names with labels as they stand
// there; nil if the host does not answer.
func scrape(url string) map[string]float64 {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	series := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil && strings.HasPrefix(name, metric.Namespace+"_") {
			series[name] = n
		}
	}
	return series
}

// total returns the sum of the series of a metric, of all blocks.
func total(series map[string]float64, id metric.ID) (sum int) {
	for name, value := range series {
		if strings.HasPrefix(name, metric.Namespace+"_"+id.Metric().Name+"{") {
			sum += int(value)
		}
	}
	return sum
}

// TestMetricsAgreeWithTheAccount has two blocks, one of each API, with faults at a fifth
// of all requests, bytes that can't be read, logs that start anew, and reloads, all
// under a hundred scrapes a second.
func TestMetricsAgreeWithTheAccount(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		url := b.serveMetrics()
		b.Host.Inputs = []harness.Input{
			b.Service.Input("alias", "one", "logs", "siem", "db", b.DB(), "poll_interval", "1s", "http_timeout", "5s"),
			b.Service.Input2("alias", "two", "logs", "siem,impersonation", "db", b.DB(), "poll_interval", "1s", "http_timeout", "5s"),
		}
		plan := simulator.Plan{Rate: 0.2, Seed: 5, Faults: []simulator.Fault{
			simulator.FaultServerError, simulator.FaultHTML, simulator.FaultBodyCut, simulator.FaultReset, simulator.FaultNotAZip,
			simulator.FaultZipCut, simulator.FaultTokenUnverified, simulator.FaultLinkExpired, simulator.FaultGzipMembers,
		}}
		b.Must(b.Service.SetFaults(plan))
		var scrapes atomic.Int32
		done, scraping := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(scraping)
			for {
				select {
				case <-done:
					return
				case <-time.After(5 * time.Millisecond):
				}
				if len(scrape(url)) > 0 { // else it starts, or reloads
					scrapes.Add(1)
				}
			}
		}()
		defer func() {
			close(done)
			<-scraping
		}()
		b.addFiles(20, 500, "receipt", "process", "delivery")
		b.Start("-Y")
		var before harness.Account
		for life := range 3 {
			for range 10 {
				b.Service.AddBatch(2000)
			}
			if _, err := b.Service.AddFaultyBatch(simulator.FaultFilePoisoned, 100); err != nil {
				b.t.Fatal(err)
			}
			b.Service.AddBatch(100)
			b.Service.AddEvents(50, time.Now().Add(-time.Minute), 5)
			b.All()
			if life == 2 { // API 1.0 starts anew
				b.Must(b.Service.SetFaults(simulator.Plan{}))
				b.Service.NextAt(simulator.PathSIEM, simulator.FaultInvalidToken, simulator.FaultInvalidToken)
				b.Logged("starting again from the earliest logs")
				b.Await("all records again", func() bool { return b.Account().Twice >= 3*20_000 })
			}
			var now harness.Account
			var series map[string]float64
			agree := func() bool { // once nothing is under way
				now, series = b.Account(), scrape(url)
				for tries := 0; series == nil && tries < 20; tries++ { // the host may drop a connection
					time.Sleep(100 * time.Millisecond)
					series = scrape(url)
				}
				unconfirmed := total(series, metric.Records) - total(series, metric.Confirmed)
				return series != nil && total(series, metric.Records) == now.Received-before.Received &&
					total(series, metric.Unparsed) == now.Unparsed-before.Unparsed &&
					total(series, metric.Repeated) == now.Twice-before.Twice &&
					unconfirmed >= 0 && unconfirmed <= 2 && // the last record of each block
					total(series, metric.Queued)+total(series, metric.InFlight) == 0
			}
			b.Await("the metrics to agree with the account", agree)
			time.Sleep(1500 * time.Millisecond) // they are set once more
			b.Await("a scrape", func() bool { return scrape(url) != nil })
			if !agree() {
				b.t.Errorf("%v after %v, and metrics of %v", now, before, series)
			}
			for name, log := range map[string]string{"one": "siem", "two": "impersonation"} {
				state := fmt.Sprintf(`%s_%s{name=%q,log=%q,`, metric.Namespace, metric.LogState.Metric().Name, name, log)
				for s, value := range series {
					if strings.HasPrefix(s, state) && metric.State(value) < metric.UpToDate {
						b.t.Errorf("%s is %v", s, metric.State(value))
					}
				}
			}
			before = now
			if life < 2 {
				b.Reload()
			}
		}
		b.Stop()
		a := b.Account()
		if a.Lost+a.Foreign > 0 || a.Unparsed == 0 || a.Twice == 0 {
			b.t.Errorf("%+v", a)
		}
		if scrapes.Load() < 100 {
			b.t.Errorf("only %d scrapes", scrapes.Load())
		}
		b.t.Logf("%v, unparsed %d, %d scrapes", a, a.Unparsed, scrapes.Load())
	})
}

// TestBugInAMetric has a series that can't be made.
func TestBugInAMetric(t *testing.T) {
	t.Parallel()
	var functions [6]uintptr // the host has none of them
	plug := struct{ name, api, input, context unsafe.Pointer }{api: unsafe.Pointer(&functions)}
	var log strings.Builder
	i := &instance{host: newHost(unsafe.Pointer(&plug)), log: slog.New(slog.NewTextHandler(&log, nil))}
	i.showMetrics([]metric.Series{{ID: -1}})
	if !strings.Contains(log.String(), "a bug in this plugin") || i.metrics.series != nil {
		t.Errorf("%d series, and the log is %q", len(i.metrics.series), log.String())
	}
}
