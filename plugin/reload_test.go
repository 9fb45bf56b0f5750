package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/harness"
)

func TestReloads(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		b.Host.Inputs = []harness.Input{
			b.Service.Input("logs", "siem", "db", b.DB(), "poll_interval", "1s"),
			b.Service.Input("logs", "impersonation", "db", b.DB(), "poll_interval", "1s"),
		}
		b.Service.AddEvents(300, time.Now().Add(-time.Hour), 3)
		b.Start("-Y")
		var early harness.Holdings
		for i := range 6 {
			for range 5 {
				b.Service.AddBatch(2000)
			}
			b.Service.AddEvents(20, time.Now().Add(-time.Minute), 3)
			b.Await("some records", func() bool { return b.Received() > i*5000 })
			b.Reload()
			if i == 1 {
				early = b.Holds()
			}
		}
		b.All()
		// The Go runtime may start a thread or two more; each instance that
		// stays behind would hold several.
		late := b.Holds()
		if b.Host.FluentBit != "" && b.version().LeaksFiles() {
			b.t.Logf("open files are NOT LOOKED AT: %s leaks its own", b.version())
			late.Files = early.Files
		}
		if late.Threads > early.Threads+4 || late.Files > early.Files+4 {
			b.t.Errorf("after two reloads %+v, after six %+v", early, late)
		}
		b.Stop()
		b.Clean()
	})
}

func TestAReloadWithAWrongConfiguration(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.Service.AddBatch(400)
		b.Start("-Y")
		b.All()
		good := b.Host.Inputs
		b.Host.Inputs = []harness.Input{b.Service.Input("db", b.DB(), "siem_format", "xml")}
		b.Must(b.Host.WriteConfig())
		b.Reload()
		b.Logged(`siem_format: "xml" is not one of: json, key_value`)
		b.Logged("this block collects nothing until its configuration is corrected")
		b.Service.AddBatch(400)
		b.Host.Inputs = good
		b.Must(b.Host.WriteConfig())
		b.Reload()
		b.All()
		b.Stop()
		b.Clean()
	})
}

// A start does not end where failing would crash the host later: the block stays
// idle beside those that are right, until its configuration is corrected.
func TestAStartThatIsNotEnded(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		if b.version().EndsStart() {
			b.t.Skip("this host ends its start: see TestAWrongConfigurationIsRefused")
		}
		b.Service.AddBatch(400)
		good := b.Host.Inputs
		b.Host.Inputs = append(slices.Clone(good), b.Service.Input("db", b.DB(), "siem_format", "xml"))
		b.Host.Env = append(b.Host.Env, "MALLOC_PERTURB_=165") // freed memory is of no use
		b.Start("-Y")
		b.Logged("this block collects nothing until its configuration is corrected")
		b.All()
		b.Host.Inputs = good
		b.Must(b.Host.WriteConfig())
		b.Reload()
		b.Service.AddBatch(400)
		b.All()
		b.Stop()
		b.Clean()
	})
}

func TestAReloadIntoTwoBlocksWithOneStream(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		b.Service.AddBatch(400)
		b.Start("-Y")
		b.All()
		b.Host.Inputs = append(b.Host.Inputs, b.Service.Input("db", b.DB(), "logs", "siem"))
		b.Must(b.Host.WriteConfig())
		b.Reload()
		b.Logged("another block collects the siem logs")
		b.Service.AddBatch(400)
		b.All()
		b.Stop()
		b.Clean()
	})
}

func TestALockedDBIsWaitedFor(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		b.Service.AddBatch(400)
		b.Start()
		b.All()
		trial := *b.Trial
		other := bench{&trial, b.t}
		other.Tally = harness.Tally{}
		other.Host.Dir = b.t.TempDir()
		other.Start()
		b.t.Cleanup(func() {
			if other.Process != nil {
				other.Process.Kill()
			}
		})
		other.Logged("is in use by another process")
		b.Stop()
		b.Service.AddBatch(400)
		other.all2(b)
		other.Stop()
		first, second := b.Account(), other.Account()
		if first.Received+second.Received != 800 || first.Foreign+second.Foreign+first.Twice+second.Twice > 0 {
			b.t.Errorf("%v, then %v", first, second)
		}
	})
}

// all2 waits until every record has come to one of two hosts.
func (b *bench) all2(other *bench) {
	b.t.Helper()
	served := b.Account().Served
	b.Await("all records", func() bool { return b.Received()+other.Received() >= served })
}

func TestABackgroundHostIsRefused(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		path := filepath.Join(b.Host.Dir, "fluent-bit.log")
		b.Host.Service = map[string]string{"log_file": path}
		b.Start("-d")
		<-b.Process.Ended() // it leaves a child in the background
		b.Process = nil
		child := 0
		holds := func(text string) bool {
			log, _ := os.ReadFile(path)
			if _, pid, ok := strings.Cut(b.Host.Log()+string(log), "pid="); ok && child == 0 {
				_, _ = fmt.Sscan(pid, &child)
			}
			return strings.Contains(string(log), text)
		}
		soon := func(text string) bool {
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				if holds(text) {
					return true
				}
			}
			return false
		}
		b.t.Cleanup(func() {
			if child > 0 {
				_ = syscall.Kill(child, syscall.SIGKILL)
			}
		})
		if !soon("went into the background after it had loaded this plugin") {
			b.t.Error("the log file does not say why")
		}
		if b.version().EndsStart() {
			if !soon("input initialization failed") {
				b.t.Error("the start goes on")
			}
			return
		}
		// It lives on without the plugin, and ends as it should.
		time.Sleep(3 * time.Second)
		if child == 0 || syscall.Kill(child, syscall.SIGTERM) != nil {
			b.t.Fatal("the host is gone")
		}
		for end := time.Now().Add(20 * time.Second); syscall.Kill(child, 0) == nil; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				b.t.Fatal("the host does not end")
			}
		}
		if holds("SIGSEGV") || holds("corruption") || strings.Contains(b.Host.Log(), "corruption") {
			b.t.Error("the host has crashed")
		}
	})
}
