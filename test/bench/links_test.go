package bench

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// Files of API 2.0 have so many records, and pages so many links.
const (
	fileRecords = 5000
	pageLinks   = 100
	// memoryFiles are enough of a type to measure the peak of memory by.
	memoryFiles = 20
)

// linkService is a Mimecast of API 2.0 that costs next to nothing: each type has
// one file, to which so many links lead.
type linkService struct {
	url    string
	server *http.Server
	each   int // links of a type
	// Bytes of all files.
	unpacked, packed int
	files            map[string][]byte // by type
}

// startLinks starts one. The caller closes its server.
func startLinks(each int) (*linkService, error) {
	sim, err := simulator.New(simulator.Config{Seed: 1})
	if err != nil {
		return nil, err
	}
	defer sim.Close()
	s := &linkService{each: each, files: map[string][]byte{}}
	for n, kind := range simulator.EventTypes() {
		if err := sim.AddFiles(kind, 1, fileRecords); err != nil {
			return nil, err
		}
		if s.files[kind], err = sim.RawEventFile(n); err != nil {
			return nil, err
		}
		packed := s.files[kind]
		s.unpacked += int(binary.LittleEndian.Uint32(packed[len(packed)-4:])) // as gzip ends
		s.packed += len(packed)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.url = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // until it is closed
	return s, nil
}

func (s *linkService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if r.URL.Path != simulator.PathToken && r.URL.Path != simulator.PathEvents {
		kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, simulator.PathLinks), "/")
		_, _ = w.Write(s.files[kind]) // the client sees what went wrong
		return
	}
	answer := map[string]any{"access_token": "token", "token_type": "Bearer", "expires_in": 1799}
	if r.URL.Path == simulator.PathEvents {
		first, _ := strconv.Atoi(query.Get("nextPage")) // none: the first
		end := min(first+pageLinks, s.each)
		links := []map[string]any{}
		for n := first; n < end; n++ {
			links = append(links, map[string]any{
				"url":    fmt.Sprintf("%s%s%s/%d.json.gz", s.url, simulator.PathLinks, strings.ReplaceAll(query.Get("type"), " ", "%20"), n),
				"expiry": time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "size": 1,
			})
		}
		answer = map[string]any{"value": links, "@nextPage": strconv.Itoa(end), "isCaughtUp": end == s.each}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// links compares the files of API 2.0 with the JSON in zip of API 1.0.
func (b *bench) links(records int64) {
	f := got(makeFixture("json"))(b.t)
	s := got(startLinks(0))(b.t)
	s.server.Close()
	all := len(s.files) * fileRecords
	size := float64(s.unpacked) / float64(all)
	sizeBefore := float64(f.unpacked) / float64(int64(len(f.archives))*f.records)
	row("bytes of a record, API 2.0; API 1.0, JSON in zip", fmt.Sprintf("%.0f", size), fmt.Sprintf("%.0f", sizeBefore), fmt.Sprintf("%.2f", size/sizeBefore))
	row("deflated", fmt.Sprintf("%.0f", float64(s.packed)/float64(all)), fmt.Sprintf("%.0f", float64(f.packed)/float64(int64(len(f.archives))*f.records)), "")
	types := int64(len(simulator.EventTypes()))
	each := max(records/types/fileRecords, 1)
	var ours, before, ratios, rates, ratesBefore, growths []float64
	var peaks, peaksBefore []int
	for range b.rounds {
		a := b.collectLinks(int(each), each*types*fileRecords)
		c := b.collect(f.archives, int(records/f.records), records/f.records*f.records, "logs", "siem")
		ours, before = append(ours, micros(a.perRecord())), append(before, micros(c.perRecord()))
		ratios = append(ratios, float64(a.perRecord())/float64(c.perRecord()))
		rates, ratesBefore = append(rates, a.rate()), append(ratesBefore, c.rate())
		peaks, peaksBefore = append(peaks, a.peak), append(peaksBefore, c.peak)
		growths = append(growths, a.growth())
	}
	row("CPU of the whole process for a record, API 2.0; API 1.0, JSON in zip", fmt.Sprintf("%.2f µs", median(ours)), fmt.Sprintf("%.2f µs", median(before)), fmt.Sprintf("%.2f", median(ratios)))
	row("CPU for a KiB of log files, API 2.0; API 1.0", fmt.Sprintf("%.2f µs", median(ours)/size*1024), fmt.Sprintf("%.2f µs", median(before)/sizeBefore*1024), fmt.Sprintf("%.2f", median(ratios)*sizeBefore/size))
	row("records a second, API 2.0; API 1.0", thousands(median(rates)), thousands(median(ratesBefore)), fmt.Sprintf("%.2f", median(rates)/median(ratesBefore)))
	row(fmt.Sprintf("CPU for a record, API 2.0: last fifth of %d records; first fifth", each*types*fileRecords), "", "", fmt.Sprintf("%.2f", median(growths)))
	row("peak memory, API 2.0; API 1.0", megabytes(median(peaks)), megabytes(median(peaksBefore)), "")
	b.linksMemory(int(min(each, memoryFiles)), min(each, memoryFiles)*types*fileRecords)
}

// linksMemory is the peak where the host bounds what it holds.
func (b *bench) linksMemory(each int, records int64) {
	var peaks []int
	for range b.rounds {
		r := b.collectLinks(each, records, "mem_buf_limit", "20M")
		peaks = append(peaks, r.peak)
	}
	row("peak memory, mem_buf_limit 20M, API 2.0", megabytes(median(peaks)), "", "")
}

func (b *bench) collectLinks(each int, records int64, options ...string) run {
	s := got(startLinks(each))(b.t)
	defer s.server.Close()
	dir := b.t.TempDir()
	in := harness.Input{
		{"base_url", s.url},
		{"client_id", "client"},
		{"client_secret", "secret"},
		{"logs", "siem"},
		{"db", filepath.Join(dir, "mimecast.db")},
	}
	for i := 0; i+1 < len(options); i += 2 {
		in = append(in, [2]string{options[i], options[i+1]})
	}
	return got(measure(harness.Host{
		FluentBit: b.fluentBit, Plugin: b.plugin, Dir: dir, Memory: true, Pipeline: toNull,
		Inputs: []harness.Input{in},
	}, records))(b.t)
}
