# Each target's line in `make help` is the comment behind its name.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
FUZZTIME ?= 30s
EVENTS   ?= 1000000

GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help build run test check fuzz bench bench-memory go-ok format-ok lint race

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

build: go-ok ## build bin/cepheus
	@mkdir -p bin
	@$(GO) build -trimpath -o bin/cepheus ./cmd/cepheus

run: build ## run the shipped payment rules over the shipped payments
	@./bin/cepheus run --rules examples/payments --input examples/payments/events.jsonl

test: go-ok format-ok ## format check, vet and all tests (the race detector where there is a C compiler)
	$(GO) vet ./...
	$(GO) test ./...
	@$(MAKE) --no-print-directory race

check: go-ok lint test ## make test, linters and a short fuzz of every target
	@$(MAKE) --no-print-directory fuzz FUZZTIME=5s

fuzz: go-ok ## run every fuzz target for FUZZTIME (default 30s)
	@$(GO) test -list '^Fuzz' ./... | awk '/^Fuzz/{t[n++]=$$1} /^ok/{for(i=0;i<n;i++)print t[i],$$2; n=0}' \
	| while read -r target package; do \
		echo "== $$target $$package ($(FUZZTIME))"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -timeout 30m "$$package" </dev/null; \
	done

bench: build ## throughput, allocations and memory on EVENTS generated payments (default 1000000)
	$(GO) run ./benchmarks -events $(EVENTS)

# EVENTS has a default of its own here, unless it was given.
bench-memory: go-ok ## how memory goes over EVENTS payments (default 5000000), into benchmarks/results; red if it grows
	$(GO) run ./benchmarks -memory -events $(if $(filter file,$(origin EVENTS)),5000000,$(EVENTS)) -results benchmarks/results

# Clear words for a missing or old Go, instead of a complaint about go.mod. Where
# the installed Go may fetch a newer one (GOTOOLCHAIN=auto, Go 1.21 on), it does.
go-ok:
	@command -v $(GO) >/dev/null || { echo "Go is not installed: get Go 1.26 or later from https://go.dev/dl/" >&2; exit 2; }
	@$(GO) list -m >/dev/null 2>&1 || { echo "$$($(GO) env GOVERSION 2>/dev/null || $(GO) version) cannot build this module: Go 1.26 or later is needed, from https://go.dev/dl/" >&2; \
		$(GO) list -m >&2; exit 2; }

format-ok:
	@out=$$($$($(GO) env GOROOT)/bin/gofmt -l $$(find . -name '*.go' -not -path '*/testdata/*' -not -path './.*')); \
	if [ -n "$$out" ]; then echo "not formatted (gofmt -w mends it):" >&2; echo "$$out" >&2; exit 1; fi

# The rooms where goroutines meet, under the race detector; it needs cgo.
race:
	@if [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC | cut -d' ' -f1)" >/dev/null; then \
		set -x; $(GO) test -race ./engine/... ./state/... ./sources/... ./sinks/... ./cmd/...; \
	else echo "no C compiler: tests under the race detector are left out"; fi

lint:
	@out=$$($(GO) run $(GOFUMPT) -l .); if [ -n "$$out" ]; then echo "gofumpt -w mends these:" >&2; echo "$$out" >&2; exit 1; fi
	$(GO) run $(STATICCHECK) ./...
	$(GO) run $(GOLANGCI) run ./...
