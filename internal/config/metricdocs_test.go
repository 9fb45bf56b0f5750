package config

import (
	"testing"

	"fluent-bit-mimecast/internal/metric"
)

// TestMonitoringHasTheTable fails when docs/monitoring.md is stale; go test
// ./internal/config -update writes it.
func TestMonitoringHasTheTable(t *testing.T) {
	fresh(t, "../../docs/monitoring.md", map[string]string{"metrics": metric.Markdown()})
}
