# make help lists the targets.

GO       ?= go
CC       ?= gcc
OUT      := build
SO       := $(OUT)/mimecast.so
MINIHOST := build/minihost
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS  := -s -w -X fluent-bit-mimecast/internal/version.version=$(VERSION)

# Tools of `make check`, built from source by the go command.
GOFUMPT     := $(GO) run mvdan.cc/gofumpt@v0.12.0
GOLANGCI    := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.8.0

# Everything but plugin/ is plain Go.
PURE := ./mimecast/... ./internal/... ./cmd/... ./test/...

FUZZTIME ?= 20000x
FUZZ     := FuzzJSON FuzzTyped FuzzKeyValue FuzzTime FuzzTimeFormats FuzzArchive FuzzGzip

.PHONY: help build demo test faults check-hosts bench rivals check check-all check-ship fmt vet lint nocgo vuln race fuzz clean packages release

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## make build/mimecast.so and build/mimecastctl
	CGO_ENABLED=1 $(GO) build -buildmode=c-shared -trimpath -ldflags='$(LDFLAGS)' -o $(SO) ./plugin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='$(LDFLAGS)' -o $(OUT)/mimecastctl ./cmd/mimecastctl
	@rm -f $(OUT)/mimecast.h

build/minihost: cmd/minihost/minihost.c
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -rdynamic -o $@ $< -ldl -lpthread

API ?= 2

demo: build build/minihost ## run the plugin against the simulator and show records; API=1 for API 1.0
	cd test/demo && $(GO) test -count=1 -plugin $(CURDIR)/$(SO) -minihost $(CURDIR)/$(MINIHOST) -api $(API)

test: build build/minihost ## run all tests, in a real Fluent Bit too if there is one
	$(GO) test -count=1 ./...
	@command -v "$${FLUENT_BIT:-fluent-bit}" >/dev/null || echo "*** NO FLUENT BIT on PATH nor in FLUENT_BIT: the tests in a real host WERE SKIPPED ***"
	@command -v prometheus >/dev/null && command -v promtool >/dev/null || echo "*** NO PROMETHEUS or PROMTOOL on PATH: tests of the alerts and the dashboard WERE SKIPPED ***"

KILLS   ?= 200
STOPS   ?= 50
RELOADS ?= 50
STALLS  ?= 20
MIXED   ?= 4
EVENTS  ?= 5000
SOAK    ?= 0
ONLY    ?=

# Linked so that it may make more calls of API 2.0.
.PHONY: build/faults.so
build/faults.so:
	$(GO) build -buildmode=c-shared -trimpath -ldflags='$(LDFLAGS) -X fluent-bit-mimecast/internal/collector.raisedQuota=1000000' -o $@ ./plugin
	@rm -f build/faults.h

faults: build/faults.so ## attack the plugin in a real Fluent Bit: minutes to an hour; ONLY=kill for cases of that name
	cd test/faults && $(GO) test -count=1 -timeout 0 -parallel 6 -plugin $(CURDIR)/build/faults.so -kills $(KILLS) -stops $(STOPS) -reloads $(RELOADS) -stalls $(STALLS) -mixed $(MIXED) -events $(EVENTS) -soak $(SOAK) -only "$(ONLY)"

HOSTS ?= $(shell command -v "$${FLUENT_BIT:-fluent-bit}")

check-hosts: build/faults.so ## try the plugin in each Fluent Bit of HOSTS="/path/a /path/b", and print the table of docs/hosts.md
	$(GO) run ./cmd/hosts $(HOSTS)

bench: build ## measure the plugin in a real Fluent Bit beside in_tail: ten minutes
	cd test/bench && $(GO) test -count=1 -timeout 0 -plugin $(CURDIR)/$(SO) -only "$(ONLY)"

rivals: ## measure other JSON libraries beside this one's scanner
	cd test/rivals && $(GO) test -bench .

packages: ## make the deb and the rpm in build/release; VERSION=1.2.3
	build/packages/build.sh "$(VERSION)" "$$($(GO) env GOARCH)" build/release/stage build/release

release: ## make a release's files in build/release, and again elsewhere: the bytes must be the same; VERSION=1.2.3
	rm -rf build/release
	build/release.sh "$(VERSION)" build/release
	build/reproduce.sh "$(VERSION)" build/release

check: fmt vet lint nocgo test ## what to run before a commit: under five minutes

check-all: check race fuzz vuln ## check, and what takes longer

check-ship: build ## try image, manifests and packages, as root: minutes; FLUENT_BIT_CHART=folder of the official Helm chart
	@cd test/ship && $(GO) vet ./... && out=$$(mktemp) && { \
		$(GO) test -v -count=1 -timeout 30m ./... >$$out 2>&1; status=$$?; \
		if [ $$status -eq 0 ]; then grep -E '^(---|ok|\?)|\*\*\*' $$out; else cat $$out; fi; \
		rm $$out; exit $$status; }

fmt: ## look at the format
	@out=$$($(GOFUMPT) -l .); if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi

vet: ## run go vet, with cgo and without
	$(GO) vet ./...
	CGO_ENABLED=0 $(GO) vet $(PURE)

lint: ## run golangci-lint
	$(GOLANGCI) run
	cd test/ship && $(GOLANGCI) run -c ../../.golangci.yml

nocgo: ## build all but plugin/ without cgo
	CGO_ENABLED=0 $(GO) build $(PURE)

vuln: ## look for known vulnerabilities; says so when the database can't be reached
	@$(GOVULNCHECK) ./... || { status=$$?; [ $$status -ne 3 ] && echo "govulncheck could not run: NOT CHECKED for vulnerabilities" && exit 0; exit $$status; }

race: ## run the tests of all but plugin/ with the race detector
	$(GO) test -race -short $(PURE)

fuzz: ## run each fuzz target 20,000 times, or FUZZTIME=10m
	@for f in $(FUZZ); do \
		CGO_ENABLED=0 $(GO) test -run xxx -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1000x ./internal/record || exit 1; \
	done

clean: ## remove what was built
	rm -f $(SO) $(MINIHOST) build/mimecastctl build/mimecast.h build/faults.so
	rm -rf build/release
