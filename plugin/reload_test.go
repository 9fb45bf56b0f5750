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

// reload asks the host to read its configuration again.
func (b *bench) reload() {
	b.t.Helper()
	if err := b.process.Reload(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) holds() harness.Holdings {
	b.t.Helper()
	h, err := b.process.Holds()
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

func TestReloads(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		b.host.Inputs = []harness.Input{
			b.service.Input("logs", "siem", "db", b.db(), "poll_interval", "1s"),
			b.service.Input("logs", "impersonation", "db", b.db(), "poll_interval", "1s"),
		}
		b.service.AddEvents(300, time.Now().Add(-time.Hour), 3)
		b.start("-Y")
		var early harness.Holdings
		for i := range 6 {
			for range 5 {
				b.service.AddBatch(2000)
			}
			b.service.AddEvents(20, time.Now().Add(-time.Minute), 3)
			b.await("some records", func() bool { return b.received() > i*5000 })
			b.reload()
			if i == 1 {
				early = b.holds()
			}
		}
		b.all()
		// The Go runtime may start a thread or two more; each instance that
		// stays behind would hold several.
		late := b.holds()
		if b.host.FluentBit != "" && b.version().LeaksFiles() {
			b.t.Logf("open files are NOT LOOKED AT: %s leaks its own", b.version())
			late.Files = early.Files
		}
		if late.Threads > early.Threads+4 || late.Files > early.Files+4 {
			b.t.Errorf("after two reloads %+v, after six %+v", early, late)
		}
		b.stop()
		b.clean()
	})
}

func TestAReloadWithAWrongConfiguration(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bench) {
		b.service.AddBatch(400)
		b.start("-Y")
		b.all()
		good := b.host.Inputs
		b.host.Inputs = []harness.Input{b.service.Input("db", b.db(), "siem_format", "xml")}
		if err := b.host.WriteConfig(); err != nil {
			b.t.Fatal(err)
		}
		b.reload()
		b.logged(`siem_format: "xml" is not one of: json, key_value`)
		b.logged("this block collects nothing until its configuration is corrected")
		b.service.AddBatch(400)
		b.host.Inputs = good
		if err := b.host.WriteConfig(); err != nil {
			b.t.Fatal(err)
		}
		b.reload()
		b.all()
		b.stop()
		b.clean()
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
		b.service.AddBatch(400)
		good := b.host.Inputs
		b.host.Inputs = append(slices.Clone(good), b.service.Input("db", b.db(), "siem_format", "xml"))
		b.host.Env = append(b.host.Env, "MALLOC_PERTURB_=165") // freed memory is of no use
		b.start("-Y")
		b.logged("this block collects nothing until its configuration is corrected")
		b.all()
		b.host.Inputs = good
		if err := b.host.WriteConfig(); err != nil {
			b.t.Fatal(err)
		}
		b.reload()
		b.service.AddBatch(400)
		b.all()
		b.stop()
		b.clean()
	})
}

func TestAReloadIntoTwoBlocksWithOneStream(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		b.service.AddBatch(400)
		b.start("-Y")
		b.all()
		b.host.Inputs = append(b.host.Inputs, b.service.Input("db", b.db(), "logs", "siem"))
		if err := b.host.WriteConfig(); err != nil {
			b.t.Fatal(err)
		}
		b.reload()
		b.logged("another block collects the siem logs")
		b.service.AddBatch(400)
		b.all()
		b.stop()
		b.clean()
	})
}

func TestALockedDBIsWaitedFor(t *testing.T) {
	t.Parallel()
	notShort(t)
	inBoth(t, func(b *bench) {
		b.service.AddBatch(400)
		b.start()
		b.all()
		other := *b
		other.tally = harness.Tally{}
		other.host.Dir = b.t.TempDir()
		other.start()
		b.t.Cleanup(func() {
			if other.process != nil {
				other.process.Kill()
			}
		})
		other.logged("is in use by another process")
		b.stop()
		b.service.AddBatch(400)
		other.all2(b)
		other.stop()
		first, second := b.account(), other.account()
		if first.Received+second.Received != 800 || first.Foreign+second.Foreign+first.Twice+second.Twice > 0 {
			b.t.Errorf("%v, then %v", first, second)
		}
	})
}

// all2 waits until every record has come to one of two hosts.
func (b *bench) all2(other *bench) {
	b.t.Helper()
	served := b.account().Served
	b.await("all records", func() bool { return b.received()+other.received() >= served })
}

func TestABackgroundHostIsRefused(t *testing.T) {
	t.Parallel()
	inFluentBit(t, func(b *bench) {
		path := filepath.Join(b.host.Dir, "fluent-bit.log")
		b.host.Service = map[string]string{"log_file": path}
		b.start("-d")
		<-b.process.Ended() // it leaves a child in the background
		b.process = nil
		child := 0
		holds := func(text string) bool {
			log, _ := os.ReadFile(path)
			if _, pid, ok := strings.Cut(b.host.Log()+string(log), "pid="); ok && child == 0 {
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
		if holds("SIGSEGV") || holds("corruption") || strings.Contains(b.host.Log(), "corruption") {
			b.t.Error("the host has crashed")
		}
	})
}
