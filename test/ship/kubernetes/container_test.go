package kubernetes

import (
	"debug/elf"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"
)

// TestBuilder runs the steps of the builder for each architecture.
func TestBuilder(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles everything")
	}
	for arch, want := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) {
			built := build(t, arch)
			highest, machine := glibc(t, built+"/mimecast.so")
			if machine != want {
				t.Errorf("made for %s", machine)
			}
			if highest != promised(t) {
				t.Errorf("needs glibc %s, README says %s", highest, promised(t))
			}
			emulator := map[string]string{"arm64": "qemu-aarch64-static"}[arch]
			command := []string{built + "/mimecastctl", "-h"}
			if emulator != "" {
				if _, err := exec.LookPath(emulator); err != nil {
					t.Skip("*** NO " + emulator + ": mimecastctl for arm64 WAS NOT RUN ***")
				}
				command = append([]string{emulator}, command...)
			}
			if out := run(t, exec.Command(command[0], command[1:]...)); !strings.Contains(out, "health") {
				t.Errorf("mimecastctl says\n%s", out)
			}
		})
	}
}

// scene is a Mimecast, a SIEM, and the Deployment's container between them.
type scene struct {
	*pod
	mimecast *harness.Service
	siem     *siem
	http     string // Fluent Bit's own server
}

// newScene stands up the container of base in a root tree. Credentials and
// configuration are mounted, with other addresses and nothing else changed.
func newScene(t *testing.T, root string) *scene {
	t.Helper()
	objects := decode(t, kustomize(t, "base"))
	spec := one[*appsv1.Deployment](t, objects).Spec.Template.Spec
	s := &scene{pod: newPod(t, root, spec, fluentBit(t, spec)), siem: newSIEM(t)}
	service, err := harness.StartService(simulator.Config{Seed: 1, EventsLimit: 1 << 20, RateLimit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	s.mimecast = service
	s.http = s.configure(t, s.pod)
	s.secret(t)
	return s
}

// configure writes a pod's configuration and returns the URL of its server.
func (s *scene) configure(t *testing.T, p *pod) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	name, text := configuration(t, decode(t, kustomize(t, "base")))
	for _, change := range [][2]string{
		{"region: global", "base_url: " + s.mimecast.URL + "\n      poll_interval: 1s"},
		{"host: siem.example.com", "host: 127.0.0.1"},
		{"port: 443", "port: " + s.siem.port},
		{"tls: on", "tls: off"},
		{"http_port: 2020", "http_port: " + port},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("the configuration has no %q", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	p.write(t, "config", name, text)
	return "http://127.0.0.1:" + port
}

// change replaces a text of the configuration that was written.
func (s *scene) change(t *testing.T, old, by string) {
	t.Helper()
	name, _ := configuration(t, decode(t, kustomize(t, "base")))
	text, err := os.ReadFile(filepath.Join(s.volumes["config"], name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("the configuration has no %q", old)
	}
	s.write(t, "config", name, strings.Replace(string(text), old, by, 1))
}

// secret writes the credentials that Mimecast takes now.
func (s *scene) secret(t *testing.T) {
	t.Helper()
	s.write(t, "secret", "client_id", s.mimecast.Client().ID)
	s.write(t, "secret", "client_secret", s.mimecast.Client().Secret)
}

// beside returns another pod with the same claim and secret, as a rolling update
// starts one.
func (s *scene) beside(t *testing.T) *pod {
	t.Helper()
	p := newPod(t, s.root, s.spec, s.container)
	own := p.volumes["config"]
	p.volumes = maps.Clone(s.volumes)
	p.volumes["config"] = own
	s.configure(t, p)
	return p
}

// add gives Mimecast so many more files of 1,000 records for each of two types.
func (s *scene) add(t *testing.T, files int) {
	t.Helper()
	for _, kind := range []string{"receipt", "url protect"} {
		if err := s.mimecast.AddFiles(kind, files, 1000); err != nil {
			t.Fatal(err)
		}
	}
}

// await waits until something holds.
func (p *pod) await(t *testing.T, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s; the log ends\n%s", what, limit, p.tail())
		}
		if !p.runs() {
			t.Fatalf("%s: the container ended; its log ends\n%s", what, p.tail())
		}
	}
}

// all waits until so many different records have come.
func (s *scene) all(t *testing.T, p *pod, records int) {
	t.Helper()
	p.await(t, fmt.Sprintf("%d records", records), 3*time.Minute, func() bool {
		_, different := s.siem.received(t)
		return different >= records
	})
}

// lives reports whether the liveness probe succeeds.
func (s *scene) lives(t *testing.T) bool {
	t.Helper()
	client := http.Client{Timeout: time.Duration(s.container.LivenessProbe.TimeoutSeconds) * time.Second}
	r, err := client.Get(s.http + s.container.LivenessProbe.HTTPGet.Path)
	if err != nil {
		return false
	}
	defer r.Body.Close()
	return r.StatusCode >= 200 && r.StatusCode < 400
}

// ready runs the readiness probe, with another age if it is not empty.
func (s *scene) ready(maxAge string) error {
	command := append([]string{}, s.container.ReadinessProbe.Exec.Command...)
	if maxAge != "" {
		command[len(command)-1] = maxAge
	}
	if out, err := s.command(command...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// TestContainer runs the container of the Deployment as a node does.
func TestContainer(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles everything")
	}
	tree := root(t)

	t.Run("a stranger's day", func(t *testing.T) {
		const events = 5
		s := newScene(t, tree)
		s.add(t, 10)
		s.start(t)
		s.all(t, s.pod, 20_000)
		s.await(t, "readiness", 20*time.Second, func() bool { return s.ready("") == nil })
		pid, err := s.pid()
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); !strings.Contains(string(status), "\nUid:\t65532\t65532\t65532") || !strings.Contains(string(status), "\nCapEff:\t0000000000000000") {
			t.Errorf("it runs as\n%s", status)
		}
		if err := syscall.Access(fmt.Sprintf("/proc/%d/root/fluent-bit", pid), 2); err != syscall.EROFS {
			t.Errorf("its root file system can be written: %v", err)
		}

		// Rotation: the old secret is refused from now on.
		was := s.mimecast.Client()
		if err := s.mimecast.SetClient(simulator.Client{ID: was.ID, Secret: "another-secret"}); err != nil {
			t.Fatal(err)
		}
		s.mimecast.ExpireTokens()
		s.secret(t)
		s.mimecast.AddEvents(events, time.Now().Add(-time.Minute), 3)
		s.all(t, s.pod, 20_000+events)

		// A process that hangs.
		s.signal(t, syscall.SIGSTOP)
		if s.lives(t) {
			t.Error("the liveness probe succeeds of a process that is stopped")
		}
		s.signal(t, syscall.SIGCONT)

		// A SIEM that is down: nothing is restarted, and nothing lost.
		s.siem.down.Store(true)
		if took := s.stop(t); took > 15*time.Second {
			t.Errorf("a stop took %s", took)
		}
		s.add(t, 10)
		s.start(t)
		s.await(t, "a chunk", 30*time.Second, func() bool {
			chunks, _ := filepath.Glob(s.volumes["state"] + "/storage/*/*.flb")
			return len(chunks) > 0
		})
		if !s.lives(t) {
			t.Error("the liveness probe fails: the container would be restarted again and again")
		}
		if err := s.ready("1ns"); err == nil {
			t.Error("the readiness probe never fails")
		}
		began := time.Now()
		took := s.stop(t)
		t.Logf("stop while the SIEM is down: %s", took.Round(100*time.Millisecond))
		if grace := time.Duration(*s.spec.TerminationGracePeriodSeconds) * time.Second; time.Since(began) > grace {
			t.Errorf("a stop took longer than %s", grace)
		}
		s.siem.down.Store(false)
		s.start(t)
		s.all(t, s.pod, 40_000+events)
		s.stop(t)
		if a := s.siem.account(s.mimecast.Expected()); !a.Clean() {
			t.Error(a)
		}
	})

	t.Run("a second Pod", func(t *testing.T) {
		s := newScene(t, tree)
		s.add(t, 5)
		s.start(t)
		s.all(t, s.pod, 10_000)
		second := s.beside(t)
		second.start(t)
		second.await(t, "word of the lock", 30*time.Second, func() bool {
			return strings.Contains(second.text(), "in use by another process")
		})
		s.stop(t)
		s.add(t, 5)
		s.all(t, second, 20_000)
		second.stop(t)
		if a := s.siem.account(s.mimecast.Expected()); !a.Clean() {
			t.Error(a)
		}
	})

	t.Run("without a volume", func(t *testing.T) {
		s := newScene(t, tree)
		s.container.VolumeMounts = append(s.container.VolumeMounts[:0:0], s.container.VolumeMounts...)
		for i := range s.container.VolumeMounts {
			s.container.VolumeMounts[i].ReadOnly = true
		}
		s.add(t, 1)
		s.start(t)
		<-s.ended
		if !strings.Contains(s.text(), "cannot initialize root path /var/lib/fluent-bit/storage") {
			t.Errorf("it does not say why it ends:\n%s", s.tail())
		}
		if all, _ := s.siem.received(t); all > 0 {
			t.Errorf("%d records were collected that have no position", all)
		}
	})

	for _, c := range limits(t) {
		t.Run(fmt.Sprintf("%s, budget %s", c.limit, c.budget), func(t *testing.T) { catchUp(t, tree, c) })
	}
}

// TestCarrier runs the init container with the carrier's entry point, and looks at what
// Fluent Bit's container finds in the volume.
func TestCarrier(t *testing.T) {
	needRoot(t)
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("*** NO BUSYBOX: the carrier WAS NOT RUN ***")
	}
	tree := t.TempDir()
	put(t, busybox, tree, "/bin/cp")
	carrier := stage(t, "carrier")
	for _, c := range of[*instructions.CopyCommand](carrier) {
		for _, source := range c.SourcePaths {
			put(t, filepath.Join(repository, strings.TrimPrefix(source, "/src/")), tree, filepath.Join(c.DestPath, path.Base(source)))
		}
	}
	for _, d := range []string{"proc", "dev", "plugins"} {
		if err := os.Mkdir(filepath.Join(tree, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	spec := one[*appsv1.Deployment](t, decode(t, kustomize(t, "carrier"))).Spec.Template.Spec
	init := spec.InitContainers[0]
	init.Command = of[*instructions.EntrypointCommand](carrier)[0].CmdLine
	p := newPod(t, tree, spec, init)
	p.start(t)
	<-p.ended
	for _, m := range fluentBit(t, spec).VolumeMounts {
		if m.Name != init.VolumeMounts[0].Name {
			continue
		}
		for file, mode := range map[string]os.FileMode{"mimecast.so": 0o444, "mimecastctl": 0o555} {
			st, err := os.Stat(filepath.Join(p.volumes[m.Name], file))
			if err != nil {
				t.Fatalf("%v; cp says %s", err, p.text())
			}
			if st.Mode()&mode != mode {
				t.Errorf("%s has mode %s", file, st.Mode())
			}
		}
		if _, config := configuration(t, decode(t, kustomize(t, "carrier"))); !strings.Contains(config, m.MountPath+"/mimecast.so") {
			t.Errorf("the configuration loads no plugin from %s", m.MountPath)
		}
		return
	}
	t.Error("Fluent Bit's container does not mount the volume")
}

// A limit of the container's memory, and the plugin's budget in it.
type limit struct {
	limit, budget string
	tight         bool // it may be killed
}

// measuring reports whether the figures of docs/kubernetes.md are wanted: twenty
// minutes.
func measuring() bool { return os.Getenv("POD_LIMITS") == "all" }

// limits are the Deployment's own and one that is too small, and with POD_LIMITS=all
// those of docs/kubernetes.md.
func limits(t *testing.T) []limit {
	t.Helper()
	spec := one[*appsv1.Deployment](t, decode(t, kustomize(t, "base"))).Spec.Template.Spec
	c := fluentBit(t, spec)
	shipped := limit{limit: c.Resources.Limits.Memory().String(), budget: c.Env[0].Value}
	if !measuring() {
		return []limit{{"64Mi", "256M", true}, shipped}
	}
	return []limit{
		{"64Mi", "16M", true},
		{"96Mi", "16M", true},
		{"128Mi", "16M", true},
		{"128Mi", "32M", true},
		{"256Mi", "32M", true},
		{"256Mi", "64M", true},
		{"256Mi", "256M", true},
	}
}

// catchUp has the container collect files of 5,000 records under a limit of memory. It
// is started again whenever it is killed, as kubelet does. There are four types: each
// start asks for each, and there are 50 such calls in a quarter of an hour.
func catchUp(t *testing.T, tree string, l limit) {
	const fileRecords = 5000
	files := 10 // of a type
	if measuring() {
		files = 30
	}
	kinds := []string{"receipt", "process", "delivery", "url protect"}
	s := newScene(t, tree)
	s.change(t, "tag: mimecast\n", "tag: mimecast\n      logs: siem\n      siem_types: receipt,process,delivery,url_protect\n")
	s.container.Env = append(s.container.Env[:0:0], s.container.Env...)
	s.container.Env[0].Value = l.budget
	s.limit(t, resource.MustParse(l.limit))
	for _, kind := range kinds {
		if err := s.mimecast.AddFiles(kind, files, fileRecords); err != nil {
			t.Fatal(err)
		}
	}
	s.start(t)
	began := time.Now()
	var peak int64
	restarts := 0
	for different := 0; different < len(kinds)*files*fileRecords; time.Sleep(20 * time.Millisecond) {
		if !s.runs() {
			restarts++
			if restarts > 10 {
				t.Fatalf("%d records after 10 restarts; the log ends\n%s", different, s.tail())
			}
			s.start(t)
		}
		peak = max(peak, s.anonymous(t))
		if time.Since(began) > 5*time.Minute {
			t.Fatalf("%d records after five minutes; the log ends\n%s", different, s.tail())
		}
		_, different = s.siem.received(t)
	}
	took := time.Since(began)
	kills := s.oomKills(t)
	stop := s.stop(t)
	a := s.siem.account(s.mimecast.Expected())
	t.Logf("limit %s, budget %s: %d OOM kills, %d restarts, %d MB anonymous at most, hit %d times, %s, %s; stop %s", l.limit, l.budget, kills, restarts,
		peak>>20, s.counter(t, "memory.failcnt", ""), took.Round(time.Second), a, stop.Round(100*time.Millisecond))
	if a.Lost > 0 || a.Foreign > 0 || a.Unparsed > 0 {
		t.Error(a)
	}
	if !l.tight && (kills > 0 || !a.Clean()) {
		t.Errorf("%d OOM kills; %s", kills, a)
	}
}
