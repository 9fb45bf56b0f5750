package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/harness"
)

// patience is how long a run may take without any progress.
const patience = 60 * time.Second

// sample is what a host had done at a time.
type sample struct {
	at      time.Time
	cpu     time.Duration
	records int64
}

// run is what a host took for some records.
type run struct {
	records int64
	cpu     time.Duration // of the whole process, from its start to its end
	peak    int           // bytes resident
	stop    time.Duration // from SIGTERM to the end
	samples []sample      // about one a second
}

func (r run) perRecord() time.Duration { return r.cpu / time.Duration(r.records) }

// rate is records a second, without start and end.
func (r run) rate() float64 {
	first, last := r.steady()
	return float64(last.records-first.records) / last.at.Sub(first.at).Seconds()
}

// steady is the part between the first records and the last.
func (r run) steady() (first, last sample) {
	for _, s := range r.samples {
		if s.records > 0 && first.records == 0 {
			first = s
		}
		if s.records < r.records {
			last = s
		}
	}
	return first, last
}

// growth is the cost of a record at the end of the run as a ratio to that at
// its start, a fifth of the records each.
func (r run) growth() float64 {
	first, last := r.steady()
	cost := func(from, to int64) float64 {
		a, b := first, first
		for _, s := range r.samples {
			if s.records <= from && s.records > 0 {
				a = s
			}
			if s.records <= to && s.records <= last.records {
				b = s
			}
		}
		return float64(b.cpu-a.cpu) / float64(b.records-a.records)
	}
	fifth := r.records / 5
	return cost(4*fifth, 5*fifth) / cost(0, fifth)
}

// metrics is a service section that shows a host's counts, and their address.
func metrics() (map[string]string, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return map[string]string{"http_server": "on", "http_listen": "127.0.0.1", "http_port": port},
		"http://127.0.0.1:" + port + "/api/v1/metrics", l.Close()
}

// counted asks a host how many records have come in from each input and in all; none
// if it can't tell yet.
func counted(url string) (each []int64, total int64) {
	client := http.Client{Timeout: 5 * time.Second}
	r, err := client.Get(url)
	if err != nil {
		return nil, 0
	}
	defer r.Body.Close()
	var m struct {
		Input map[string]struct {
			Records int64 `json:"records"`
		} `json:"input"`
	}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		return nil, 0
	}
	for name, in := range m.Input {
		if name != "storage_backlog.0" {
			each = append(each, in.Records)
			total += in.Records
		}
	}
	return each, total
}

// measure runs a host until it has taken so many records, and stops it.
func measure(h harness.Host, records int64) (r run, err error) {
	service, url, err := metrics()
	if err != nil {
		return r, err
	}
	for k, v := range h.Service {
		service[k] = v
	}
	h.Service = service
	p, err := h.Start(context.Background())
	if err != nil {
		return r, err
	}
	defer p.Kill()
	r.records = records
	progress := time.Now()
	for last := int64(0); ; {
		select {
		case <-p.Ended():
			return r, fmt.Errorf("the host ended by itself:\n%s", h.Log())
		case <-time.After(20 * time.Millisecond):
		}
		_, n := counted(url)
		if n != last {
			last, progress = n, time.Now()
			cpu, err := cpuOf(p.PID())
			if err != nil {
				return r, err
			}
			r.samples = append(r.samples, sample{progress, cpu, n})
		}
		if n >= records {
			break
		}
		if time.Since(progress) > patience {
			return r, fmt.Errorf("%d of %d records, and no more:\n%s", n, records, h.Log())
		}
	}
	held, err := p.Holds()
	if err != nil {
		return r, err
	}
	r.peak = held.Peak
	r.stop, err = stop(p)
	r.cpu = p.CPU()
	return r, err
}

func stop(p *harness.Process) (time.Duration, error) {
	began := time.Now()
	err := p.Stop()
	return time.Since(began), err
}

// cpuOf is what all threads of a process have taken so far.
func cpuOf(pid int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	for _, t := range tasks {
		line, err := os.ReadFile(t)
		if err != nil {
			continue // a thread that has just ended
		}
		onCPU, _, _ := strings.Cut(string(line), " ")
		n, err := strconv.ParseInt(onCPU, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", t, err)
		}
		sum += n
	}
	return time.Duration(sum), nil
}
