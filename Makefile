# make help lists the targets.

GO       ?= go
CC       ?= gcc
SO       := build/mimecast.so
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

.PHONY: help build demo test faults bench rivals check check-all fmt vet lint nocgo vuln race fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## make build/mimecast.so and build/mimecastctl
	$(GO) build -buildmode=c-shared -trimpath -ldflags='$(LDFLAGS)' -o $(SO) ./plugin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='$(LDFLAGS)' -o build/mimecastctl ./cmd/mimecastctl
	@rm -f build/mimecast.h

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

faults: ## attack the plugin in a real Fluent Bit: minutes to an hour; ONLY=kill for cases of that name
	$(GO) build -buildmode=c-shared -trimpath -ldflags='$(LDFLAGS) -X fluent-bit-mimecast/internal/collector.raisedQuota=1000000' -o build/faults.so ./plugin
	@rm -f build/faults.h
	cd test/faults && $(GO) test -count=1 -timeout 0 -parallel 6 -plugin $(CURDIR)/build/faults.so -kills $(KILLS) -stops $(STOPS) -reloads $(RELOADS) -stalls $(STALLS) -mixed $(MIXED) -events $(EVENTS) -soak $(SOAK) -only "$(ONLY)"

bench: build ## measure the plugin in a real Fluent Bit beside in_tail: ten minutes
	cd test/bench && $(GO) test -count=1 -timeout 0 -plugin $(CURDIR)/$(SO) -only "$(ONLY)"

rivals: ## measure other JSON libraries beside this one's scanner
	cd test/rivals && $(GO) test -bench .

check: fmt vet lint nocgo test ## what to run before a commit: under five minutes

check-all: check race fuzz vuln ## check, and what takes longer

fmt: ## look at the format
	@out=$$($(GOFUMPT) -l .); if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi

vet: ## run go vet, with cgo and without
	$(GO) vet ./...
	CGO_ENABLED=0 $(GO) vet $(PURE)

lint: ## run golangci-lint
	$(GOLANGCI) run

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
