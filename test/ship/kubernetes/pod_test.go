package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// pod is a container of a Pod that is run as a node runs it: as process 1 of its own
// namespaces, as its user, in a root tree that can't be written, with its volumes and
// its limit of memory. Loopback is this machine's.
type pod struct {
	root      string            // tree of the image
	volumes   map[string]string // folders by the names of the Pod's volumes
	spec      corev1.PodSpec
	container corev1.Container
	log       string // file
	cgroup    string // folder

	cmd   *exec.Cmd
	ended chan struct{}
}

// cgroups is where version 1 of them stands.
const cgroups = "/sys/fs/cgroup/memory"

// newPod returns a pod with empty volumes that its group can write, as kubelet makes
// them.
func newPod(t *testing.T, root string, spec corev1.PodSpec, container corev1.Container) *pod {
	t.Helper()
	needRoot(t)
	if _, err := os.Stat(filepath.Join(cgroups, "memory.limit_in_bytes")); err != nil {
		t.Skip("*** NO CGROUPS OF VERSION 1: the Pod WAS NOT RUN ***")
	}
	dir := t.TempDir()
	p := &pod{root: root, volumes: map[string]string{}, spec: spec, container: container, log: filepath.Join(dir, "log")}
	for _, v := range spec.Volumes {
		p.volumes[v.Name] = filepath.Join(dir, v.Name)
		if err := os.Mkdir(p.volumes[v.Name], 0o770); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(p.volumes[v.Name], 0, int(*spec.SecurityContext.FSGroup)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p.volumes[v.Name], 0o770|os.ModeSetgid); err != nil {
			t.Fatal(err)
		}
	}
	cgroup := filepath.Join(cgroups, "mimecast"+strings.ReplaceAll(dir, "/", "-"))
	if err := os.Mkdir(cgroup, 0o755); err != nil {
		t.Fatal(err)
	}
	p.cgroup = cgroup
	p.limit(t, *container.Resources.Limits.Memory())
	t.Cleanup(func() {
		p.kill()
		if err := os.Remove(cgroup); err != nil {
			t.Error(err)
		}
	})
	return p
}

// limit bounds the container's memory: what it allocates, and the pages of files
// that the kernel keeps for it.
func (p *pod) limit(t *testing.T, bytes resource.Quantity) {
	t.Helper()
	file := filepath.Join(p.cgroup, "memory.limit_in_bytes")
	if err := os.WriteFile(file, []byte(strconv.FormatInt(bytes.Value(), 10)), 0); err != nil {
		t.Fatal(err)
	}
}

// write puts a file into a volume, as one of a Secret or ConfigMap.
func (p *pod) write(t *testing.T, volume, name, text string) {
	t.Helper()
	file := filepath.Join(p.volumes[volume], name)
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(file, 0, int(*p.spec.SecurityContext.FSGroup)); err != nil {
		t.Fatal(err)
	}
}

// script mounts what the container has. It leaves nothing behind: the namespace ends
// with the container.
func (p *pod) script() string {
	s := "set -eu\necho $$ >" + p.cgroup + "/cgroup.procs\nmount --make-rprivate /\nmount --bind $ROOT $ROOT\n"
	for _, m := range p.container.VolumeMounts {
		s += fmt.Sprintf("mkdir -p $ROOT%s\nmount --bind %s $ROOT%[1]s\n", m.MountPath, p.volumes[m.Name])
		if m.ReadOnly {
			s += fmt.Sprintf("mount -o remount,bind,ro $ROOT%s\n", m.MountPath)
		}
	}
	s += "mount --rbind /dev $ROOT/dev\nmount -t proc proc $ROOT/proc\n"
	if *p.container.SecurityContext.ReadOnlyRootFilesystem {
		s += "mount -o remount,bind,ro $ROOT\n"
	}
	user := *p.spec.SecurityContext.RunAsUser
	group := *p.spec.SecurityContext.RunAsGroup
	return s + fmt.Sprintf("exec chroot --userspec=%d:%d --groups=%d $ROOT \"$@\"\n", user, group, *p.spec.SecurityContext.FSGroup)
}

// command is one in the container's namespaces, its user and its files.
func (p *pod) command(args ...string) *exec.Cmd {
	cmd := exec.Command("unshare", append([]string{"-m", "-p", "-f", "--kill-child", "sh", "-c", p.script(), "sh"}, args...)...)
	cmd.Env = []string{"ROOT=" + p.root, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, e := range p.container.Env {
		cmd.Env = append(cmd.Env, e.Name+"="+e.Value)
	}
	return cmd
}

// start starts the container. Its log is appended to.
func (p *pod) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	args := p.container.Command
	if len(args) == 0 {
		args = []string{"/fluent-bit/bin/fluent-bit"} // the image's entry point
	}
	p.cmd = p.command(append(args, p.container.Args...)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended, cmd := make(chan struct{}), p.cmd
	p.ended = ended
	go func() {
		_ = cmd.Wait() // whoever waits for the end looks at the status
		close(ended)
	}()
}

// pid is that of the container's process 1 on this machine.
func (p *pod) pid() (int, error) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(children)))
}

func (p *pod) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	pid, err := p.pid()
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		t.Fatalf("%v; the log ends\n%s", err, p.tail())
	}
}

// stop ends the container as kubelet does, and returns how long that took.
func (p *pod) stop(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	p.signal(t, syscall.SIGTERM)
	grace := time.Duration(*p.spec.TerminationGracePeriodSeconds) * time.Second
	select {
	case <-p.ended:
	case <-time.After(grace):
		t.Errorf("the container did not end within %s; the log ends\n%s", grace, p.tail())
		p.kill()
	}
	return time.Since(began)
}

// kill ends what runs.
func (p *pod) kill() {
	if p.cmd == nil {
		return
	}
	if pid, err := p.pid(); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
	<-p.ended
}

// runs reports whether the container has not ended.
func (p *pod) runs() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// counter reads a figure of the cgroup.
func (p *pod) counter(t *testing.T, file, field string) (n int64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.cgroup, file))
	if err != nil {
		t.Fatal(err)
	}
	_, value, found := strings.Cut("\n"+string(text), "\n"+field)
	if _, err := fmt.Sscan(value, &n); err != nil || !found {
		t.Fatalf("%s has no %q: %v", file, field, err)
	}
	return n
}

// oomKills is how often the kernel ended a process for the limit of memory.
func (p *pod) oomKills(t *testing.T) int64 { return p.counter(t, "memory.oom_control", "oom_kill ") }

// anonymous is how many bytes the container has that can't be given back.
func (p *pod) anonymous(t *testing.T) int64 { return p.counter(t, "memory.stat", "rss ") }

func (p *pod) text() string {
	b, _ := os.ReadFile(p.log)
	return string(b)
}

func (p *pod) tail() string {
	text := p.text()
	return text[max(0, len(text)-3000):]
}
