// Package packages installs, runs and removes the packages of the plugin.
package packages

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"fluent-bit-mimecast/internal/harness"
	"fluent-bit-mimecast/internal/simulator"

	"github.com/google/go-cmp/cmp"
)

const tree = "../../.." // of the project

// manager is dpkg or rpm, working in a folder that stands for the root of a machine.
type manager struct {
	kind    string // of package
	tool    string
	install []string // arguments that go before the package
	remove  []string // arguments that go before the name
	purge   []string // nil where there is no such thing
	leaves  []string // files that a removal leaves
}

func managers(root string) []manager {
	// Without a system in root, no dependency is there and no script can be run in it.
	dpkg := []string{"--root=" + root, "--force-depends", "--force-script-chrootless"}
	rpm := []string{"--root", root, "--dbpath", "/var/lib/rpm", "--nodeps"}
	with := func(args []string, more ...string) []string { return slices.Concat(args, more) }
	return []manager{
		{
			kind: "deb", tool: "dpkg",
			install: with(dpkg, "-i"), remove: with(dpkg, "-r"), purge: with(dpkg, "-P"),
			leaves: []string{"etc/fluent-bit/mimecast.env"},
		},
		{
			kind: "rpm", tool: "rpm",
			install: with(rpm, "-U"), remove: with(rpm, "-e"),
			leaves: []string{"etc/fluent-bit/mimecast.env.rpmsave"},
		},
	}
}

// build makes the packages in a folder of their own.
func build(t *testing.T) (out string) {
	t.Helper()
	out = t.TempDir()
	// The files' time is the commit's unless set; a tree without git has none.
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	run(t, filepath.Join(tree, "build/packages/build.sh"), "1.2.3", runtime.GOARCH, filepath.Join(out, "stage"), out)
	return out
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	if os.Getuid() != 0 {
		t.Skip("NOT ROOT: the packages are NOT TESTED")
	}
	fluentBit := harness.FindFluentBit()
	if fluentBit == "" {
		t.Skip("NO FLUENT BIT on PATH nor in FLUENT_BIT: the packages are NOT TESTED")
	}
	out := build(t)
	for _, m := range managers("") {
		t.Run(m.kind, func(t *testing.T) {
			if _, err := exec.LookPath(m.tool); err != nil {
				t.Skipf("NO %s: the %s is NOT TESTED", m.tool, m.kind)
			}
			found, err := filepath.Glob(filepath.Join(out, "*."+m.kind))
			if err != nil || len(found) != 1 {
				t.Fatalf("packages: %v, %v; want one", found, err)
			}
			t.Run("glibc", func(t *testing.T) { testGlibc(t, found[0], m.kind) })
			testPackage(t, found[0], m.kind, fluentBit)
		})
	}
}

// machine is a root with a package.
type machine struct {
	*testing.T
	manager
	root    string
	service *harness.Service
	host    harness.Host
	tally   harness.Tally
}

func testPackage(t *testing.T, file, kind, fluentBit string) {
	m := &machine{T: t, root: t.TempDir()}
	all := managers(m.root)
	m.manager = all[slices.IndexFunc(all, func(m manager) bool { return m.kind == kind })]
	for _, dir := range []string{"var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/rpm", "var/lib/fluent-bit"} {
		if err := os.MkdirAll(filepath.Join(m.root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m.write("var/lib/dpkg/status", "")
	m.do(m.install, file)
	m.installed()
	m.usable(fluentBit)

	service, err := harness.StartService(simulator.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	m.service = service
	m.host = harness.Host{
		FluentBit: fluentBit, Dir: t.TempDir(), Env: service.Env(),
		Service: map[string]string{"plugins_file": m.pluginsFile()},
		Inputs:  []harness.Input{service.Input("db", m.path("var/lib/fluent-bit/mimecast.db"), "poll_interval", "1s")},
	}
	m.collect()
	m.write("etc/fluent-bit/mimecast.env", "MIMECAST_CLIENT_ID=a\n")
	m.do(m.remove, "fluent-bit-mimecast")
	m.left(append(slices.Clone(m.leaves), "var/lib/fluent-bit/mimecast.db"))

	m.do(m.install, file)
	m.collect() // goes on at the position
	m.do(m.remove, "fluent-bit-mimecast")
	if m.purge != nil {
		m.do(m.purge, "fluent-bit-mimecast")
		m.left(nil)
	}
}

func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

func (m *machine) do(args []string, more string) {
	m.Helper()
	run(m.T, m.tool, append(slices.Clone(args), more)...)
}

func (m *machine) write(name, text string) {
	m.Helper()
	if err := os.WriteFile(m.path(name), []byte(text), 0o600); err != nil {
		m.Fatal(err)
	}
}

// left fails the test unless these are the files of the machine, but for those of
// the package manager, and no folder of the package's own is there.
func (m *machine) left(want []string) {
	m.Helper()
	slices.Sort(want)
	var got []string
	for name, entry := range m.entries() {
		if !entry.IsDir() {
			got = append(got, name)
		} else if strings.Contains(name, "mimecast") || strings.HasSuffix(name, ".service.d") {
			m.Errorf("the folder %s is left", name)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		m.Errorf("files left (-want +got):\n%s", diff)
	}
}

// entries returns all files and folders of the machine but the package manager's, by
// their path from its root.
func (m *machine) entries() map[string]fs.DirEntry {
	m.Helper()
	entries := map[string]fs.DirEntry{}
	err := filepath.WalkDir(m.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(m.root, path)
		if name == "var/lib/dpkg" || name == "var/lib/rpm" {
			return filepath.SkipDir
		}
		entries[name] = d
		return err
	})
	if err != nil {
		m.Fatal(err)
	}
	return entries
}

// installed checks modes, and that nothing can be changed by others than root.
func (m *machine) installed() {
	m.Helper()
	modes := map[string]fs.FileMode{
		"usr/lib/fluent-bit-mimecast/mimecast.so":                    0o644,
		"usr/bin/mimecastctl":                                        0o755,
		"usr/share/man/man1/mimecastctl.1.gz":                        0o644,
		"usr/share/doc/fluent-bit-mimecast/copyright":                0o644,
		"usr/share/doc/fluent-bit-mimecast/THIRD-PARTY.txt":          0o644,
		"usr/share/doc/fluent-bit-mimecast/CHANGELOG.md":             0o644,
		"usr/share/doc/fluent-bit-mimecast/examples/fluent-bit.yaml": 0o644,
		"usr/lib/systemd/system/fluent-bit.service.d/mimecast.conf":  0o644,
		"etc/fluent-bit/mimecast.env":                                0o600,
	}
	entries := m.entries()
	for name, mode := range modes {
		if entries[name] == nil {
			m.Errorf("%s is missing", name)
			continue
		}
		if info, err := entries[name].Info(); err != nil || info.Mode() != mode {
			m.Errorf("%s has mode %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	for name, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode()&0o022 != 0 && info.Mode()&fs.ModeSymlink == 0 {
			m.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
}

// moved returns a copy of a file of the package that names the machine's plugin.
func (m *machine) moved(name string) string {
	m.Helper()
	const plugin = "/usr/lib/fluent-bit-mimecast/mimecast.so"
	text, err := os.ReadFile(m.path(name))
	if err != nil {
		m.Fatal(err)
	}
	if strings.Count(string(text), plugin) == 0 {
		m.Fatalf("%s does not name %s", name, plugin)
	}
	path := filepath.Join(m.TempDir(), filepath.Base(name))
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), plugin, m.path(plugin))), 0o600); err != nil {
		m.Fatal(err)
	}
	return path
}

// pluginsFile returns one as Fluent Bit's packages have it, that includes the snippet.
func (m *machine) pluginsFile() string {
	m.Helper()
	path := filepath.Join(m.TempDir(), "plugins.conf")
	text := "[PLUGINS]\n    # Path /path/to/out_gstdout.so\n@INCLUDE " + m.moved("usr/share/fluent-bit-mimecast/plugins.conf") + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.Fatal(err)
	}
	return path
}

// usable tries what comes beside the plugin.
func (m *machine) usable(fluentBit string) {
	m.Helper()
	if out := run(m.T, m.path("usr/bin/mimecastctl"), "version"); !strings.HasPrefix(out, "mimecast v1.2.3 ") {
		m.Errorf("mimecastctl version prints %q", out)
	}
	run(m.T, "gzip", "-t", m.path("usr/share/man/man1/mimecastctl.1.gz"))

	snippet := m.moved("usr/share/fluent-bit-mimecast/plugins.yaml")
	config := filepath.Join(m.TempDir(), "fluent-bit.yaml")
	text := "includes:\n  - " + snippet + "\npipeline:\n  inputs:\n    - name: mimecast\n  outputs:\n    - name: \"null\"\n      match: \"*\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		m.Fatal(err)
	}
	run(m.T, fluentBit, "--dry-run", "-c", config)
	run(m.T, fluentBit, "--dry-run", "-c", m.moved("usr/share/doc/fluent-bit-mimecast/examples/fluent-bit.yaml"))
	m.unit()
}

// unit has systemd read the drop-in and the examples of units.
func (m *machine) unit() {
	m.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		m.Log("NO systemd-analyze: the units are NOT TESTED")
		return
	}
	dir := m.TempDir()
	examples := m.path("usr/share/doc/fluent-bit-mimecast/examples")
	for _, name := range []string{"mimecast-health.service", "mimecast-health.timer"} {
		text, err := os.ReadFile(filepath.Join(examples, name))
		if err != nil {
			m.Fatal(err)
		}
		// The program is where the package is.
		moved := strings.ReplaceAll(string(text), "=/usr/bin/mimecastctl", "="+m.path("/usr/bin/mimecastctl"))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(moved), 0o600); err != nil {
			m.Fatal(err)
		}
	}
	const unit = "[Unit]\nDescription=Fluent Bit\n[Service]\nExecStart=/bin/true\n"
	if err := os.WriteFile(filepath.Join(dir, "fluent-bit.service"), []byte(unit), 0o600); err != nil {
		m.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "fluent-bit.service.d"), os.DirFS(m.path("usr/lib/systemd/system/fluent-bit.service.d"))); err != nil {
		m.Fatal(err)
	}
	cmd := exec.Command("systemd-analyze", "verify", "--man=no",
		filepath.Join(dir, "fluent-bit.service"), filepath.Join(dir, "mimecast-health.service"), filepath.Join(dir, "mimecast-health.timer"))
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	out, err := cmd.CombinedOutput()
	// It passes over what it does not know, and says so.
	if err != nil || strings.Contains(string(out), dir) {
		m.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// collect adds records, runs the plugin until all have come, and fails the test
// unless each came once in all runs.
func (m *machine) collect() {
	m.Helper()
	for range 5 {
		m.service.AddBatch(400)
	}
	m.service.AddEvents(50, time.Now().Add(-time.Hour), 3)
	process, err := m.host.Start(context.Background())
	if err != nil {
		m.Fatal(err)
	}
	account := func() harness.Account {
		if err := m.tally.AddFile(m.host.Output()); err != nil {
			m.Fatal(err)
		}
		return m.tally.Account(m.service.Expected())
	}
	for end := time.Now().Add(2 * time.Minute); account().Lost > 0 && time.Now().Before(end); {
		select {
		case <-process.Ended():
			m.Fatalf("the host ended: %v\n%s", process.Stop(), m.host.Log())
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := process.Stop(); err != nil {
		m.Errorf("the host ended with %v", err)
	}
	if a := account(); !a.Clean() || a.Served == 0 {
		m.Errorf("%v; the host's log:\n%s", a, m.host.Log())
	}
}
