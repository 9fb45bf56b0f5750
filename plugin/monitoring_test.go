package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/harness"
)

const monitoring = "../build/monitoring/"

// waits are the times that alerts wait before they fire.
var waits = regexp.MustCompile(`(?m)^ +for: .*\n`)

// prometheus is a real one that scrapes the host of a bench and has the alert rules,
// without their waits.
type prometheus struct {
	t       *testing.T
	address string
}

// scraped starts a Prometheus, and has the host show its metrics to it.
func (b *bench) scraped() *prometheus {
	b.t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		b.t.Skip("NO PROMETHEUS on PATH: the alert rules and the dashboard are not tried with one")
	}
	target := freeAddress(b.t)
	host, port, _ := strings.Cut(target, ":")
	b.Host.Service = map[string]string{"http_server": "on", "http_listen": host, "http_port": port}
	content, err := os.ReadFile(monitoring + "alerts.yaml")
	if err != nil {
		b.t.Fatal(err)
	}
	rules := filepath.Join(b.Host.Dir, "alerts.yaml")
	b.Must(os.WriteFile(rules, waits.ReplaceAll(content, nil), 0o600))
	config := filepath.Join(b.Host.Dir, "prometheus.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - {job_name: fluent-bit, metrics_path: /api/v2/metrics/prometheus, static_configs: [{targets: [%q]}]}
`, rules, target), 0o600); err != nil {
		b.t.Fatal(err)
	}
	p := &prometheus{b.t, freeAddress(b.t)}
	cmd := exec.Command(path, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(b.Host.Dir, "tsdb"), "--web.listen-address="+p.address)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	b.Must(cmd.Start())
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if b.t.Failed() {
			b.t.Logf("the end of Prometheus' log:\n%s", log.String()[max(0, log.Len()-2000):])
		}
	})
	return p
}

// freeAddress returns one of loopback that nothing listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// get asks the API, and reports whether it answers.
func (p *prometheus) get(path string, data any) bool {
	p.t.Helper()
	resp, err := http.Get("http://" + p.address + "/api/v1/" + path)
	if err != nil {
		return false // it starts
	}
	defer resp.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return false
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status != "success" {
		p.t.Fatalf("%s: %v %s", path, err, answer.Error)
	}
	return true
}

// has reports whether a query gives a number.
func (p *prometheus) has(query string) bool {
	p.t.Helper()
	var data struct {
		Result []struct {
			Value [2]any // the time, and the number as a text
		}
	}
	if !p.get("query?query="+url.QueryEscape(query), &data) {
		return false
	}
	for _, r := range data.Result {
		if r.Value[1] != "NaN" {
			return true
		}
	}
	return false
}

// alert is one that fires.
type alert struct {
	Labels, Annotations map[string]string
	State               string
}

// alerts returns those of a name that fire.
func (p *prometheus) alerts(name string) (found []alert) {
	p.t.Helper()
	var data struct{ Alerts []alert }
	p.get("alerts", &data)
	for _, a := range data.Alerts {
		if a.Labels["alertname"] == name && a.State == "firing" {
			found = append(found, a)
		}
	}
	return found
}

// dashboardQueries returns the queries of the panels, by what they show, with the
// variables as Grafana fills them in.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, RefID string }
		}
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "20s", "$name", ".*", "$account", ".*")
	queries := map[string]string{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries[panel.Title+" "+target.RefID] = fill.Replace(target.Expr)
		}
	}
	return queries
}

// TestPrometheusSeesTheMetrics has a real Prometheus evaluate each query of the
// dashboard, and the alert rules while a block can't be used.
func TestPrometheusSeesTheMetrics(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		p := b.scraped()
		good := b.Service.Input2("db", b.DB(), "poll_interval", "1s", "logs", "all", "account", "example")
		b.Host.Inputs = []harness.Input{good}
		b.Start("-Y")
		queries := dashboardQueries(t)
		if len(queries) < 12 {
			t.Errorf("%d queries in the dashboard", len(queries))
		}
		for title, query := range queries {
			b.Await(title+" "+query, func() bool {
				b.Service.AddEvents(10, time.Now(), 10)
				return p.has(query)
			})
		}
		if bad := p.alerts("MimecastMisconfigured"); len(bad) > 0 {
			t.Errorf("of a block that works: %v", bad)
		}

		b.Host.Inputs = []harness.Input{b.Service.Input2("db", b.DB(), "logs", "everything")}
		if err := b.Host.WriteConfig(); err != nil {
			t.Fatal(err)
		}
		b.Reload()
		b.Await("the alert", func() bool { return len(p.alerts("MimecastMisconfigured")) > 0 })
		a := p.alerts("MimecastMisconfigured")[0]
		if summary := a.Annotations["summary"]; !strings.HasPrefix(summary, "mimecast.0 on 127.0.0.1:") {
			t.Errorf("the summary is %q", summary)
		}
		b.Stop()
	})
}
