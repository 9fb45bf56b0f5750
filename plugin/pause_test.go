package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// receiver is an output's other end, which can be down.
type receiver struct {
	server *httptest.Server
	down   atomic.Bool
	mu     sync.Mutex
}

// receive makes a receiver of the bench's records, in the place of its file
// output.
func (b *bench) receive() *receiver {
	b.t.Helper()
	r := &receiver{}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		f, err := os.OpenFile(b.Host.Output(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			var body []byte
			if body, err = io.ReadAll(req.Body); err == nil {
				_, err = f.Write(append(bytes.TrimRight(body, "\n"), '\n'))
			}
			_ = f.Close()
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	b.t.Cleanup(r.server.Close)
	host, port, _ := strings.Cut(strings.TrimPrefix(r.server.URL, "http://"), ":")
	b.Host.Service = map[string]string{"scheduler.base": "1", "scheduler.cap": "2"}
	b.Host.Pipeline = fmt.Sprintf("  outputs:\n    - {name: http, match: \"*\", host: %s, port: %s, format: json_lines, json_date_key: false, retry_limit: no_limits}\n", host, port)
	return r
}

func TestPauses(t *testing.T) {
	for _, instances := range []int{1, 2} {
		t.Run(fmt.Sprint(instances), func(t *testing.T) {
			t.Parallel()
			inFluentBit(t, func(b *bench) {
				r := b.receive()
				r.down.Store(true)
				b.Host.Memory = true
				b.Host.Inputs = nil
				for i := range instances {
					// Two tenants would have two hosts; two files do as well here.
					b.Host.Inputs = append(b.Host.Inputs, b.Service.Input("logs", []string{"siem", "impersonation"}[i], "db", b.DB(), "poll_interval", "1s", "mem_buf_limit", "2M"))
				}
				for range 20 {
					b.Service.AddBatch(2000)
				}
				if instances == 2 {
					b.Service.AddEvents(20000, time.Now().Add(-3*time.Hour), 3)
				}
				b.Start()
				b.Logged("mimecast.0 paused (mem buf overlimit")
				time.Sleep(3 * time.Second)
				if p, err := b.Process.Holds(); err != nil || p.Resident > 200<<20 {
					b.t.Errorf("%d MB in memory while paused, %v", p.Resident>>20, err)
				}
				r.down.Store(false)
				b.All()
				b.Stop()
				b.Clean()
			})
		})
	}
}
