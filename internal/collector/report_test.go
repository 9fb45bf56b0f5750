package collector

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/mimecast"
)

func testCredentials() (mimecast.Credentials, error) {
	return mimecast.Credentials{AppID: "app-id", AppKey: "app-key", AccessKey: "access-key", SecretKey: "c2VjcmV0LWtleQ=="}, nil
}

func TestReportOfARateLimitThatIsUsedUp(t *testing.T) {
	check := func(reset, want string) {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ratelimit-Remaining", "0")
			w.Header().Set("X-Ratelimit-Reset", reset)
		}))
		defer server.Close()
		base, _ := url.Parse(server.URL)
		var log logBuffer
		client, err := newClient(config.Config{BaseURL: base, Credentials: testCredentials, HTTPTimeout: time.Minute, TLSVerify: true},
			slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		for range 3 {
			_, _ = client.SIEMLogs(ctx, mimecast.SIEMRequest{})
		}
		if lines := log.String(); strings.Count(lines, "\n") > 1 || !strings.Contains(lines, want) || (want == "") != (lines == "") {
			t.Errorf("reset %s: got %q, want %q once", reset, lines, want)
		}
	}
	check("30000", "")
	check("90000", `level=WARN msg="waiting for the service's rate limit" wait=1m30s what_to_do=`)
	check("86400000", "wait=15m0s")
}
