package collector

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestQuotasOfTenants has tenants that do not take each other's calls, and blocks of
// one application that do.
func TestQuotasOfTenants(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var quotas Quotas
		took := func(host, appID, log string, calls int) time.Duration {
			t.Helper()
			q := quotas.of(host, appID, log)
			began := time.Now()
			for range calls {
				if err := q.acquire(t.Context(), true); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(began)
		}
		for _, c := range []struct {
			name, host, appID, log string
			waits                  bool
		}{
			{"the first", "a.example.com", "one", "siem", false},
			{"another tenant", "a.example.com", "two", "siem", false},
			{"another log", "a.example.com", "one", "siem_ci", false},
			{"another host", "b.example.com", "one", "siem", false},
			{"another block of the first", "a.example.com", "one", "siem", true},
		} {
			if d := took(c.host, c.appID, c.log, quotaCalls); (d >= quotaWindow) != c.waits || !c.waits && d > 0 {
				t.Errorf("%s waited %v", c.name, d)
			}
		}
	})
}
