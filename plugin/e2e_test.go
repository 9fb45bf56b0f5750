package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// The tests here run the built plugin in hosts: in the small host always, in a
// real Fluent Bit where there is one. Only a real one has what these are about:
// configuration files and ways of loading, a log file, outputs that are down,
// memory limits, going into the background.

// build makes the plugin and the small host, once. The bare host is the small one
// without its exports.
var build = sync.OnceValues(func() (dir string, err error) {
	dir, err = os.MkdirTemp("", "mimecast-e2e-")
	if err != nil {
		return "", err
	}
	for _, command := range [][]string{
		{"go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "mimecast.so"), "."},
		{"gcc", "-std=gnu11", "-O2", "-rdynamic", "-o", filepath.Join(dir, "minihost"), "../cmd/minihost/minihost.c", "-ldl", "-lpthread"},
		{"gcc", "-std=gnu11", "-O2", "-o", filepath.Join(dir, "barehost"), "../cmd/minihost/minihost.c", "-ldl", "-lpthread"},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	if harness.FindFluentBit() == "" {
		fmt.Fprintln(os.Stderr, "\n*** NO FLUENT BIT on PATH nor in FLUENT_BIT: the tests in a real host are SKIPPED, only the small host is used ***")
	}
	// The tests wait for hosts, most of the time.
	flag.Parse()
	_ = flag.Set("test.parallel", "8")
	status := m.Run()
	if dir, err := build(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(status)
}

// bench is a service and a host for one test.
type bench struct {
	t       *testing.T
	service *harness.Service
	host    harness.Host
	process *harness.Process
	tally   harness.Tally
}

// inFluentBit runs a test in a real Fluent Bit, and says that it is skipped
// where there is none.
func inFluentBit(t *testing.T, fn func(b *bench)) {
	t.Helper()
	t.Run("fluent-bit", func(t *testing.T) {
		if testing.Short() {
			t.Skip("with -short, only the small host is used")
		}
		path := harness.FindFluentBit()
		if path == "" {
			t.Skip("NO FLUENT BIT on PATH nor in FLUENT_BIT: not tested in a real host")
		}
		fn(newBench(t, path, ""))
	})
}

// inSmallHost runs a test in the small host.
func inSmallHost(t *testing.T, fn func(b *bench)) {
	t.Helper()
	t.Run("minihost", func(t *testing.T) { fn(newBench(t, "", "minihost")) })
}

// inBareHost runs a test in a host in which records can't be appended from within
// a callback and nothing is counted: what it was handed counts as safe ten seconds
// later.
func inBareHost(t *testing.T, fn func(b *bench)) {
	t.Helper()
	t.Run("barehost", func(t *testing.T) {
		notShort(t)
		fn(newBench(t, "", "barehost"))
	})
}

// notShort skips a test that takes long.
func notShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes long")
	}
}

// inBoth runs a test in the small host and in a real Fluent Bit.
func inBoth(t *testing.T, fn func(b *bench)) {
	t.Helper()
	inSmallHost(t, fn)
	inFluentBit(t, fn)
}

func newBench(t *testing.T, fluentBit, small string) *bench {
	t.Helper()
	t.Parallel()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, host: harness.Host{
		FluentBit: fluentBit, MiniHost: filepath.Join(dir, small), Plugin: filepath.Join(dir, "mimecast.so"),
		Dir: t.TempDir(),
	}}
	b.serve(simulator.Config{})
	b.input()
	t.Cleanup(func() {
		if b.process != nil {
			b.process.Kill()
		}
		if t.Failed() {
			log := b.host.Log()
			t.Logf("the end of the host's log:\n%s", log[max(0, len(log)-4000):])
		}
	})
	return b
}

// serve starts a service, in the place of the one that there is.
func (b *bench) serve(cfg simulator.Config) {
	b.t.Helper()
	service, err := harness.StartService(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(service.Close)
	b.service, b.host.Env = service, service.Env()
}

// input sets the block, with more options in pairs.
func (b *bench) input(more ...string) {
	b.host.Inputs = []harness.Input{b.service.Input(append([]string{"db", b.db(), "poll_interval", "1s"}, more...)...)}
}

func (b *bench) db() string { return filepath.Join(b.host.Dir, "mimecast.db") }

func (b *bench) start(args ...string) {
	b.t.Helper()
	process, err := b.host.Start(context.Background(), args...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.process = process
}

func (b *bench) stop() {
	b.t.Helper()
	if err := b.process.Stop(); err != nil {
		b.t.Errorf("the host ended with %v", err)
	}
	b.process = nil
}

// await waits until something holds, and gives up after half a minute.
func (b *bench) await(what string, holds func() bool) {
	b.t.Helper()
	end := time.Now().Add(2 * time.Minute) // a loaded machine is slow
	for asked := time.Now(); !holds(); asked = time.Now() {
		if time.Now().After(end) {
			b.t.Fatalf("%s: not within two minutes", what)
		}
		select {
		case <-b.process.Ended():
			b.t.Fatalf("%s: the host ended", what)
		default:
		}
		// An account of many records takes long, and the host needs the time too.
		time.Sleep(max(50*time.Millisecond, time.Since(asked)))
	}
}

// received is how many records have come.
func (b *bench) received() int {
	b.t.Helper()
	if err := b.tally.AddFile(b.host.Output()); err != nil {
		b.t.Fatal(err)
	}
	return b.tally.Received()
}

func (b *bench) account() harness.Account {
	b.t.Helper()
	b.received()
	return b.tally.Account(b.service.Expected())
}

// complete returns a function that reports whether every record has come. An account
// takes long, so it makes none unless more have come.
func (b *bench) complete() func() bool {
	b.t.Helper()
	served, latest := b.account().Served, -1
	return func() bool {
		n := b.received()
		if n < served || n == latest {
			return false
		}
		latest = n
		return b.account().Lost == 0
	}
}

// all waits until every record has come.
func (b *bench) all() {
	b.t.Helper()
	b.await("all records", b.complete())
}

// some waits until more than so many records have come, or all.
func (b *bench) some(than int) {
	b.t.Helper()
	complete := b.complete()
	b.await("some records", func() bool { return b.received() > than || complete() })
}

// clean fails the test unless every record came once and nothing else, and none
// was handed over in a pause.
func (b *bench) clean() {
	b.t.Helper()
	if strings.Contains(b.host.Log(), "appends in a pause") {
		b.t.Error("records were handed over in a pause")
	}
	if a := b.account(); !a.Clean() || a.Served == 0 {
		b.t.Errorf("%v, foreign %d, unparsed %d, lost for instance %.300s", a, a.Foreign, a.Unparsed, a.FirstLost)
	}
}

func (b *bench) logged(text string) {
	b.t.Helper()
	b.await("the log line "+text, func() bool { return strings.Contains(b.host.Log(), text) })
}

// version is that of the real Fluent Bit.
func (b *bench) version() harness.Version {
	b.t.Helper()
	f, err := harness.DescribeFluentBit()
	if err != nil {
		b.t.Fatal(err)
	}
	return f.Version
}

func TestEverythingArrivesOnce(t *testing.T) {
	t.Parallel()
	test := func(b *bench) {
		for range 12 {
			b.service.AddBatch(400)
		}
		b.service.AddEvents(250, time.Now().Add(-time.Hour), 3)
		b.start()
		b.all()
		b.service.AddBatch(400)
		b.service.AddEvents(20, time.Now().Add(-time.Minute), 3)
		b.all()
		b.stop()
		b.clean()
	}
	inBoth(t, test)
	inBareHost(t, test)
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "key_value"} {
		for _, compress := range []string{"on", "off"} {
			t.Run(format+" "+compress, func(t *testing.T) {
				t.Parallel()
				inBoth(t, func(b *bench) {
					b.input("siem_format", format, "siem_compress", compress)
					b.service.AddBatch(400)
					b.service.AddBatch(400)
					b.start()
					b.all()
					b.stop()
					b.clean()
				})
			})
		}
	}
}

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		for range 40 {
			b.service.AddBatch(2000)
		}
		b.service.AddEvents(500, time.Now().Add(-time.Hour), 3)
		// Stopped as soon as something has come: in the middle of it all.
		for range 3 {
			b.start()
			b.some(b.received())
			b.stop()
		}
		b.start()
		b.all()
		b.stop()
		b.clean()
	})
}

func TestLateEventsArriveOnce(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		now := time.Now()
		b.service.AddEvents(100, now.Add(-time.Hour), 3)
		b.service.AddLateEvents(50, now.Add(-10*time.Minute), now.Add(3*time.Second))
		b.service.AddLateEvents(50, now.Add(-9*time.Minute), now.Add(5*time.Second))
		b.start()
		b.await("the events that were there", func() bool { return b.received() > 0 })
		b.all()
		b.service.AddLateEvents(50, now.Add(-10*time.Minute), now)
		b.stop()
		b.start()
		b.all()
		b.stop()
		b.clean()
	})
}

func TestABadFileHoldsUpNothing(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.service.AddBatch(100)
		if _, err := b.service.AddFaultyBatch(simulator.FaultFilePoisoned, 100); err != nil {
			b.t.Fatal(err)
		}
		b.service.AddBatch(100)
		b.start()
		b.all()
		b.logged("a log file can't be read")
		b.stop()
		if a := b.account(); a.Lost+a.Twice+a.Foreign > 0 || a.Unparsed != 1 {
			b.t.Errorf("%+v", a)
		}
	})
}

func TestTwoBlocks(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		for range 5 {
			b.service.AddBatch(400)
		}
		b.service.AddEvents(250, time.Now().Add(-time.Hour), 3)
		b.host.Inputs = []harness.Input{
			b.service.Input("logs", "siem", "db", b.db()),
			b.service.Input("logs", "impersonation", "db", b.db()),
		}
		b.start()
		b.all()
		b.stop()
		b.clean()
	})
}

func TestTwoBlocksWithOneStreamAreRefused(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.host.Inputs = []harness.Input{
			b.service.Input("db", b.db()),
			b.service.Input("db", b.db(), "logs", "siem"),
		}
		b.start()
		b.refused("another block collects the siem logs of account")
	})
}

// refused waits for the host to end by itself, with a line in its log. A host
// whose start can't be ended runs on, and says so.
func (b *bench) refused(text string) {
	b.t.Helper()
	if b.host.FluentBit != "" && !b.version().EndsStart() {
		b.logged(text)
		b.logged("this block collects nothing until its configuration is corrected")
		b.stop()
		return
	}
	select {
	case <-b.process.Ended():
	case <-time.After(20 * time.Second):
		b.t.Error("the host runs on")
	}
	if !strings.Contains(b.host.Log(), text) {
		b.t.Errorf("%q is not in the log", text)
	}
}

func TestAWrongConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.host.Inputs = []harness.Input{{{"region", "mars"}, {"db", b.db()}, {"app_id", "x"}, {"app_key", "hidden-7"}, {"access_key_file", "/none"}, {"secret_key", "hidden-8!"}, {"poll_interval", "often"}}}
		b.start()
		b.refused("configuration: ")
		errors := 0
		for line := range strings.Lines(b.host.PluginLog()) {
			if strings.Contains(line, "[error]") && strings.Contains(line, "configuration:") {
				errors++
				for _, key := range []string{"region", "access_key_file", "secret_key", "poll_interval"} {
					if !strings.Contains(line, key+": ") {
						b.t.Errorf("nothing of %s in %s", key, line)
					}
				}
			}
		}
		if errors != 1 || strings.Contains(b.host.Log(), "hidden") {
			b.t.Errorf("%d lines, or a secret", errors)
		}
	})
}

// exports gives the small host functions by which the plugin tells one Fluent Bit
// from another.
func (b *bench) exports(functions ...string) {
	b.t.Helper()
	source, library := filepath.Join(b.host.Dir, "exports.c"), filepath.Join(b.host.Dir, "exports.so")
	var c strings.Builder
	for _, name := range functions {
		fmt.Fprintf(&c, "void %s(void) {}\n", name)
	}
	if err := os.WriteFile(source, []byte(c.String()), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	b.host.Env = append(b.host.Env, "LD_PRELOAD="+library)
}

// Where an old Fluent Bit would crash later, its start is not ended.
func TestAWrongConfigurationInAnOldHost(t *testing.T) {
	t.Parallel()
	inSmallHost(t, func(b *bench) {
		b.exports("flb_start")
		b.host.Inputs = append(b.host.Inputs, b.service.Input("db", b.db(), "siem_format", "xml"))
		b.service.AddBatch(100)
		b.start()
		b.logged("this block collects nothing until its configuration is corrected")
		b.all()
		b.stop()
		b.clean()
	})
}

func TestTheVersionOfTheHostIsLogged(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.start()
		b.await("the start", func() bool { return strings.Contains(b.host.Log(), " go=go") })
		b.stop()
		if b.host.FluentBit == "" {
			if strings.Contains(b.host.Log(), "fluent_bit=") {
				b.t.Error("the small host is taken for Fluent Bit")
			}
			return
		}
		v := b.version()
		want := fmt.Sprintf("fluent_bit=%d.%d", v[0], v[1])
		switch {
		case v[0] < 3:
			want = `fluent_bit="before 3.0"`
		case v[0] > 5 || v[0] == 5 && v[1] > 0:
			want = `fluent_bit="5.1 or later"`
		}
		b.logged(want)
	})
}

func TestAHostThatIgnoresConditionalRoutes(t *testing.T) {
	t.Parallel()
	inSmallHost(t, func(b *bench) {
		const warning = "this Fluent Bit ignores conditional routes"
		b.service.AddBatch(100)
		b.start()
		b.all()
		b.stop()
		if strings.Contains(b.host.Log(), warning) {
			b.t.Error("a host without routes is warned of")
		}
		b.exports("flb_router_chunk_context_init")
		b.start()
		b.logged(warning)
		b.stop()
	})
}

func TestTagsByType(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.input("tag_by_type", "on", "tag", "mail.gateway", "alias", "with an alias")
		b.host.Pipeline = fmt.Sprintf(`  outputs:
    - {name: file, match: mail.gateway.*, path: %q, mkdir: on, format: plain}
    - {name: file, match: "*", path: %q, file: records.jsonl, format: plain}
`, b.host.Tags(), b.host.Dir)
		b.service.AddBatch(400)
		b.service.AddEvents(10, time.Now().Add(-time.Hour), 3)
		b.start()
		b.all()
		b.stop()
		b.clean()
		for tag, want := range map[string]string{"siem.receipt": `"log_source":"siem","log_type":"receipt"`, "ttp.impersonation": `"log_source":"ttp","log_type":"impersonation"`} {
			content, err := os.ReadFile(b.host.Tagged("mail.gateway." + tag))
			if lines := strings.Count(string(content), "\n"); err != nil || lines == 0 || lines != strings.Count(string(content), want) {
				b.t.Errorf("%s: %d lines, %v", tag, lines, err)
			}
		}
	})
}

func TestWaysOfLoading(t *testing.T) {
	t.Parallel()
	load := func(name string, arguments func(b *bench) []string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inFluentBit(t, func(b *bench) {
				b.service.AddBatch(100)
				args := arguments(b)
				if name == "yaml" && !b.version().LoadsByYAML() {
					b.t.Skipf("%s has no section plugins in YAML files", b.version())
				}
				if b.version().DryRuns() {
					dry, err := exec.Command(b.host.FluentBit, append(args, "--dry-run")...).CombinedOutput()
					if err != nil || !strings.Contains(string(dry), "test is successful") {
						b.t.Errorf("dry run: %v\n%s", err, dry)
					}
				}
				cmd := exec.Command(b.host.FluentBit, args...)
				cmd.Env = append(os.Environ(), b.host.Env...)
				var log strings.Builder
				cmd.Stdout, cmd.Stderr = &log, &log
				if err := cmd.Start(); err != nil {
					b.t.Fatal(err)
				}
				for end := time.Now().Add(20 * time.Second); b.account().Lost > 0 && time.Now().Before(end); {
					time.Sleep(100 * time.Millisecond)
				}
				_ = cmd.Process.Signal(syscall.SIGTERM)
				if err := cmd.Wait(); err != nil {
					b.t.Errorf("%v\n%s", err, log.String())
				}
				b.clean()
			})
		})
	}
	classic := func(b *bench, service string) string {
		var conf strings.Builder
		fmt.Fprintf(&conf, "[SERVICE]\n    flush 1\n%s[INPUT]\n    name mimecast\n", service)
		for _, kv := range b.host.Inputs[0] {
			fmt.Fprintf(&conf, "    %s %s\n", kv[0], kv[1])
		}
		fmt.Fprintf(&conf, "[OUTPUT]\n    name file\n    match *\n    path %s\n    file records.jsonl\n    format plain\n", b.host.Dir)
		return conf.String()
	}
	write := func(b *bench, name, content string) string {
		path := filepath.Join(b.host.Dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			b.t.Fatal(err)
		}
		return path
	}
	load("-e", func(b *bench) []string {
		return []string{"-e", b.host.Plugin, "-c", write(b, "fluent-bit.conf", classic(b, ""))}
	})
	load("plugins_file", func(b *bench) []string {
		plugins := write(b, "plugins.conf", "[PLUGINS]\n    path "+b.host.Plugin+"\n")
		return []string{"-c", write(b, "fluent-bit.conf", classic(b, "    plugins_file "+plugins+"\n"))}
	})
	load("yaml", func(b *bench) []string {
		if err := b.host.WriteConfig(); err != nil {
			b.t.Fatal(err)
		}
		config, err := os.ReadFile(b.host.ConfigFile())
		if err != nil {
			b.t.Fatal(err)
		}
		return []string{"-c", write(b, "plugins.yaml", fmt.Sprintf("plugins:\n  - %q\n%s", b.host.Plugin, config))}
	})
}

func TestLogFile(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		path := filepath.Join(b.host.Dir, "fluent-bit.log")
		b.host.Service = map[string]string{"log_file": path}
		b.service.Next(simulator.FaultServerError)
		b.service.AddBatch(100)
		b.start()
		b.all()
		b.stop()
		b.clean()
		content, err := os.ReadFile(path)
		for _, text := range []string{"[ info] [input:mimecast:mimecast.0] no position yet", "[ warn] [input:mimecast:mimecast.0] fetching fails"} {
			if err != nil || !strings.Contains(string(content), text) {
				b.t.Errorf("%q is not in the log file: %v\n%s", text, err, content)
			}
		}
		if strings.Contains(b.host.Log(), "input:mimecast:mimecast.0] fetching") {
			b.t.Error("the line went to the host's error output too")
		}
	})
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.input("log_level", "debug")
		if err := b.service.SetFaults(simulator.Plan{Rate: 0.5, Faults: []simulator.Fault{simulator.FaultUnauthorized, simulator.FaultHTML}}); err != nil {
			b.t.Fatal(err)
		}
		b.service.AddBatch(100)
		b.start()
		b.logged("fetching fails")
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", b.process.PID()))
		if err != nil {
			b.t.Fatal(err)
		}
		b.stop()
		c := b.service.Credentials()
		for _, secret := range []string{c.AppKey, c.AccessKey, c.SecretKey} {
			if strings.Contains(b.host.Log(), secret) || strings.Contains(string(cmdline), secret) {
				b.t.Errorf("%q can be read", secret)
			}
		}
	})
}

func TestShutdownWhileARequestHangs(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		if err := b.service.SetFaults(simulator.Plan{Rate: 1, Faults: []simulator.Fault{simulator.FaultStall}}); err != nil {
			b.t.Fatal(err)
		}
		b.service.AddBatch(100)
		b.start()
		b.await("a request", func() bool { return b.service.Requests().Total > 0 })
		began := time.Now()
		b.stop()
		// The host itself takes a second or two.
		if took := time.Since(began); took > 5*time.Second {
			b.t.Errorf("it took %v", took)
		}
	})
}

func TestRotatedKeys(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		keys := b.service.Credentials()
		files := map[string]string{}
		write := func(name, value string) {
			path := filepath.Join(b.host.Dir, name)
			files[name] = path
			if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
				b.t.Fatal(err)
			}
		}
		write("access_key", keys.AccessKey)
		write("secret_key", keys.SecretKey)
		b.host.Inputs = []harness.Input{{
			{"base_url", b.service.URL},
			{"db", b.db()},
			{"poll_interval", "1s"},
			{"app_id", keys.AppID},
			{"app_key", keys.AppKey},
			{"access_key_file", files["access_key"]},
			{"secret_key_file", files["secret_key"]},
		}}
		b.service.AddBatch(100)
		b.start()
		b.all()
		keys.AccessKey, keys.SecretKey = "another-access-key", "YW5vdGhlciBzZWNyZXQ="
		write("access_key", keys.AccessKey)
		write("secret_key", keys.SecretKey)
		if err := b.service.SetCredentials(keys); err != nil {
			b.t.Fatal(err)
		}
		b.service.AddBatch(100)
		b.logged("err_xdk_invalid_signature")
		b.all()
		b.stop()
		b.clean()
	})
}

// TestREADMEConfigurations runs the configurations that the README shows.
func TestREADMEConfigurations(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, fence, begin string }{{"fluent-bit.yaml", "```yaml\n", "service:"}, {"fluent-bit.conf", "```\n", "[SERVICE]"}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inFluentBit(t, func(b *bench) {
				if strings.HasSuffix(test.name, ".yaml") && !b.version().LoadsByYAML() {
					b.t.Skipf("%s has no section plugins in YAML files", b.version())
				}
				_, text, ok := strings.Cut(string(readme), test.fence+test.begin)
				text, _, ok2 := strings.Cut(test.begin+text, "```")
				if !ok || !ok2 {
					b.t.Fatal("the README shows none")
				}
				for from, to := range map[string]string{
					"/fluent-bit/plugins/mimecast.so": b.host.Plugin, "/var/lib/fluent-bit": b.host.Dir,
					"region: global": "base_url: " + b.service.URL, "region        global": "base_url " + b.service.URL,
				} {
					text = strings.ReplaceAll(text, from, to)
				}
				path := filepath.Join(b.host.Dir, test.name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					b.t.Fatal(err)
				}
				args := []string{"-c", path}
				if strings.HasSuffix(path, ".conf") {
					args = append([]string{"-e", b.host.Plugin}, args...)
				}
				cmd := exec.Command(b.host.FluentBit, args...)
				cmd.Env = append(os.Environ(), "MIMECAST_CLIENT_ID="+b.service.Client().ID, "MIMECAST_CLIENT_SECRET="+b.service.Client().Secret)
				out, err := os.Create(b.host.LogFile())
				if err != nil {
					b.t.Fatal(err)
				}
				defer out.Close()
				cmd.Stdout, cmd.Stderr = out, out
				if err := b.service.AddFiles("receipt", 1, 20); err != nil {
					b.t.Fatal(err)
				}
				b.service.AddEvents(5, time.Now().Add(-time.Minute), 3)
				if err := cmd.Start(); err != nil {
					b.t.Fatal(err)
				}
				for end := time.Now().Add(20 * time.Second); strings.Count(b.host.Log(), `"log_source"=>`) < 25 && time.Now().Before(end); {
					time.Sleep(100 * time.Millisecond)
				}
				_ = cmd.Process.Signal(syscall.SIGTERM)
				if err := cmd.Wait(); err != nil {
					b.t.Error(err)
				}
				if n := strings.Count(b.host.Log(), `"log_source"=>`); n != 25 || strings.Contains(b.host.Log(), "error]") {
					b.t.Errorf("%d records of 25", n)
				}
			})
		})
	}
}

func TestExampleFiles(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		if !b.version().DryRuns() {
			b.t.Skipf("%s crashes in a dry run", b.version())
		}
		check := func(name string, args ...string) {
			b.t.Helper()
			content, err := os.ReadFile("../" + name)
			if err != nil {
				b.t.Fatal(err)
			}
			here := strings.ReplaceAll(string(content), "/fluent-bit/plugins/mimecast.so", b.host.Plugin)
			here = strings.ReplaceAll(here, "/var/lib/fluent-bit", b.host.Dir)
			path := filepath.Join(b.host.Dir, strings.TrimSuffix(name, ".example"))
			if err := os.WriteFile(path, []byte(here), 0o600); err != nil {
				b.t.Fatal(err)
			}
			cmd := exec.Command(b.host.FluentBit, append(args, "-c", path, "--dry-run")...)
			cmd.Env = append(os.Environ(), "MIMECAST_CLIENT_ID=id", "MIMECAST_CLIENT_SECRET=secret")
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "test is successful") || strings.Contains(string(out), "warn") {
				b.t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
		check("fluent-bit.yaml.example")
		check("fluent-bit.conf.example", "-e", b.host.Plugin)
	})
}
