package metric

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

const monitoring = "../../build/monitoring/"

// foreign are the labels that are not the plugin's.
var foreign = []string{"instance", "job", "alertname", "alertstate", "severity"}

var (
	use       = regexp.MustCompile(`\b` + Namespace + `_([a-z_]+)(?:\{([^}]*)\})?`)
	matcher   = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*\\?["']`)
	grouping  = regexp.MustCompile(`\b(?:by|without|ignoring|on|group_left) \(([a-z_, ]*)\)`)
	template  = regexp.MustCompile(`\$labels\.([a-z_]+)|\{\{([a-z_]+)\}\}`)
	alertName = regexp.MustCompile(`- alert: (\w+)`)
	word      = regexp.MustCompile(`[a-z_]+`)
)

// TestMonitoringUsesTheTable holds the alert rules, their tests and the dashboard to the
// metrics and labels that there are.
func TestMonitoringUsesTheTable(t *testing.T) {
	t.Parallel()
	labels, known := map[string][]string{}, slices.Clone(foreign)
	for _, id := range All() {
		m := id.Metric()
		labels[m.Name] = append(slices.Clone(foreign), m.Labels...)
		known = append(known, m.Labels...)
	}
	for _, file := range []string{"alerts.yaml", "alerts_test.yaml", "dashboard.json"} {
		b, err := os.ReadFile(monitoring + file)
		if err != nil {
			t.Fatal(err)
		}
		uses := use.FindAllStringSubmatch(string(b), -1)
		if len(uses) < 10 {
			t.Errorf("%s: %d uses of metrics are found", file, len(uses))
		}
		for _, u := range uses {
			have := labels[u[1]]
			if have == nil {
				t.Errorf("%s: there is no metric %s_%s", file, Namespace, u[1])
			}
			for _, m := range matcher.FindAllStringSubmatch(u[2], -1) {
				if !slices.Contains(have, m[1]) {
					t.Errorf("%s: %s has no label %s", file, u[1], m[1])
				}
			}
		}
		for _, g := range grouping.FindAllStringSubmatch(string(b), -1) {
			for _, label := range word.FindAllString(g[1], -1) {
				if !slices.Contains(known, label) {
					t.Errorf("%s: no metric has the label %s", file, label)
				}
			}
		}
		for _, v := range template.FindAllStringSubmatch(string(b), -1) {
			if label := v[1] + v[2]; !slices.Contains(known, label) {
				t.Errorf("%s: no metric has the label %s", file, label)
			}
		}
	}
}

// TestAlerts has promtool test the alert rules.
func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("NO PROMTOOL on PATH: the alert rules are not tested")
	}
	tests, err := os.ReadFile(monitoring + "alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile(monitoring + "alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	names := alertName.FindAllStringSubmatch(string(rules), -1)
	if len(names) < 10 {
		t.Errorf("%d alerts are found", len(names))
	}
	for _, name := range names {
		if !bytes.Contains(tests, []byte(name[1])) {
			t.Errorf("%s is not tested", name[1])
		}
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = filepath.FromSlash(monitoring)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}

// dashboard is what is looked at of a dashboard of Grafana's.
type dashboard struct {
	Panels []struct {
		Title       string `json:"title"`
		FieldConfig struct {
			Defaults struct {
				Mappings []struct {
					Options map[string]struct {
						Index int    `json:"index"`
						Text  string `json:"text"`
					} `json:"options"`
				} `json:"mappings"`
			} `json:"defaults"`
		} `json:"fieldConfig"`
	} `json:"panels"`
}

// TestDashboardSpellsTheStates holds the texts of the panel State to the states.
func TestDashboardSpellsTheStates(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	mapped := 0
	for _, p := range d.Panels {
		for _, m := range p.FieldConfig.Defaults.Mappings {
			mapped++
			if len(m.Options) != int(Misconfigured)+1 {
				t.Errorf("%s: %d states", p.Title, len(m.Options))
			}
			for s := Unlicensed; s <= Misconfigured; s++ {
				if o := m.Options[fmt.Sprint(int(s))]; o.Text != s.String() || o.Index != int(s) {
					t.Errorf("%s: the state %d is %+v, want %q", p.Title, s, o, s)
				}
			}
		}
	}
	if mapped != 1 {
		t.Errorf("%d panels spell states", mapped)
	}
}
