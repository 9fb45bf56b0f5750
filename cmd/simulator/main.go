// Command simulator serves a simulated Mimecast, API 1.0 and 2.0, over plain HTTP,
// for demonstrations and for trying a collector by hand. It prints the credentials
// to use as a ready Fluent Bit configuration, and serves until it is told to
// stop by SIGINT or SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// passingFaults are those a collector gets over by asking again.
const passingFaults = "token_expired,token_unverified,link_twice,link_expired,gzip_members,rate_limited,server_error,html,fail_retryable,body_cut,reset,not_a_zip,zip_cut,file_empty,file_poisoned"

// patience is how long open requests may take once the command is to stop.
const patience = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are the command's flags.
type options struct {
	listen, api              string
	batches, records, events int
	logEvents                int
	seed                     uint64
	faultRate                float64
	faults                   string
}

func parse(args []string) (options, error) {
	var o options
	set := flag.NewFlagSet("simulator", flag.ContinueOnError)
	set.StringVar(&o.listen, "listen", "127.0.0.1:8443", "`address` to serve plain HTTP on")
	set.StringVar(&o.api, "api", "2", "`version` of the API to print a configuration for: 1 or 2")
	set.IntVar(&o.batches, "batches", 10, "SIEM batches to have ready, or files of each type of events")
	set.IntVar(&o.records, "records", 1000, "records in each batch or file")
	set.IntVar(&o.events, "events", 500, "impersonation events to have ready, the last of them now")
	set.IntVar(&o.logEvents, "log-events", 50, "events to have ready of each other log that is served in pages")
	set.Uint64Var(&o.seed, "seed", 1, "decides the credentials, the tokens and what is in the records")
	set.Float64Var(&o.faultRate, "fault-rate", 0, "share of answers to spoil, from 0 to 1")
	set.StringVar(&o.faults, "faults", passingFaults, "comma-separated `list` of the faults to spoil them with")
	err := set.Parse(args)
	switch {
	case err != nil:
	case set.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", set.Arg(0))
	case o.api != "1" && o.api != "2":
		err = fmt.Errorf("-api: %q is neither 1 nor 2", o.api)
	}
	return o, err
}

// run serves as args say until ctx ends, and tells out how to be reached.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	service, err := stocked(o)
	if err != nil {
		return err
	}
	defer service.Close()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("%w (another address: -listen 127.0.0.1:PORT)", err)
	}
	server := &http.Server{Handler: service, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if err := describe(out, o, listener.Addr().String(), service); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	service.Close() // or requests that stall would hold the shutdown up
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return server.Shutdown(grace)
}

// stocked returns a service with the data and faults the options ask for.
func stocked(o options) (*simulator.Server, error) {
	faults, err := simulator.ParseFaults(o.faults)
	if err != nil {
		return nil, err
	}
	service, err := simulator.New(simulator.Config{Seed: o.seed})
	if err != nil {
		return nil, err
	}
	if err := stockSIEM(service, o); err != nil {
		return nil, err
	}
	for _, name := range simulator.Logs() {
		if err := stockLog(service, name, o); err != nil {
			return nil, err
		}
	}
	return service, service.SetFaults(simulator.Plan{Rate: o.faultRate, Faults: faults, Seed: o.seed})
}

// stockLog adds events to a log that is served in pages, the last of them now. Of all
// but the impersonation events, every tenth is equal to the one before.
func stockLog(service *simulator.Server, name string, o options) error {
	const perSecond = 3
	n, twins := o.logEvents, 10
	if name == "impersonation" {
		n, twins = o.events, 0
	}
	span := time.Duration(n/perSecond) * time.Second
	return service.AddLogEvents(name, n, simulator.LogEvents{Start: time.Now().Add(-span), PerSecond: perSecond, TwinEvery: twins})
}

// stockSIEM adds the SIEM logs of the API that is asked for.
func stockSIEM(service *simulator.Server, o options) error {
	if o.api == "1" {
		for range o.batches {
			service.AddBatch(o.records)
		}
		return nil
	}
	for _, kind := range slices.Concat(simulator.EventTypes(), simulator.CITypes()) {
		if err := service.AddFiles(kind, o.batches, o.records); err != nil {
			return err
		}
	}
	return nil
}

// describe prints what is served and a configuration to collect it with.
func describe(out io.Writer, o options, address string, service *simulator.Server) error {
	siem := fmt.Sprintf("%d batches", o.batches)
	c := service.Credentials()
	credentials := fmt.Sprintf(`      app_id: "%s"
      app_key: "%s"
      access_key: "%s"
      secret_key: "%s"`, c.AppID, c.AppKey, c.AccessKey, c.SecretKey)
	if o.api == "2" {
		siem = fmt.Sprintf("%d files of each type", o.batches)
		client := service.Client()
		credentials = fmt.Sprintf(`      client_id: "%s"
      client_secret: "%s"
      logs: siem,siem_ci,impersonation`, client.ID, client.Secret)
	}
	_, err := fmt.Fprintf(out, `# A simulated Mimecast: %s of %d records, %d impersonation events,
# and %d events of each other log in pages, at http://%s
# Faults in %.0f%% of the answers. Stop it with Ctrl-C.
# Save this as sim.yaml beside the plugin, and run: fluent-bit -c sim.yaml
plugins:
  - build/mimecast.so
pipeline:
  inputs:
    - name: mimecast
      base_url: "http://%s"
%s
      db: mimecast.db
  outputs:
    - name: stdout
      match: "*"
`, siem, o.records, o.events, o.logEvents, address, 100*o.faultRate, address, credentials)
	return err
}
