package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"strings"
	"testing"

	"fluent-bit-mimecast/internal/simulator"
)

func TestRun(t *testing.T) {
	for api, ask := range map[string]struct {
		path, credential string
		status           int // without a signature or bearer token
	}{
		"1": {simulator.PathSIEM, "app_key: ", http.StatusMethodNotAllowed},
		"2": {simulator.PathEvents, "client_secret: ", http.StatusUnauthorized},
	} {
		t.Run(api, func(t *testing.T) { serves(t, api, ask.path, ask.credential, ask.status) })
	}
}

func serves(t *testing.T, api, path, credential string, status int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	printed, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-api", api, "-listen", "127.0.0.1:0", "-batches", "2", "-records", "10", "-fault-rate", "0.5"}, out)
		out.Close()
	}()
	base, known := "", false
	for lines := bufio.NewScanner(printed); lines.Scan(); {
		if _, address, found := strings.Cut(lines.Text(), "base_url: "); found {
			base = strings.Trim(address, `"`)
		}
		known = known || strings.Contains(lines.Text(), credential)
		if strings.Contains(lines.Text(), "match:") {
			break
		}
	}
	answer, err := http.Get(base + path)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != status || !known {
		t.Errorf("got %d, credentials %v", answer.StatusCode, known)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("a stop is no error: %v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"-faults", "typhoon"}, {"-api", "3.0"}, {"-fault-rate", "2"}, {"-listen", "nowhere"}, {"and"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%v: got %v", args, err)
		}
	}
}
