#!/bin/sh
# Prints the licenses of what is linked into the plugin and mimecastctl, which
# whoever passes these on has to pass on too.
set -eu
cd "$(dirname "$0")/.."
print() { # name, folder
	found=
	for file in "$2"/LICENSE* "$2"/LICENCE* "$2"/COPYING* "$2"/NOTICE*; do
		[ -f "$file" ] || continue
		printf '\n==== %s: %s\n\n' "$1" "${file##*/}"
		cat "$file"
		found=yes
	done
	[ "$found" ] || { echo "no license of $1 in $2" >&2; exit 1; }
}
echo "What is linked into mimecast.so and mimecastctl beside this project's own code."
print go "$(go env GOROOT)"
modules=$(go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}} {{.Dir}}{{end}}{{end}}' ./plugin ./cmd/mimecastctl | sort -u)
echo "$modules" | while read -r name dir; do print "$name" "$dir"; done
