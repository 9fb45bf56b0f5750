#!/bin/sh
# Makes the files of a release: for each architecture whose C compiler is at hand an
# archive, a deb, an rpm and SBOMs, and the checksums of all.
#
#	build/release.sh VERSION OUT
#
# OUT is made, and must be empty. SOURCE_DATE_EPOCH is as for build/packages/build.sh.
# The same tree and compilers give the same bytes, wherever the tree lies.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 VERSION OUT" >&2; exit 2; }
version=${1#v}
mkdir -p "$2"
out=$(cd "$2" && pwd)
[ -z "$(ls -A "$out")" ] || { echo "$out is not empty" >&2; exit 1; }
cd "$(dirname "$0")/.."
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C
umask 022
cyclonedx="go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
host=$(go env GOHOSTARCH)
for arch in amd64 arm64; do
	case $arch in
	"$host") cc=gcc ;;
	amd64) cc=x86_64-linux-gnu-gcc ;;
	arm64) cc=aarch64-linux-gnu-gcc ;;
	esac
	if ! command -v "$cc" >/dev/null; then
		echo "*** NO $cc: there is NOTHING FOR $arch in this release ***" >&2
		continue
	fi
	dir=$work/$arch/fluent-bit-mimecast-$version
	CC=$cc build/packages/build.sh "$version" $arch "$dir" "$out"
	# What the packages need alone is not for the archive.
	rm -r "$dir/examples" "$dir/mimecastctl.1.gz"
	cp LICENSE CHANGELOG.md fluent-bit.yaml.example fluent-bit.conf.example docs/mimecastctl.1 "$dir/"
	tar -C "$work/$arch" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" -c "${dir##*/}" |
		gzip -9 -n >"$out/fluent-bit-mimecast_${version}_linux_$arch.tar.gz"
	for binary in mimecast.so mimecastctl; do
		# The tool notes its own checksum, so it is built the same everywhere too.
		CGO_ENABLED=0 GOFLAGS=-trimpath $cyclonedx bin -json -noserial -notimestamp -std \
			-version "v$version" -output "$out/${binary}_${version}_linux_$arch.cdx.json" "$dir/$binary"
	done
done
cd "$out"
sha256sum -- * >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" .
