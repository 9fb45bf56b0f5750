package harness

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
)

// Version is a version of Fluent Bit: major, minor, patch.
type Version [3]int

func (v Version) String() string { return fmt.Sprintf("v%d.%d.%d", v[0], v[1], v[2]) }

// before reports whether v is older.
func (v Version) before(other Version) bool {
	for i := range v {
		if v[i] != other[i] {
			return v[i] < other[i]
		}
	}
	return false
}

// EndsStart reports whether an input that fails to start ends the host's start.
func (v Version) EndsStart() bool { return !v.before(Version{4, 0, 3}) }

// LeaksFiles reports whether the host leaks open files of threaded inputs at each
// hot reload, with any plugin.
func (v Version) LeaksFiles() bool {
	return !v.before(Version{3, 2, 0}) && v.before(Version{4, 2, 0})
}

// RoutesByCondition reports whether the host heeds conditional routes of a plugin.
func (v Version) RoutesByCondition() bool { return !v.before(Version{5, 0, 5}) }

// LoadsByYAML reports whether YAML files may have a section plugins.
func (v Version) LoadsByYAML() bool { return !v.before(Version{3, 2, 0}) }

// DryRuns reports whether a dry run ends well with a threaded input.
func (v Version) DryRuns() bool { return !v.before(Version{3, 2, 0}) }

// FluentBit is a real Fluent Bit.
type FluentBit struct {
	Path    string
	Version Version
	Lua     bool // it has the Lua filter
}

// fluentBit asks the one that is found what it is, once.
var fluentBit = sync.OnceValues(func() (FluentBit, error) {
	f := FluentBit{Path: FindFluentBit()}
	var err error
	if f.Version, err = VersionOf(context.Background(), f.Path); err != nil {
		return f, err
	}
	help, err := exec.Command(f.Path, "--help").Output()
	f.Lua = strings.Contains(string(help), "\n  lua ")
	return f, err
})

// DescribeFluentBit returns what FindFluentBit finds.
func DescribeFluentBit() (FluentBit, error) { return fluentBit() }

// VersionOf asks a Fluent Bit for its version.
func VersionOf(ctx context.Context, path string) (Version, error) {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return Version{}, fmt.Errorf("%s --version: %w", path, err)
	}
	return parseVersion(string(out))
}

// parseVersion reads a first line such as "Fluent Bit v5.1.1".
func parseVersion(out string) (Version, error) {
	var v Version
	if _, err := fmt.Sscanf(out, "Fluent Bit v%d.%d.%d", &v[0], &v[1], &v[2]); err != nil {
		return v, fmt.Errorf("%.60q names no version of Fluent Bit", out)
	}
	return v, nil
}
