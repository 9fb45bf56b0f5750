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
)

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	printed, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-listen", "127.0.0.1:0", "-batches", "2", "-records", "10", "-fault-rate", "0.5"}, out)
		out.Close()
	}()
	base := ""
	for lines := bufio.NewScanner(printed); lines.Scan(); {
		if _, address, found := strings.Cut(lines.Text(), "base_url: "); found {
			base = strings.Trim(address, `"`)
		}
		if strings.Contains(lines.Text(), "match:") {
			break
		}
	}
	answer, err := http.Get(base + "/api/audit/get-siem-logs")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("got %d", answer.StatusCode)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("a stop is no error: %v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"-faults", "typhoon"}, {"-fault-rate", "2"}, {"-listen", "nowhere"}, {"and"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%v: got %v", args, err)
		}
	}
}
