package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"fluent-bit-mimecast/internal/metric"
)

// TestMonitoringHasTheTables fails when docs/monitoring.md is stale; go test
// ./internal/config -update writes it.
func TestMonitoringHasTheTables(t *testing.T) {
	fresh(t, "../../docs/monitoring.md", map[string]string{"metrics": metric.Markdown(), "alerts": alertDocs(t)})
}

// rule is an alert rule of Prometheus'.
type rule struct {
	Alert, For          string
	Labels, Annotations map[string]string
}

func alertRules(t *testing.T) (rules []rule) {
	t.Helper()
	content, err := os.ReadFile("../../build/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct{ Rules []rule }
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}

// alertDocs returns the table of the alert rules.
func alertDocs(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| alert | severity | after | what is wrong, and what to do |\n|---|---|---|---|\n")
	for _, r := range alertRules(t) {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.Alert, r.Labels["severity"], r.For, r.Annotations["description"])
	}
	return b.String()
}

// TestAlertsSayWhatToDo has each alert say enough for whoever it wakes, and name
// sections of docs/troubleshooting.md that there are.
func TestAlertsSayWhatToDo(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(string(page), -1)
	pointer := regexp.MustCompile(`[Ss]ee ([^.;]+) in docs/troubleshooting.md\.$`)
	for _, r := range alertRules(t) {
		if r.For == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
			t.Errorf("%s lacks its time, its severity or its summary", r.Alert)
		}
		found := pointer.FindStringSubmatch(r.Annotations["description"])
		if found == nil {
			if r.Alert != "MimecastGone" { // there is no log to look at
				t.Errorf("%s does not name a section of the page", r.Alert)
			}
			continue
		}
		rest := found[1]
		for _, h := range headings {
			rest = strings.ReplaceAll(rest, h[1], "")
		}
		if strings.TrimSpace(rest) != "" && rest != " and " {
			t.Errorf("%s names %q, which is no section of the page", r.Alert, found[1])
		}
	}
}
