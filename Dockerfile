# Fluent Bit with mimecast.so, for a sidecar or a small Deployment:
#
#	docker build -t fluent-bit-mimecast .
#	docker run --read-only --env-file mimecast.env -v fluent-bit:/var/lib/fluent-bit fluent-bit-mimecast
#
# The plugin alone, in an image that copies it to a volume for a Fluent Bit of your own:
#
#	docker build -t fluent-bit-mimecast-carrier --target carrier .
#
# Both are for amd64 and arm64: docker buildx build --platform linux/amd64,linux/arm64.

# The builder has an older C library than the image it is for, never a newer one. It
# runs on the machine's own architecture and compiles for the other.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS builder
ARG TARGETARCH
RUN set -eu; \
    case "$TARGETARCH" in \
    amd64) name=x86-64 ;; \
    arm64) name=aarch64 ;; \
    *) echo "no image for the architecture $TARGETARCH" >&2; exit 1 ;; \
    esac; \
    if [ "$TARGETARCH" != "$(dpkg --print-architecture)" ]; then \
        apt-get update; \
        apt-get install -y --no-install-recommends "gcc-$name-linux-gnu" "libc6-dev-$TARGETARCH-cross"; \
    fi
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN set -eu; \
    case "$TARGETARCH" in amd64) name=x86_64 ;; *) name=aarch64 ;; esac; \
    CGO_ENABLED=1 GOARCH="$TARGETARCH" make build CC="$name-linux-gnu-gcc" VERSION="$VERSION"; \
    mkdir -p /state/fluent-bit

# An init container of this image makes the plugin ready for any Fluent Bit in the Pod.
FROM busybox:1.37.0-musl AS carrier
COPY --from=builder /src/build/mimecast.so /src/build/mimecastctl /carrier/
USER 65532:65532
ENTRYPOINT ["cp", "/carrier/mimecast.so", "/carrier/mimecastctl"]
CMD ["/mimecast"]

FROM fluent/fluent-bit:5.1.1 AS fluent-bit
COPY --from=builder /src/build/mimecast.so /fluent-bit/plugins/mimecast.so
COPY --from=builder /src/build/mimecastctl /usr/local/bin/mimecastctl
COPY fluent-bit.yaml.example /fluent-bit/etc/mimecast.yaml
# All that is written: positions, chunks and large batches on their way.
COPY --from=builder --chown=65532:65532 /state/fluent-bit /var/lib/fluent-bit
# The image has no shell and no user of its own; 65532 is its nonroot.
USER 65532:65532
VOLUME /var/lib/fluent-bit
CMD ["-c", "/fluent-bit/etc/mimecast.yaml"]
