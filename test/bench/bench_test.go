// Package bench measures the plugin in a real Fluent Bit beside the way without
// it: the same records, downloaded and unpacked by somebody else for free, read
// by in_tail. Each round runs one after the other; the figures are medians over
// the rounds. It is run by make bench.
package bench

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/harness"
)

var (
	plugin  = flag.String("plugin", "", "the plugin; empty: nothing is measured")
	rounds  = flag.Int("rounds", 3, "rounds; the figures are their medians")
	records = flag.Int64("records", 10_000_000, "records of a run of the plugin; in_tail gets a tenth")
	idle    = flag.Duration("idle", 65*time.Second, "how long to be idle")
	only    = flag.String("only", "", "run only one part: throughput, links, decode, memory, ids, stop, idle, many")
	blocks  = flag.Int("blocks", 50, "blocks that catch up at once; twice as many are idle")
)

type bench struct {
	t                      *testing.T
	fluentBit, plugin, dir string
	rounds                 int
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// got ends a test with an error, if there is one, and returns the value otherwise.
func got[V any](value V, err error) func(*testing.T) V {
	return func(t *testing.T) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestBench(t *testing.T) {
	if *plugin == "" {
		t.Skip("it takes ten minutes: see make bench")
	}
	if harness.FindFluentBit() == "" {
		fmt.Println("*** NO FLUENT BIT on PATH nor in FLUENT_BIT: NOTHING WAS MEASURED ***")
		t.Skip("no Fluent Bit")
	}
	f := got(harness.DescribeFluentBit())(t)
	path := got(filepath.Abs(*plugin))(t)
	fmt.Printf("Fluent Bit %s, %s, %d cores, %s, rounds: %d\n\n", f.Version, runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format("2006-01-02"), *rounds)
	fmt.Println("| what | measured | beside it | ratio |\n|---|---|---|---|")
	ran := 0
	for _, part := range []struct {
		name string
		run  func(*bench)
	}{
		{"throughput", func(b *bench) { b.throughput(*records) }},
		{"links", func(b *bench) { b.links(*records) }},
		{"decode", (*bench).decode},
		{"ids", func(b *bench) { b.ids(*records / 3) }},
		{"memory", (*bench).memory},
		{"stop", (*bench).stopping},
		{"idle", func(b *bench) { b.idle(*idle) }},
		{"many", func(b *bench) { b.many(*blocks, *records) }},
	} {
		if *only == "" || *only == part.name {
			ran++
			t.Run(part.name, func(t *testing.T) {
				part.run(&bench{t: t, fluentBit: f.Path, plugin: path, dir: t.TempDir(), rounds: *rounds})
			})
		}
	}
	if ran == 0 {
		t.Errorf("there is no part %q", *only)
	}
}

func row(what, measured, beside, ratio string) {
	fmt.Printf("| %s | %s | %s | %s |\n", what, measured, beside, ratio)
}

func median[T cmp.Ordered](values []T) T {
	s := slices.Clone(values)
	slices.Sort(s)
	return s[len(s)/2]
}

// host is a Fluent Bit with the plugin that collects from a service into
// out_null.
func (b *bench) host(s *service, options ...string) harness.Host {
	dir := b.t.TempDir()
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
	}
}

// collect measures the plugin over so many batches of a fixture.
func (b *bench) collect(archives [][]byte, batches int, records int64, options ...string) run {
	s := got(startService(archives, batches))(b.t)
	defer s.close()
	h := b.host(s, options...)
	return got(measure(h, records))(b.t)
}

// throughput compares the plugin with in_tail, in both formats.
func (b *bench) throughput(records int64) {
	for _, format := range []string{"json", "key_value"} {
		f := got(makeFixture(format))(b.t)
		total := int64(len(f.archives)) * f.records
		row("fixture, "+format, fmt.Sprintf("%d bytes a record", f.unpacked/total), fmt.Sprintf("%d deflated", f.packed/total),
			fmt.Sprintf("%.1f", float64(f.unpacked)/float64(f.packed)))
		r := got(makeRival(f, int(records/10/f.records), filepath.Join(b.dir, format)))(b.t)
		var ours, theirs, rates, rivalRates, growths, ratios []float64
		var peaks []int
		for range b.rounds {
			a := b.collect(f.archives, int(records/f.records), records, "logs", "siem", "siem_format", format)
			dir := b.t.TempDir()
			host := got(r.host(b.fluentBit, dir))(b.t)
			t := got(measure(host, r.records))(b.t)
			ours, theirs = append(ours, micros(a.perRecord())), append(theirs, micros(t.perRecord()))
			ratios = append(ratios, float64(t.perRecord())/float64(a.perRecord()))
			rates, rivalRates = append(rates, a.rate()), append(rivalRates, t.rate())
			growths, peaks = append(growths, a.growth()), append(peaks, a.peak)
			for _, figure := range []float64{a.rate(), t.rate(), a.growth()} {
				if math.IsNaN(figure) || math.IsInf(figure, 0) {
					b.t.Fatalf("runs of %d and %d records are over too soon to be measured: give more with -records", records, r.records)
				}
			}
		}
		row("CPU of the whole process for a record, "+format+" in zip; in_tail", fmt.Sprintf("%.2f µs", median(ours)), fmt.Sprintf("%.2f µs", median(theirs)),
			fmt.Sprintf("%.1f times less", median(ratios)))
		row("records a second, "+format+"; in_tail", thousands(median(rates)), thousands(median(rivalRates)), fmt.Sprintf("%.1f", median(rates)/median(rivalRates)))
		row(fmt.Sprintf("CPU for a record, %s: last fifth of %d records; first fifth", format, records), "", "", fmt.Sprintf("%.2f", median(growths)))
		row("peak memory, "+format, megabytes(median(peaks)), "", "")
		b.must(os.RemoveAll(r.dir))
	}
}

// decode compares decoding with inflating, on one core.
func (b *bench) decode() {
	for _, format := range []string{"json", "key_value"} {
		f := got(makeFixture(format))(b.t)
		var inflate, decode, ratios, allocations []float64
		for range 3 * b.rounds {
			d := got(measureDecoding(f))(b.t)
			n := float64(int64(len(f.archives)) * f.records)
			inflate, decode = append(inflate, micros(d.inflate)/n), append(decode, micros(d.decode)/n)
			ratios, allocations = append(ratios, float64(d.decode)/float64(d.inflate)), append(allocations, d.allocations)
		}
		row("decoding "+format+" for a record; inflating it", fmt.Sprintf("%.3f µs", median(decode)), fmt.Sprintf("%.3f µs", median(inflate)), fmt.Sprintf("%.2f", median(ratios)))
		row("allocations for a record, "+format, fmt.Sprintf("%.4f", median(allocations)), "", "")
	}
}

// memory is the peak with a large archive and a larger one.
func (b *bench) memory() {
	f := got(makeFixture("json"))(b.t)
	for _, size := range []int64{100 << 20, 1 << 30} {
		archive, records, err := f.enlarged(size)
		b.must(err)
		var peaks []int
		for range b.rounds {
			r := b.collect([][]byte{archive}, 1, records, "logs", "siem", "mem_buf_limit", "20M")
			peaks = append(peaks, r.peak)
		}
		row(fmt.Sprintf("peak memory, mem_buf_limit 20M, one archive of %d MiB unpacked", size>>20), megabytes(median(peaks)), "", "")
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func megabytes(n int) string { return fmt.Sprintf("%d MB", n/1e6) }

func thousands(n float64) string { return fmt.Sprintf("%.0f,000", math.Round(n/1000)) }
