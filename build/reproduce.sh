#!/bin/sh
# Makes the files of a release again, from the commit in a folder of its own and with
# nothing from the caches of Go's compiler, and fails unless they have the checksums
# of those in DIR.
#
#	build/reproduce.sh VERSION DIR
set -eu
[ $# -eq 2 ] || { echo "usage: $0 VERSION DIR" >&2; exit 2; }
version=$1 dir=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
cp "$dir/SHA256SUMS" "$work/SHA256SUMS" # the second making takes minutes
git archive HEAD | tar -x -C "$work/tree"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH GOCACHE="$work/cache"
"$work/tree/build/release.sh" "$version" "$work/out"
if ! diff "$work/SHA256SUMS" "$work/out/SHA256SUMS"; then
	echo "the files differ: the tree has changes that the commit lacks, or the build is not reproducible" >&2
	exit 1
fi
echo "made twice, with the same bytes"
