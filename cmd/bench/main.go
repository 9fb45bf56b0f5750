// Command bench measures the plugin in a real Fluent Bit beside the way without
// it: the same records, downloaded and unpacked by somebody else for free, read
// by in_tail. Each round runs one after the other; the figures are medians over
// the rounds.
//
//	go run ./cmd/bench -plugin build/mimecast.so
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/harness"
)

type bench struct {
	fluentBit, plugin, dir string
	rounds                 int
	runs                   int // so far, to name their folders
}

func main() {
	b := &bench{}
	flag.StringVar(&b.plugin, "plugin", "build/mimecast.so", "the plugin")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds; the figures are their medians")
	records := flag.Int64("records", 10_000_000, "records of a run of the plugin; in_tail gets a tenth")
	idle := flag.Duration("idle", 65*time.Second, "how long to be idle")
	only := flag.String("only", "", "run only one part: throughput, links, decode, memory, ids, stop, idle, many")
	blocks := flag.Int("blocks", 50, "blocks that catch up at once; twice as many are idle")
	flag.Parse()
	if err := b.main(*records, *idle, *blocks, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) main(records int64, idle time.Duration, blocks int, only string) error {
	if b.fluentBit = harness.FindFluentBit(); b.fluentBit == "" {
		fmt.Println("*** NO FLUENT BIT on PATH nor in FLUENT_BIT: NOTHING WAS MEASURED ***")
		return nil
	}
	var err error
	if b.plugin, err = filepath.Abs(b.plugin); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "mimecast-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	version, err := exec.CommandContext(context.Background(), b.fluentBit, "--version").Output()
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(version), "\n")
	fmt.Printf("%s, %s, %d cores, %s, rounds: %d\n\n", first, runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format("2006-01-02"), b.rounds)
	fmt.Println("| what | measured | beside it | ratio |\n|---|---|---|---|")
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"throughput", func() error { return b.throughput(records) }},
		{"links", func() error { return b.links(records) }},
		{"decode", b.decode},
		{"ids", func() error { return b.ids(records / 3) }},
		{"memory", b.memory},
		{"stop", b.stopping},
		{"idle", func() error { return b.idle(idle) }},
		{"many", func() error { return b.many(blocks, records) }},
	} {
		if only == "" || only == part.name {
			if err := part.run(); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	return nil
}

func row(what, measured, beside, ratio string) {
	fmt.Printf("| %s | %s | %s | %s |\n", what, measured, beside, ratio)
}

func median[T cmp.Ordered](values []T) T {
	s := slices.Clone(values)
	slices.Sort(s)
	return s[len(s)/2]
}

// folder is a new one for a run.
func (b *bench) folder() (string, error) {
	b.runs++
	dir := filepath.Join(b.dir, fmt.Sprint(b.runs))
	return dir, os.Mkdir(dir, 0o700)
}

// host is a Fluent Bit with the plugin that collects from a service into
// out_null.
func (b *bench) host(s *service, options ...string) (harness.Host, error) {
	dir, err := b.folder()
	if err != nil {
		return harness.Host{}, err
	}
	in := harness.Input{
		{"base_url", s.url}, {"app_id", "app"}, {"app_key", "key"}, {"access_key", "access"}, {"secret_key", "c2VjcmV0"},
	}
	for i := 0; i+1 < len(options); i += 2 {
		in = append(in, [2]string{options[i], options[i+1]})
	}
	if !slices.Contains(options, "db") {
		in = append(in, [2]string{"db", filepath.Join(dir, "mimecast.db")})
	}
	return harness.Host{
		FluentBit: b.fluentBit, Plugin: b.plugin, Dir: dir, Memory: true,
		Inputs: []harness.Input{in}, Pipeline: toNull,
	}, nil
}

// collect measures the plugin over so many batches of a fixture.
func (b *bench) collect(archives [][]byte, batches int, records int64, options ...string) (run, error) {
	s, err := startService(archives, batches)
	if err != nil {
		return run{}, err
	}
	defer s.close()
	h, err := b.host(s, options...)
	if err != nil {
		return run{}, err
	}
	return measure(h, records)
}

// throughput compares the plugin with in_tail, in both formats.
func (b *bench) throughput(records int64) error {
	for _, format := range []string{"json", "key_value"} {
		f, err := makeFixture(format)
		if err != nil {
			return err
		}
		total := int64(len(f.archives)) * f.records
		row("fixture, "+format, fmt.Sprintf("%d bytes a record", f.unpacked/total), fmt.Sprintf("%d deflated", f.packed/total),
			fmt.Sprintf("%.1f", float64(f.unpacked)/float64(f.packed)))
		r, err := makeRival(f, int(records/10/f.records), filepath.Join(b.dir, format))
		if err != nil {
			return err
		}
		var ours, theirs, rates, rivalRates, growths, ratios []float64
		var peaks []int
		for range b.rounds {
			a, err := b.collect(f.archives, int(records/f.records), records, "logs", "siem", "siem_format", format)
			if err != nil {
				return err
			}
			dir, err := b.folder()
			if err != nil {
				return err
			}
			host, err := r.host(b.fluentBit, dir)
			if err != nil {
				return err
			}
			t, err := measure(host, r.records)
			if err != nil {
				return err
			}
			ours, theirs = append(ours, micros(a.perRecord())), append(theirs, micros(t.perRecord()))
			ratios = append(ratios, float64(t.perRecord())/float64(a.perRecord()))
			rates, rivalRates = append(rates, a.rate()), append(rivalRates, t.rate())
			growths, peaks = append(growths, a.growth()), append(peaks, a.peak)
			for _, figure := range []float64{a.rate(), t.rate(), a.growth()} {
				if math.IsNaN(figure) || math.IsInf(figure, 0) {
					return fmt.Errorf("runs of %d and %d records are over too soon to be measured: give more with -records", records, r.records)
				}
			}
		}
		row("CPU of the whole process for a record, "+format+" in zip; in_tail", fmt.Sprintf("%.2f µs", median(ours)), fmt.Sprintf("%.2f µs", median(theirs)),
			fmt.Sprintf("%.1f times less", median(ratios)))
		row("records a second, "+format+"; in_tail", thousands(median(rates)), thousands(median(rivalRates)), fmt.Sprintf("%.1f", median(rates)/median(rivalRates)))
		row(fmt.Sprintf("CPU for a record, %s: last fifth of %d records; first fifth", format, records), "", "", fmt.Sprintf("%.2f", median(growths)))
		row("peak memory, "+format, megabytes(median(peaks)), "", "")
		if err := os.RemoveAll(r.dir); err != nil {
			return err
		}
	}
	return nil
}

// decode compares decoding with inflating, on one core.
func (b *bench) decode() error {
	for _, format := range []string{"json", "key_value"} {
		f, err := makeFixture(format)
		if err != nil {
			return err
		}
		var inflate, decode, ratios, allocations []float64
		for range 3 * b.rounds {
			d, err := measureDecoding(f)
			if err != nil {
				return err
			}
			n := float64(int64(len(f.archives)) * f.records)
			inflate, decode = append(inflate, micros(d.inflate)/n), append(decode, micros(d.decode)/n)
			ratios, allocations = append(ratios, float64(d.decode)/float64(d.inflate)), append(allocations, d.allocations)
		}
		row("decoding "+format+" for a record; inflating it", fmt.Sprintf("%.3f µs", median(decode)), fmt.Sprintf("%.3f µs", median(inflate)), fmt.Sprintf("%.2f", median(ratios)))
		row("allocations for a record, "+format, fmt.Sprintf("%.4f", median(allocations)), "", "")
	}
	return nil
}

// memory is the peak with a large archive and a larger one.
func (b *bench) memory() error {
	f, err := makeFixture("json")
	if err != nil {
		return err
	}
	for _, size := range []int64{100 << 20, 1 << 30} {
		archive, records, err := f.enlarged(size)
		if err != nil {
			return err
		}
		var peaks []int
		for range b.rounds {
			r, err := b.collect([][]byte{archive}, 1, records, "logs", "siem", "mem_buf_limit", "20M")
			if err != nil {
				return err
			}
			peaks = append(peaks, r.peak)
		}
		row(fmt.Sprintf("peak memory, mem_buf_limit 20M, one archive of %d MiB unpacked", size>>20), megabytes(median(peaks)), "", "")
	}
	return nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func megabytes(n int) string { return fmt.Sprintf("%d MB", n/1e6) }

func thousands(n float64) string { return fmt.Sprintf("%.0f,000", math.Round(n/1000)) }
