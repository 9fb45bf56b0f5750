#!/bin/sh
# Makes the deb and the rpm of one architecture, and what goes into them:
#
#	build/packages/build.sh VERSION ARCH STAGE OUT
#
# VERSION is as 1.2.3, ARCH as Go names it. The two folders are made. CC is the C
# compiler for ARCH. SOURCE_DATE_EPOCH is the time of all files, unless set that of
# the commit. The same tree gives the same bytes, wherever it lies.
set -eu
[ $# -eq 4 ] || { echo "usage: $0 VERSION ARCH STAGE OUT" >&2; exit 2; }
version=${1#v} arch=$2
echo "$version" | grep -Eq '^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$' || {
	echo "VERSION has to be as 1.2.3 or 1.2.3-rc.1, and is $version" >&2
	exit 2
}
mkdir -p "$3" "$4"
stage=$(cd "$3" && pwd) out=$(cd "$4" && pwd)
cd "$(dirname "$0")/../.."
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C
umask 022
cc=${CC:-gcc}
unset CC # the tools below are for this machine

# Where the tree lies and whether git is there must not be seen in what is built.
GOFLAGS=-buildvcs=false make -s build OUT="$stage" VERSION="v$version" GOARCH="$arch" CC="$cc"
go run ./cmd/glibc -max 2.34 "$stage/mimecast.so"

mkdir -p "$stage/examples"
for file in fluent-bit.yaml.example fluent-bit.conf.example; do
	sed 's|/fluent-bit/plugins/mimecast.so|/usr/lib/fluent-bit-mimecast/mimecast.so|' "$file" >"$stage/examples/${file%.example}"
done
cp build/packages/health/* "$stage/examples/"
build/notices.sh >"$stage/THIRD-PARTY.txt"
gzip -9 -n -c docs/mimecastctl.1 >"$stage/mimecastctl.1.gz"
find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

go build -C test/ship -o "$out/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm
for kind in deb rpm; do
	STAGE=$stage VERSION=$version ARCH=$arch "$out/nfpm" package -f build/packages/nfpm.yaml -p $kind -t "$out"
done
rm "$out/nfpm"
