package main

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
func (s *suite) paused(instances int) (result, error) {
	r, err := s.rig(simulator.Config{})
	if err != nil {
		return result{}, err
	}
	defer r.close()
	out := newOutput()
	defer out.server.Close()
	r.host.Memory = true
	r.host.Service = map[string]string{"scheduler.base": "1", "scheduler.cap": "2"}
	r.host.Pipeline = out.pipeline()
	r.host.Inputs = nil
	for _, logs := range []string{"siem", "impersonation"}[:instances] {
		r.host.Inputs = append(r.host.Inputs, r.input("logs", logs, "mem_buf_limit", "5M"))
	}
	r.add(60)
	if instances == 2 {
		r.service.AddEvents(40000, time.Now().Add(-4*time.Hour), 3)
	}
	if err := r.start(); err != nil {
		return result{}, err
	}
	peak := 0
	for range 2 {
		if err := r.logged("paused (mem buf overlimit", 30*time.Second); err != nil {
			return result{}, err
		}
		for range 10 {
			time.Sleep(time.Second)
			p, err := r.process.Holds()
			if err != nil {
				return result{}, err
			}
			peak = max(peak, p.Resident)
		}
		out.set(true)
		time.Sleep(2 * time.Second)
		out.set(false)
	}
	out.set(true)
	var a harness.Account
	err = r.await("all records", 3*time.Minute, func() (bool, error) {
		time.Sleep(time.Second)
		a = out.account(r)
		return a.Lost == 0, out.failed()
	})
	if err != nil {
		return result{account: a}, err
	}
	if err := r.stop(); err != nil {
		return result{}, err
	}
	note := fmt.Sprintf("%d MB resident at most", peak>>20)
	if peak > 256<<20 {
		err = fmt.Errorf("memory is not bounded")
	}
	return result{account: out.account(r), note: note}, err
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
	return o.tally.Account(r.service.Expected())
}

func (o *output) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *output) pipeline() string {
	host, port, _ := strings.Cut(strings.TrimPrefix(o.server.URL, "http://"), ":")
	return fmt.Sprintf("  outputs:\n    - {name: http, match: \"*\", host: %s, port: %s, format: json_lines, json_date_key: false, retry_limit: no_limits}\n", host, port)
}
