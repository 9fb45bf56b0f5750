package metric

import (
	"regexp"
	"strings"
	"testing"
)

// TestTheTable holds the table to Prometheus' conventions.
func TestTheTable(t *testing.T) {
	units := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, id := range All() {
		m := id.Metric()
		switch {
		case !units.MatchString(m.Name), seen[m.Name]:
			t.Errorf("the name %q is no name, or another metric's too", m.Name)
		case m.Counter != strings.HasSuffix(m.Name, "_total"):
			t.Errorf("%s: counters alone end in _total", m.Name)
		case m.Help == "" || strings.HasSuffix(m.Help, "."):
			t.Errorf("%s: the help %q", m.Name, m.Help)
		case m.Labels[0] != "name":
			t.Errorf("%s: the labels are %q", m.Name, m.Labels)
		}
		seen[m.Name] = true
	}
	for s := Unlicensed; s <= Misconfigured; s++ {
		if !strings.Contains(LogState.Metric().Help, s.String()) {
			t.Errorf("the help of %s lacks %q", LogState.Metric().Name, s)
		}
	}
}
