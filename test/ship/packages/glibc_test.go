package packages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// testGlibc fails the test unless a system whose glibc is too old refuses a package,
// and names what it lacks.
func testGlibc(t *testing.T, file, kind string) {
	if kind == "rpm" {
		// The database is empty. What glibc provides can't be put there without its rpm.
		root := t.TempDir()
		refused(t, "libc.so.6(GLIBC_2.34)(64bit) is needed", "rpm", "--root", root, "--dbpath", "/var/lib/rpm", "-U", "--test", file)
		return
	}
	dpkg := func(libc string) []string {
		root := t.TempDir()
		for _, dir := range []string{"updates", "info"} {
			if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		status := fmt.Sprintf("Package: libc6\nStatus: install ok installed\nArchitecture: %s\nMaintainer: a\nVersion: %s\nDescription: a\n\n", runtime.GOARCH, libc)
		if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), []byte(status), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"--root=" + root, "--force-script-chrootless", "-i", file}
	}
	refused(t, "depends on libc6 (>= 2.34)", "dpkg", dpkg("2.31-13")...)
	run(t, "dpkg", dpkg("2.34-1")...)
}

// refused fails the test unless a command fails and says why.
func refused(t *testing.T, why, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), why) {
		t.Errorf("%s %s: %v, without %q:\n%s", name, strings.Join(args, " "), err, why, out)
	}
}
