package faults

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// paused lets the output be down for a while with memory storage and a limit.
func (s *suite) paused(instances int) result {
	r := s.rig(simulator.Config{})
	out := newOutput()
	defer out.server.Close()
	r.Host.Memory = true
	r.Host.Service = map[string]string{"scheduler.base": "1", "scheduler.cap": "2"}
	r.Host.Pipeline = out.pipeline()
	r.Host.Inputs = nil
	for _, logs := range []string{"siem", "impersonation"}[:instances] {
		r.Host.Inputs = append(r.Host.Inputs, r.Input("logs", logs, "mem_buf_limit", "5M"))
	}
	r.add(60)
	if instances == 2 {
		r.Service.AddEvents(40000, time.Now().Add(-4*time.Hour), 3)
	}
	r.Start()
	peak := 0
	for range 2 {
		r.Logged("paused (mem buf overlimit")
		for range 10 {
			time.Sleep(time.Second)
			peak = max(peak, r.Holds().Resident)
		}
		out.set(true)
		time.Sleep(2 * time.Second)
		out.set(false)
	}
	out.set(true)
	r.Await("all records", func() bool {
		time.Sleep(time.Second)
		return out.account(r).Lost == 0
	})
	r.Stop()
	note := fmt.Sprintf("%d MB resident at most", peak>>20)
	if peak > 256<<20 {
		r.T.Error("memory is not bounded")
	}
	return result{account: out.account(r), note: note}
}

// output is the other end of an HTTP output, down at first.
type output struct {
	server *httptest.Server
	mu     sync.Mutex
	up     bool
	tally  harness.Tally
	err    error
}

func newOutput() *output {
	o := &output{}
	o.server = httptest.NewServer(o)
	return o
}

func (o *output) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.up {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(r.Body)
	for _, line := range bytes.Split(bytes.TrimSpace(body), []byte("\n")) {
		if err == nil {
			err = o.tally.Add(line)
		}
	}
	if err != nil && o.err == nil {
		o.err = err
	}
}

func (o *output) set(up bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.up = up
}

func (o *output) account(r *rig) harness.Account {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.Must(o.err)
	return o.tally.Account(r.Service.Expected())
}

func (o *output) pipeline() string {
	host, port, _ := strings.Cut(strings.TrimPrefix(o.server.URL, "http://"), ":")
	return fmt.Sprintf("  outputs:\n    - {name: http, match: \"*\", host: %s, port: %s, format: json_lines, json_date_key: false, retry_limit: no_limits}\n", host, port)
}
