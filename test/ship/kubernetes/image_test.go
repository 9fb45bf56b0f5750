package kubernetes

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"fluent-bit-mimecast/internal/harness"
)

// repository is the root of the tree.
const repository = "../../.."

// dockerfile returns the stages of the Dockerfile, and fails for what BuildKit's linter
// says of them.
func dockerfile(t *testing.T) []instructions.Stage {
	t.Helper()
	text, err := os.ReadFile(repository + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("Dockerfile: %s", w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(name, _, _, message string, at []parser.Range) {
		t.Errorf("Dockerfile:%d: %s: %s", at[0].Start.Line, name, message)
	}})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	return stages
}

func stage(t *testing.T, name string) instructions.Stage {
	t.Helper()
	stages := dockerfile(t)
	i := slices.IndexFunc(stages, func(s instructions.Stage) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("the Dockerfile has no stage %s", name)
	}
	return stages[i]
}

// of returns the commands of a kind.
func of[C any](s instructions.Stage) (all []C) {
	for _, command := range s.Commands {
		if c, ok := command.(C); ok {
			all = append(all, c)
		}
	}
	return all
}

// TestDockerfile holds the stages to what docs/kubernetes.md says of the images.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	stages := dockerfile(t)
	version := regexp.MustCompile(`:\d+\.\d+\.\d+(-[a-z]+)?$`)
	for _, s := range stages {
		if !version.MatchString(s.BaseName) {
			t.Errorf("%s is not a version", s.BaseName)
		}
	}
	if last := stages[len(stages)-1].Name; last != "fluent-bit" {
		t.Errorf("docker build makes %s", last)
	}
	for _, s := range stages[1:] {
		user := of[*instructions.UserCommand](s)
		if len(user) != 1 || user[0].User != "65532:65532" {
			t.Errorf("%s does not run as a user by number: kubelet can't tell that it is not root", s.Name)
		}
		if run := of[*instructions.RunCommand](s); len(run) > 0 {
			t.Errorf("%s runs %v: the image has no shell, and may be for another machine", s.Name, run[0].CmdLine)
		}
	}
}

// steps writes a stage as a shell script, to be run in a root tree where the build
// context is /context.
func steps(t *testing.T, s instructions.Stage, arch string) string {
	t.Helper()
	script := "set -eu\ncd /\n"
	for _, command := range s.Commands {
		switch c := command.(type) {
		case *instructions.ArgCommand:
			for _, a := range c.Args {
				value := a.ValueString()
				if a.Key == "TARGETARCH" {
					value = arch
				}
				script += fmt.Sprintf("export %s=%s\n", a.Key, value)
			}
		case *instructions.WorkdirCommand:
			script += fmt.Sprintf("mkdir -p %s\ncd %[1]s\n", c.Path)
		case *instructions.CopyCommand:
			for _, source := range c.SourcePaths {
				script += fmt.Sprintf("cp -a /context/%s %s\n", strings.TrimSuffix(source, "."), c.DestPath)
			}
		case *instructions.RunCommand:
			script += "(\n" + strings.Join(c.CmdLine, " ") + "\n)\n"
		default:
			t.Fatalf("%s: a step that is not known here: %s", s.Name, command.Name())
		}
	}
	return strings.ReplaceAll(script, "cp -a /context/ ", "cp -a /context/. ")
}

// inOverlay stands a file system over this machine's, Debian with Go as the builder's
// base image is, and runs a script in it.
const inOverlay = `set -eu
mount -t tmpfs none "$WORK"
mkdir "$WORK/upper" "$WORK/work" "$WORK/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
for d in proc dev sys; do mount --rbind /$d "$WORK/root/$d"; done
mkdir "$WORK/root/context"
cp -a "$CONTEXT/." "$WORK/root/context"
cp "$SCRIPT" "$WORK/root/script"
chroot "$WORK/root" sh /script
cp -a "$WORK/root/src/build/mimecast.so" "$WORK/root/src/build/mimecastctl" "$OUT"
`

// build runs the steps of the builder and returns the folder with what it made.
func build(t *testing.T, arch string) string {
	t.Helper()
	needRoot(t)
	if arch != runtime.GOARCH {
		if out, err := exec.Command("apt-get", "-q", "update").CombinedOutput(); err != nil {
			t.Skipf("*** THE DISTRIBUTION'S PACKAGES CAN'T BE HAD: %s WAS NOT BUILT ***\n%s", arch, out)
		}
	}
	dir := t.TempDir()
	context, out := filepath.Join(dir, "context"), filepath.Join(dir, "out")
	for _, d := range []string{context, out, filepath.Join(dir, "work")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, exec.Command("sh", "-c", "cd "+repository+" && git ls-files -z --cached --others --exclude-standard --deduplicate | tar -c --null --ignore-failed-read -T - | tar -x -C "+context))
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte(steps(t, stage(t, "builder"), arch)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-m", "sh", "-c", inOverlay)
	cmd.Env = append(os.Environ(), "WORK="+filepath.Join(dir, "work"), "CONTEXT="+context, "SCRIPT="+script, "OUT="+out)
	run(t, cmd)
	return out
}

// root makes the root tree of the image: what the base image has, of Debian's packages
// for what this machine's Fluent Bit needs, and the files that the Dockerfile adds.
func root(t *testing.T) string {
	t.Helper()
	fluentBit := harness.FindFluentBit()
	if fluentBit == "" {
		t.Skip("*** NO FLUENT BIT on PATH nor in FLUENT_BIT: the image WAS NOT RUN ***")
	}
	built := build(t, "amd64")
	dir := t.TempDir()
	tree, debs := filepath.Join(dir, "root"), filepath.Join(dir, "debs")
	for _, d := range []string{tree, debs} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-c", `set -eu
ldd "$0" | awk '/\//{print $(NF-1)}' | while read -r lib; do
	dpkg -S "$lib" 2>/dev/null || dpkg -S "/usr$lib"
done | cut -d: -f1 | sort -u | sed 's/^/apt-get -q download /' | sh
apt-get -q download libc-bin ca-certificates
for deb in *.deb; do dpkg-deb -x "$deb" "$1"; done`, fluentBit, tree)
	cmd.Dir = debs
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("*** DEBIAN'S PACKAGES CAN'T BE HAD: the image WAS NOT RUN ***\n%s", out)
	}
	put(t, fluentBit, tree, "/fluent-bit/bin/fluent-bit")
	for _, d := range []string{"proc", "dev", "tmp", "etc/mimecast"} {
		if err := os.MkdirAll(filepath.Join(tree, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range of[*instructions.CopyCommand](stage(t, "fluent-bit")) {
		for _, source := range c.SourcePaths {
			switch {
			case c.From == "builder" && strings.HasPrefix(source, "/src/build/"):
				put(t, filepath.Join(built, path.Base(source)), tree, c.DestPath)
			case c.From == "builder" && source == "/state/fluent-bit" && c.Chown == "65532:65532":
				state := filepath.Join(tree, c.DestPath)
				if err := os.MkdirAll(state, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Chown(state, 65532, 65532); err != nil {
					t.Fatal(err)
				}
			case c.From == "":
				put(t, filepath.Join(repository, source), tree, c.DestPath)
			default:
				t.Fatalf("a file that is not known here: %s of %q", source, c.From)
			}
		}
	}
	return tree
}

// put copies a file, by hard link where that goes.
func put(t *testing.T, from, tree, to string) {
	t.Helper()
	to = filepath.Join(tree, to)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, exec.Command("cp", "-L", from, to))
}

// glibc returns the highest version of a C library's symbols that a file needs.
func glibc(t *testing.T, file string) (highest string, machine elf.Machine) {
	t.Helper()
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	needs, err := f.DynamicVersionNeeds()
	if err != nil {
		t.Fatal(err)
	}
	var minor, most int
	for _, lib := range needs {
		for _, v := range lib.Needs {
			if n, _ := fmt.Sscanf(v.Dep, "GLIBC_2.%d", &minor); n == 1 {
				most = max(most, minor)
			}
		}
	}
	return fmt.Sprintf("2.%d", most), f.Machine
}

// promised returns the C library that README names.
func promised(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(repository + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`glibc (2\.\d+) or later`).FindSubmatch(readme)
	if found == nil {
		t.Fatal("README names no glibc")
	}
	return string(found[1])
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("*** NOT ROOT: no namespaces, the image WAS NOT BUILT NOR RUN ***")
	}
	if out, err := exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt").CombinedOutput(); err != nil {
		t.Skipf("*** NO MOUNTS: the image WAS NOT BUILT NOR RUN ***\n%s", out)
	}
}

func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(cmd.Path), err, out)
	}
	return string(out)
}
