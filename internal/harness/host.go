package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// FindFluentBit returns the path of a real Fluent Bit: the one that FLUENT_BIT
// names, or the one on PATH; empty when there is none.
func FindFluentBit() string {
	name := os.Getenv("FLUENT_BIT")
	if name == "" {
		name = "fluent-bit"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// Host is what it takes to run the plugin in a host.
type Host struct {
	FluentBit string // path of a real one; empty: use MiniHost
	MiniHost  string
	Plugin    string // path of mimecast.so; empty: none
	Dir       string // for all files of the run
	Inputs    []Input
	Env       []string

	// Only for a real Fluent Bit:
	Service    map[string]string // of the service section, over defaults
	Processors string            // of every input, as they stand in it
	Pipeline   string            // more of the pipeline: inputs, filters, outputs; empty: one file output
	Memory     bool              // memory storage instead of the file system
}

// Process is a host that runs.
type Process struct {
	cmd    *exec.Cmd
	host   Host
	exited chan struct{} // closed when there is a status
	ended  chan struct{} // closed when its output has been received too
	status error
	gate   sync.Mutex // held while the small host is held up
	held   bool
}

// Output is the file that records are written to, a JSON line each.
func (h Host) Output() string { return filepath.Join(h.Dir, "records.jsonl") }

// LogFile is the file that the host's log is written to.
func (h Host) LogFile() string { return filepath.Join(h.Dir, "host.log") }

// Storage is the folder of a real Fluent Bit's chunks.
func (h Host) Storage() string { return filepath.Join(h.Dir, "storage") }

// Tagged is the file that the records of a tag are also written to by the small
// host, and by a file output with path [Host.Tags].
func (h Host) Tagged(tag string) string { return filepath.Join(h.Tags(), tag) }

// Tags is the folder of the files by tag.
func (h Host) Tags() string { return filepath.Join(h.Dir, "tags") }

// ConfigFile is the configuration of the host.
func (h Host) ConfigFile() string {
	if h.FluentBit == "" {
		return filepath.Join(h.Dir, "minihost.conf")
	}
	return filepath.Join(h.Dir, "fluent-bit.yaml")
}

// Start starts the host. Output and log are appended to.
func (h Host) Start(ctx context.Context, more ...string) (*Process, error) {
	if err := h.WriteConfig(); err != nil {
		return nil, err
	}
	name, args := h.FluentBit, []string{"-c", h.ConfigFile()}
	if name == "" {
		name = h.MiniHost
	}
	if h.Plugin != "" {
		args = append(args, "-e", h.Plugin)
	}
	cmd := exec.CommandContext(ctx, name, append(args, more...)...)
	cmd.Env = append(os.Environ(), h.Env...)
	cmd.Dir = h.Dir
	log, err := os.OpenFile(h.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	p := &Process{cmd: cmd, host: h, exited: make(chan struct{}), ended: make(chan struct{})}
	received := func() error { return nil }
	if h.FluentBit == "" {
		output, input, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer input.Close()
		cmd.Stdout = input
		received = func() error {
			defer output.Close()
			return p.receive(output)
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the host: %w", err)
	}
	go func() {
		p.status = cmd.Wait()
		close(p.exited)
	}()
	go func() {
		err := received()
		<-p.exited
		p.status = errors.Join(p.status, err)
		close(p.ended)
	}()
	return p, nil
}

// WriteConfig writes the configuration that the host reads at its start and at a
// reload.
func (h Host) WriteConfig() error {
	if h.FluentBit == "" {
		return h.writeMiniConfig()
	}
	var b bytes.Buffer
	service := map[string]string{"flush": "1", "grace": "5", "storage.path": h.Storage()}
	maps.Copy(service, h.Service)
	b.WriteString("service:\n")
	for _, key := range slices.Sorted(maps.Keys(service)) {
		fmt.Fprintf(&b, "  %s: %q\n", key, service[key])
	}
	b.WriteString("pipeline:\n  inputs:\n")
	for _, in := range h.Inputs {
		b.WriteString("    - name: mimecast\n")
		if !h.Memory {
			b.WriteString("      storage.type: filesystem\n")
		}
		for _, kv := range in {
			fmt.Fprintf(&b, "      %s: %q\n", kv[0], kv[1])
		}
		b.WriteString(h.Processors)
	}
	if h.Pipeline != "" {
		b.WriteString(h.Pipeline)
	} else {
		fmt.Fprintf(&b, "  outputs:\n    - name: file\n      match: \"*\"\n      path: %q\n      file: %q\n      format: plain\n      retry_limit: no_limits\n",
			h.Dir, filepath.Base(h.Output()))
	}
	return os.WriteFile(h.ConfigFile(), b.Bytes(), 0o600)
}

// Signal sends the host a signal.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Reload asks the host to read its configuration again, and waits until it has.
// All versions of Fluent Bit log that line, at each start. It comes a moment before the
// end of a reload, until which they refuse another one: that is asked for again.
func (p *Process) Reload() error {
	const refused = "reloading in progress"
	done := "[sp] stream processor started"
	if p.host.FluentBit == "" {
		done = "[minihost] started"
	}
	before, refusals := strings.Count(p.host.Log(), done), strings.Count(p.host.Log(), refused)
	if err := p.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		log := p.host.Log()
		if strings.Count(log, done) > before {
			if p.host.FluentBit != "" {
				// 5.1.1 may die of a SIGHUP that comes while it ends a reload.
				time.Sleep(500 * time.Millisecond)
			}
			return nil
		}
		if n := strings.Count(log, refused); n > refusals {
			refusals = n
			if err := p.Signal(syscall.SIGHUP); err != nil {
				return err
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the host ended at a reload: %w", p.status)
		default:
		}
	}
	return errors.New("the host does not reload")
}

// PID is the host's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the host has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop ends the host as an orchestrator does, and returns how it ended.
func (p *Process) Stop() error {
	_ = p.Signal(syscall.SIGTERM)
	return p.wait(30 * time.Second)
}

// Kill ends the host as a power cut does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	if p.held {
		p.held = false
		p.gate.Unlock()
	}
	<-p.ended
}

func (p *Process) wait(limit time.Duration) error {
	select {
	case <-p.ended:
		return p.status
	case <-time.After(limit):
		p.Kill()
		return errors.New("the host did not end")
	}
}

// Log returns what the host has logged so far.
func (h Host) Log() string {
	b, _ := os.ReadFile(h.LogFile())
	return string(b)
}

// PluginLog returns the lines of the host's log that are the plugin's.
func (h Host) PluginLog() string {
	var b strings.Builder
	for line := range strings.Lines(h.Log()) {
		if strings.Contains(line, "[input:mimecast:") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// CPU is what a host that has ended took of all cores.
func (p *Process) CPU() time.Duration {
	<-p.ended
	if p.cmd.ProcessState == nil {
		return 0
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// Holdings are what a process has of the machine.
type Holdings struct {
	Resident  int // bytes of memory
	Anonymous int // of them, those that are no file's
	Peak      int // the most resident there was
	Threads   int
	Files     int // open ones
}

// Holds returns what the host has.
func (p *Process) Holds() (Holdings, error) {
	var h Holdings
	proc := fmt.Sprintf("/proc/%d/", p.PID())
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		return h, err
	}
	for field, to := range map[string]*int{"VmRSS:": &h.Resident, "RssAnon:": &h.Anonymous, "VmHWM:": &h.Peak} {
		_, kilobytes, _ := strings.Cut(string(status), field)
		if _, err := fmt.Sscan(kilobytes, to); err != nil {
			return h, err
		}
		*to <<= 10
	}
	tasks, err := os.ReadDir(proc + "task")
	if err != nil {
		return h, err
	}
	files, err := os.ReadDir(proc + "fd")
	h.Threads, h.Files = len(tasks), len(files)
	return h, err
}
