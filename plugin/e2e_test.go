package main

import (
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

// bench is a trial in one of the hosts.
type bench struct {
	*harness.Trial
	t *testing.T
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
	host := harness.Host{FluentBit: fluentBit, MiniHost: filepath.Join(dir, small), Plugin: filepath.Join(dir, "mimecast.so")}
	return &bench{harness.NewTrial(t, host, simulator.Config{}), t}
}

// input sets the block, with more options in pairs.
func (b *bench) input(more ...string) { b.Host.Inputs = []harness.Input{b.Input(more...)} }

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
			b.Service.AddBatch(400)
		}
		b.Service.AddEvents(250, time.Now().Add(-time.Hour), 3)
		b.Start()
		b.All()
		b.Service.AddBatch(400)
		b.Service.AddEvents(20, time.Now().Add(-time.Minute), 3)
		b.All()
		b.Stop()
		b.Clean()
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
					b.Service.AddBatch(400)
					b.Service.AddBatch(400)
					b.Start()
					b.All()
					b.Stop()
					b.Clean()
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
			b.Service.AddBatch(2000)
		}
		b.Service.AddEvents(500, time.Now().Add(-time.Hour), 3)
		// Stopped as soon as something has come: in the middle of it all.
		for range 3 {
			b.Start()
			b.Some(b.Received())
			b.Stop()
		}
		b.Start()
		b.All()
		b.Stop()
		b.Clean()
	})
}

func TestLateEventsArriveOnce(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		now := time.Now()
		b.Service.AddEvents(100, now.Add(-time.Hour), 3)
		b.Service.AddLateEvents(50, now.Add(-10*time.Minute), now.Add(3*time.Second))
		b.Service.AddLateEvents(50, now.Add(-9*time.Minute), now.Add(5*time.Second))
		b.Start()
		b.Await("the events that were there", func() bool { return b.Received() > 0 })
		b.All()
		b.Service.AddLateEvents(50, now.Add(-10*time.Minute), now)
		b.Stop()
		b.Start()
		b.All()
		b.Stop()
		b.Clean()
	})
}

func TestABadFileHoldsUpNothing(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.Service.AddBatch(100)
		if _, err := b.Service.AddFaultyBatch(simulator.FaultFilePoisoned, 100); err != nil {
			b.t.Fatal(err)
		}
		b.Service.AddBatch(100)
		b.Start()
		b.All()
		b.Logged("a log file can't be read")
		b.Stop()
		if a := b.Account(); a.Lost+a.Twice+a.Foreign > 0 || a.Unparsed != 1 {
			b.t.Errorf("%+v", a)
		}
	})
}

func TestTwoBlocks(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		for range 5 {
			b.Service.AddBatch(400)
		}
		b.Service.AddEvents(250, time.Now().Add(-time.Hour), 3)
		b.Host.Inputs = []harness.Input{
			b.Service.Input("logs", "siem", "db", b.DB()),
			b.Service.Input("logs", "impersonation", "db", b.DB()),
		}
		b.Start()
		b.All()
		b.Stop()
		b.Clean()
	})
}

func TestTwoBlocksWithOneStreamAreRefused(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.Host.Inputs = []harness.Input{
			b.Service.Input("db", b.DB()),
			b.Service.Input("db", b.DB(), "logs", "siem"),
		}
		b.Start()
		b.refused("another block collects the siem logs of account")
	})
}

// refused waits for the host to end by itself, with a line in its log. A host
// whose start can't be ended runs on, and says so.
func (b *bench) refused(text string) {
	b.t.Helper()
	if b.Host.FluentBit != "" && !b.version().EndsStart() {
		b.Logged(text)
		b.Logged("this block collects nothing until its configuration is corrected")
		b.Stop()
		return
	}
	select {
	case <-b.Process.Ended():
	case <-time.After(20 * time.Second):
		b.t.Error("the host runs on")
	}
	if !strings.Contains(b.Host.Log(), text) {
		b.t.Errorf("%q is not in the log", text)
	}
}

func TestAWrongConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.Host.Inputs = []harness.Input{{{"region", "mars"}, {"db", b.DB()}, {"app_id", "x"}, {"app_key", "hidden-7"}, {"access_key_file", "/none"}, {"secret_key", "hidden-8!"}, {"poll_interval", "often"}}}
		b.Start()
		b.refused("configuration: ")
		errors := 0
		for line := range strings.Lines(b.Host.PluginLog()) {
			if strings.Contains(line, "[error]") && strings.Contains(line, "configuration:") {
				errors++
				for _, key := range []string{"region", "access_key_file", "secret_key", "poll_interval"} {
					if !strings.Contains(line, key+": ") {
						b.t.Errorf("nothing of %s in %s", key, line)
					}
				}
			}
		}
		if errors != 1 || strings.Contains(b.Host.Log(), "hidden") {
			b.t.Errorf("%d lines, or a secret", errors)
		}
	})
}

// exports gives the small host functions by which the plugin tells one Fluent Bit
// from another.
func (b *bench) exports(functions ...string) {
	b.t.Helper()
	source, library := filepath.Join(b.Host.Dir, "exports.c"), filepath.Join(b.Host.Dir, "exports.so")
	var c strings.Builder
	for _, name := range functions {
		fmt.Fprintf(&c, "void %s(void) {}\n", name)
	}
	b.Must(os.WriteFile(source, []byte(c.String()), 0o600))
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	b.Host.Env = append(b.Host.Env, "LD_PRELOAD="+library)
}

// Where an old Fluent Bit would crash later, its start is not ended.
func TestAWrongConfigurationInAnOldHost(t *testing.T) {
	t.Parallel()
	inSmallHost(t, func(b *bench) {
		b.exports("flb_start")
		b.Host.Inputs = append(b.Host.Inputs, b.Service.Input("db", b.DB(), "siem_format", "xml"))
		b.Service.AddBatch(100)
		b.Start()
		b.Logged("this block collects nothing until its configuration is corrected")
		b.All()
		b.Stop()
		b.Clean()
	})
}

func TestTheVersionOfTheHostIsLogged(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.Start()
		b.Await("the start", func() bool { return strings.Contains(b.Host.Log(), " go=go") })
		b.Stop()
		if b.Host.FluentBit == "" {
			if strings.Contains(b.Host.Log(), "fluent_bit=") {
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
		b.Logged(want)
	})
}

func TestAHostThatIgnoresConditionalRoutes(t *testing.T) {
	t.Parallel()
	inSmallHost(t, func(b *bench) {
		const warning = "this Fluent Bit ignores conditional routes"
		b.Service.AddBatch(100)
		b.Start()
		b.All()
		b.Stop()
		if strings.Contains(b.Host.Log(), warning) {
			b.t.Error("a host without routes is warned of")
		}
		b.exports("flb_router_chunk_context_init")
		b.Start()
		b.Logged(warning)
		b.Stop()
	})
}

func TestTagsByType(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.input("tag_by_type", "on", "tag", "mail.gateway", "alias", "with an alias")
		b.Host.Pipeline = fmt.Sprintf(`  outputs:
    - {name: file, match: mail.gateway.*, path: %q, mkdir: on, format: plain}
    - {name: file, match: "*", path: %q, file: records.jsonl, format: plain}
`, b.Host.Tags(), b.Host.Dir)
		b.Service.AddBatch(400)
		b.Service.AddEvents(10, time.Now().Add(-time.Hour), 3)
		b.Start()
		b.All()
		b.Stop()
		b.Clean()
		for tag, want := range map[string]string{"siem.receipt": `"log_source":"siem","log_type":"receipt"`, "ttp.impersonation": `"log_source":"ttp","log_type":"impersonation"`} {
			content, err := os.ReadFile(b.Host.Tagged("mail.gateway." + tag))
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
				b.Service.AddBatch(100)
				args := arguments(b)
				if name == "yaml" && !b.version().LoadsByYAML() {
					b.t.Skipf("%s has no section plugins in YAML files", b.version())
				}
				if b.version().DryRuns() {
					dry, err := exec.Command(b.Host.FluentBit, append(args, "--dry-run")...).CombinedOutput()
					if err != nil || !strings.Contains(string(dry), "test is successful") {
						b.t.Errorf("dry run: %v\n%s", err, dry)
					}
				}
				cmd := exec.Command(b.Host.FluentBit, args...)
				cmd.Env = append(os.Environ(), b.Host.Env...)
				var log strings.Builder
				cmd.Stdout, cmd.Stderr = &log, &log
				b.Must(cmd.Start())
				for end := time.Now().Add(20 * time.Second); b.Account().Lost > 0 && time.Now().Before(end); {
					time.Sleep(100 * time.Millisecond)
				}
				_ = cmd.Process.Signal(syscall.SIGTERM)
				if err := cmd.Wait(); err != nil {
					b.t.Errorf("%v\n%s", err, log.String())
				}
				b.Clean()
			})
		})
	}
	classic := func(b *bench, service string) string {
		var conf strings.Builder
		fmt.Fprintf(&conf, "[SERVICE]\n    flush 1\n%s[INPUT]\n    name mimecast\n", service)
		for _, kv := range b.Host.Inputs[0] {
			fmt.Fprintf(&conf, "    %s %s\n", kv[0], kv[1])
		}
		fmt.Fprintf(&conf, "[OUTPUT]\n    name file\n    match *\n    path %s\n    file records.jsonl\n    format plain\n", b.Host.Dir)
		return conf.String()
	}
	write := func(b *bench, name, content string) string {
		path := filepath.Join(b.Host.Dir, name)
		b.Must(os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	load("-e", func(b *bench) []string {
		return []string{"-e", b.Host.Plugin, "-c", write(b, "fluent-bit.conf", classic(b, ""))}
	})
	load("plugins_file", func(b *bench) []string {
		plugins := write(b, "plugins.conf", "[PLUGINS]\n    path "+b.Host.Plugin+"\n")
		return []string{"-c", write(b, "fluent-bit.conf", classic(b, "    plugins_file "+plugins+"\n"))}
	})
	load("yaml", func(b *bench) []string {
		b.Must(b.Host.WriteConfig())
		config, err := os.ReadFile(b.Host.ConfigFile())
		if err != nil {
			b.t.Fatal(err)
		}
		return []string{"-c", write(b, "plugins.yaml", fmt.Sprintf("plugins:\n  - %q\n%s", b.Host.Plugin, config))}
	})
}

func TestLogFile(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		path := filepath.Join(b.Host.Dir, "fluent-bit.log")
		b.Host.Service = map[string]string{"log_file": path}
		b.Service.Next(simulator.FaultServerError)
		b.Service.AddBatch(100)
		b.Start()
		b.All()
		b.Stop()
		b.Clean()
		content, err := os.ReadFile(path)
		for _, text := range []string{"[ info] [input:mimecast:mimecast.0] no position yet", "[ warn] [input:mimecast:mimecast.0] fetching fails"} {
			if err != nil || !strings.Contains(string(content), text) {
				b.t.Errorf("%q is not in the log file: %v\n%s", text, err, content)
			}
		}
		if strings.Contains(b.Host.Log(), "input:mimecast:mimecast.0] fetching") {
			b.t.Error("the line went to the host's error output too")
		}
	})
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.input("log_level", "debug")
		b.Must(b.Service.SetFaults(simulator.Plan{Rate: 0.5, Faults: []simulator.Fault{simulator.FaultUnauthorized, simulator.FaultHTML}}))
		b.Service.AddBatch(100)
		b.Start()
		b.Logged("fetching fails")
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", b.Process.PID()))
		if err != nil {
			b.t.Fatal(err)
		}
		b.Stop()
		c := b.Service.Credentials()
		for _, secret := range []string{c.AppKey, c.AccessKey, c.SecretKey} {
			if strings.Contains(b.Host.Log(), secret) || strings.Contains(string(cmdline), secret) {
				b.t.Errorf("%q can be read", secret)
			}
		}
	})
}

func TestShutdownWhileARequestHangs(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.Must(b.Service.SetFaults(simulator.Plan{Rate: 1, Faults: []simulator.Fault{simulator.FaultStall}}))
		b.Service.AddBatch(100)
		b.Start()
		b.Await("a request", func() bool { return b.Service.Requests().Total > 0 })
		began := time.Now()
		b.Stop()
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
		keys := b.Service.Credentials()
		files := map[string]string{}
		write := func(name, value string) {
			path := filepath.Join(b.Host.Dir, name)
			files[name] = path
			b.Must(os.WriteFile(path, []byte(value+"\n"), 0o600))
		}
		write("access_key", keys.AccessKey)
		write("secret_key", keys.SecretKey)
		b.Host.Inputs = []harness.Input{{
			{"base_url", b.Service.URL},
			{"db", b.DB()},
			{"poll_interval", "1s"},
			{"app_id", keys.AppID},
			{"app_key", keys.AppKey},
			{"access_key_file", files["access_key"]},
			{"secret_key_file", files["secret_key"]},
		}}
		b.Service.AddBatch(100)
		b.Start()
		b.All()
		keys.AccessKey, keys.SecretKey = "another-access-key", "YW5vdGhlciBzZWNyZXQ="
		write("access_key", keys.AccessKey)
		write("secret_key", keys.SecretKey)
		b.Must(b.Service.SetCredentials(keys))
		b.Service.AddBatch(100)
		b.Logged("err_xdk_invalid_signature")
		b.All()
		b.Stop()
		b.Clean()
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
					"/fluent-bit/plugins/mimecast.so": b.Host.Plugin, "/var/lib/fluent-bit": b.Host.Dir,
					"region: global": "base_url: " + b.Service.URL, "region        global": "base_url " + b.Service.URL,
				} {
					text = strings.ReplaceAll(text, from, to)
				}
				path := filepath.Join(b.Host.Dir, test.name)
				b.Must(os.WriteFile(path, []byte(text), 0o600))
				args := []string{"-c", path}
				if strings.HasSuffix(path, ".conf") {
					args = append([]string{"-e", b.Host.Plugin}, args...)
				}
				cmd := exec.Command(b.Host.FluentBit, args...)
				cmd.Env = append(os.Environ(), "MIMECAST_CLIENT_ID="+b.Service.Client().ID, "MIMECAST_CLIENT_SECRET="+b.Service.Client().Secret)
				out, err := os.Create(b.Host.LogFile())
				if err != nil {
					b.t.Fatal(err)
				}
				defer out.Close()
				cmd.Stdout, cmd.Stderr = out, out
				b.Must(b.Service.AddFiles("receipt", 1, 20))
				b.Service.AddEvents(5, time.Now().Add(-time.Minute), 3)
				b.Must(cmd.Start())
				for end := time.Now().Add(20 * time.Second); strings.Count(b.Host.Log(), `"log_source"=>`) < 25 && time.Now().Before(end); {
					time.Sleep(100 * time.Millisecond)
				}
				_ = cmd.Process.Signal(syscall.SIGTERM)
				if err := cmd.Wait(); err != nil {
					b.t.Error(err)
				}
				if n := strings.Count(b.Host.Log(), `"log_source"=>`); n != 25 || strings.Contains(b.Host.Log(), "error]") {
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
			here := strings.ReplaceAll(string(content), "/fluent-bit/plugins/mimecast.so", b.Host.Plugin)
			here = strings.ReplaceAll(here, "/var/lib/fluent-bit", b.Host.Dir)
			path := filepath.Join(b.Host.Dir, strings.TrimSuffix(name, ".example"))
			b.Must(os.WriteFile(path, []byte(here), 0o600))
			cmd := exec.Command(b.Host.FluentBit, append(args, "-c", path, "--dry-run")...)
			cmd.Env = append(os.Environ(), "MIMECAST_CLIENT_ID=id", "MIMECAST_CLIENT_SECRET=secret")
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "test is successful") || strings.Contains(string(out), "warn") {
				b.t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
		check("fluent-bit.yaml.example")
		check("fluent-bit.conf.example", "-e", b.Host.Plugin)
	})
}
