// Command demo runs the plugin against the bundled simulator and shows that
// every record comes out of the host once.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	// patience is how long the records may take.
	patience = 60 * time.Second
)

func main() {
	plugin := flag.String("plugin", "build/mimecast.so", "the plugin")
	mini := flag.String("minihost", "build/minihost", "the small host, used where there is no Fluent Bit")
	api := flag.Int("api", 2, "the version of Mimecast's API, 1 or 2")
	flag.Parse()
	if err := run(*plugin, *mini, *api); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(plugin, mini string, api int) error {
	if api != 1 && api != 2 {
		return fmt.Errorf("there is no API %d", api)
	}
	service, err := harness.StartService(simulator.Config{})
	if err != nil {
		return err
	}
	defer service.Close()
	logs, err := fill(service, api)
	if err != nil {
		return err
	}
	paged := simulator.Logs()
	for _, log := range paged {
		err := service.AddLogEvents(log, events, simulator.LogEvents{Start: time.Now().Add(-time.Hour), PerSecond: 3, TwinEvery: 10})
		if err != nil {
			return err
		}
	}

	dir, err := os.MkdirTemp("", "mimecast-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	host, err := makeHost(service, plugin, mini, dir, api)
	if err != nil {
		return err
	}
	fmt.Printf("a simulated Mimecast of API %d.0 has %s and %d events of each of %d logs\n\n", api, logs, events, len(paged))
	account, err := collect(host, service)
	if err != nil {
		return fmt.Errorf("%w\nthe host's log:\n%s", err, host.Log())
	}
	if err := show(host.Output()); err != nil {
		return err
	}
	fmt.Println(account)
	if !account.Clean() {
		return fmt.Errorf("the account is not clean; the host's log:\n%s", host.Log())
	}
	return nil
}

// fill adds SIEM logs, and returns them in words.
func fill(service *harness.Service, api int) (logs string, err error) {
	if api == 1 {
		for range batches {
			service.AddBatch(recordsPerBatch)
		}
		return fmt.Sprintf("%d batches of %d SIEM records", batches, recordsPerBatch), nil
	}
	types := slices.Concat(simulator.EventTypes(), simulator.CITypes())
	for _, kind := range types {
		if err := service.AddFiles(kind, files, recordsPerFile); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d files of %d SIEM records, of %d types,", files*len(types), recordsPerFile, len(types)), nil
}

func makeHost(service *harness.Service, plugin, mini, dir string, api int) (harness.Host, error) {
	plugin, err := filepath.Abs(plugin)
	if err != nil {
		return harness.Host{}, err
	}
	if mini, err = filepath.Abs(mini); err != nil {
		return harness.Host{}, err
	}
	options := []string{"db", filepath.Join(dir, "mimecast.db"), "logs", "all"}
	input := service.Input2(options...)
	if api == 1 {
		input = service.Input(options...)
	}
	host := harness.Host{
		FluentBit: harness.FindFluentBit(), MiniHost: mini, Plugin: plugin, Dir: dir,
		Inputs: []harness.Input{input}, Env: service.Env(),
	}
	if host.FluentBit != "" {
		fmt.Println("running in", host.FluentBit)
	} else {
		fmt.Println("no fluent-bit on PATH: running in the small host", mini)
	}
	return host, nil
}

// collect runs the host until all records are there, or for as long as patience
// lasts.
func collect(host harness.Host, service *harness.Service) (account harness.Account, err error) {
	process, err := host.Start(context.Background())
	if err != nil {
		return account, err
	}
	end := time.After(patience)
	for waiting := true; waiting; {
		select {
		case <-process.Ended():
			return account, errors.New("the host ended by itself")
		case <-end:
			waiting = false
		case <-time.After(200 * time.Millisecond):
			if account, err = harness.TallyFile(service.Expected(), host.Output()); err != nil || account.Lost == 0 {
				waiting = false
			}
		}
	}
	if stopped := process.Stop(); stopped != nil && err == nil {
		err = fmt.Errorf("stopping the host: %w", stopped)
	}
	if err != nil {
		return account, err
	}
	return harness.TallyFile(service.Expected(), host.Output())
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
