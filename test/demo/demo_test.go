// Package demo runs the plugin against the bundled simulator and shows that every
// record comes out of the host once. It is run by make demo.
package demo

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

const (
	batches         = 12
	recordsPerBatch = 400
	files           = 12 // of each type
	recordsPerFile  = 40
	events          = 100 // of each log that comes in pages
)

var (
	plugin = flag.String("plugin", "", "the plugin; empty: nothing is run")
	mini   = flag.String("minihost", "", "the small host, used where there is no Fluent Bit")
	api    = flag.Int("api", 2, "the version of Mimecast's API, 1 or 2")
)

func TestDemo(t *testing.T) {
	if *plugin == "" {
		t.Skip("it is for people to see: see make demo")
	}
	if *api != 1 && *api != 2 {
		t.Fatalf("there is no API %d", *api)
	}
	host := harness.Host{FluentBit: harness.FindFluentBit()}
	var err error
	if host.Plugin, err = filepath.Abs(*plugin); err != nil {
		t.Fatal(err)
	}
	if host.MiniHost, err = filepath.Abs(*mini); err != nil {
		t.Fatal(err)
	}
	if host.FluentBit != "" {
		fmt.Println("running in", host.FluentBit)
	} else {
		fmt.Println("no fluent-bit on PATH: running in the small host", host.MiniHost)
	}
	r := harness.NewTrial(t, host, simulator.Config{})
	input := r.Input2
	if *api == 1 {
		input = r.Input
	}
	r.Host.Inputs = []harness.Input{input("logs", "all")}
	siem := fill(r)
	paged := simulator.Logs()
	for _, log := range paged {
		r.Must(r.Service.AddLogEvents(log, events, simulator.LogEvents{Start: time.Now().Add(-time.Hour), PerSecond: 3, TwinEvery: 10}))
	}
	fmt.Printf("a simulated Mimecast of API %d.0 has %s and %d events of each of %d logs\n\n", *api, siem, events, len(paged))
	r.Start()
	r.All()
	r.Stop()
	r.Must(show(r.Host.Output()))
	fmt.Println(r.Account())
	r.Clean()
}

// fill adds SIEM logs, and returns them in words.
func fill(r *harness.Trial) string {
	if *api == 1 {
		for range batches {
			r.Service.AddBatch(recordsPerBatch)
		}
		return fmt.Sprintf("%d batches of %d SIEM records", batches, recordsPerBatch)
	}
	types := slices.Concat(simulator.EventTypes(), simulator.CITypes())
	for _, kind := range types {
		r.Must(r.Service.AddFiles(kind, files, recordsPerFile))
	}
	return fmt.Sprintf("%d files of %d SIEM records, of %d types,", files*len(types), recordsPerFile, len(types))
}

// show prints one record of each type.
func show(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	shown := map[string]bool{}
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := in.Text()
		_, rest, _ := strings.Cut(line, `"log_type":"`)
		logType, _, _ := strings.Cut(rest, `"`)
		source, _, _ := strings.Cut(strings.TrimPrefix(line, `{"log_source":"`), `"`)
		if key := source + "." + logType; !shown[key] {
			shown[key] = true
			fmt.Printf("%.160s…\n", line)
		}
	}
	fmt.Println()
	return in.Err()
}
