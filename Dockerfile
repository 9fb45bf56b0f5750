# Fluent Bit with mimecast.so, for a sidecar or a small Deployment:
#
#	docker build -t fluent-bit-mimecast .
#	docker run --env-file mimecast.env -v fluent-bit:/var/lib/fluent-bit fluent-bit-mimecast
#
# The builder has an older C library than the image it is for, never a newer one.
FROM golang:1.26.8-bookworm AS builder
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build && mkdir -p /state/fluent-bit

FROM fluent/fluent-bit:5.1.1
COPY --from=builder /src/build/mimecast.so /fluent-bit/plugins/mimecast.so
COPY --from=builder /src/build/mimecastctl /usr/local/bin/mimecastctl
COPY fluent-bit.yaml.example /fluent-bit/etc/mimecast.yaml
COPY --from=builder --chown=65532:65532 /state/fluent-bit /var/lib/fluent-bit
# The image has no shell and no user of its own; 65532 is its nonroot.
USER 65532:65532
VOLUME /var/lib/fluent-bit
CMD ["-c", "/fluent-bit/etc/mimecast.yaml"]
