// Package version tells which build of the plugin this is.
package version

import "runtime/debug"

// version is set by the linker, with -X.
var version string

// String returns the version of the build: the one that was linked in, else the one
// that the go command stamped, else "unknown".
func String() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "unknown"
}
