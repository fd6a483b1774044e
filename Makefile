# Each target's line in `make help` is the comment behind its name.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
FUZZTIME ?= 30s
PAIRS    ?= 20000
PORT     ?= 29092

GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
GOSEC       := github.com/securego/gosec/v2/cmd/gosec@v2.30.0
GOSEC_EXCLUDED := G103,G104,G115,G304

GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help build run demo demo-kafka test check fuzz bench bench-profile bench-growth bench-peers bench-memory bench-state soak faults chaos load go-ok format-ok lint race security

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

build: go-ok ## build bin/cepheus
	@mkdir -p bin
	@$(GO) build -trimpath -o bin/cepheus ./cmd/cepheus

run: build ## run the shipped payment rules over the shipped payments
	@./bin/cepheus run --rules examples/payments --input examples/payments/events.jsonl

demo: build ## payments with attacks, the fraud rules and their alerts, through a broker in the process; FOR=30s ends it
	@./bin/cepheus demo $(if $(FOR),--for $(FOR))

# A broker of its own is started in a folder that goes with it, unless BROKERS names others.
demo-kafka: build ## make demo on Apache Kafka, or on BROKERS=host:port
	@if [ -n "$(BROKERS)" ]; then exec ./bin/cepheus demo --brokers $(BROKERS) $(if $(FOR),--for $(FOR)); fi; \
	dir=$$(mktemp -d); trap 'test/servers/kafka.sh stop "$$dir"; rm -rf "$$dir"' EXIT; trap : INT TERM; \
	test/servers/kafka.sh install; test/servers/kafka.sh start "$$dir" $(PORT); \
	./bin/cepheus demo --brokers localhost:$(PORT) $(if $(FOR),--for $(FOR))

test: go-ok format-ok ## format check, vet and all tests (the race detector where there is a C compiler)
	$(GO) vet ./...
	$(GO) test -timeout 25m ./...
	@$(MAKE) --no-print-directory race

check: go-ok lint test ## make test, linters and a short fuzz of every target
	@$(MAKE) --no-print-directory fuzz FUZZTIME=5s PAIRS=2000

soak: go-ok ## crashes in their long form: at every step of many runs, and 200 kills over 1,000,000 events
	CEPHEUS_CRASH_LONG=1 $(GO) test -v -count=1 -timeout 3h ./engine/crashtest

# The table has what became of alerts, how many came again to a receiver (which tells them by
# their ids, unless it keeps those itself), how much memory was in use at most (more than at
# first; of the engine, in all), how late 99 of 100 alerts came to a sink beside it that was
# well, and after which time all were there when the trouble was over. LONG=1 takes 100,000
# alerts (e-mail: 20,000), not thousands, and trouble of a minute or two: a quarter of an hour.
faults: go-ok ## what becomes of alerts where receivers fail, or the engine is killed; prints a table; LONG=1 for 100,000
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	$(if $(LONG),CEPHEUS_CRASH_LONG=1) $(GO) test -v -count=1 -p 8 -timeout 1h -run 'TestEngineKilledDuringDelivery|TestFaults$$|TestPostgres/killed|TestRedis/killed|TestRabbitMQ/killed' \
		./cmd/cepheus ./sinks/... >"$$log" 2>&1 || { cat "$$log"; exit 1; }; \
	echo '| sink | fault | alerts | lost | came again | memory | p99 beside | all there after |'; echo '| --- | --- | --- | --- | --- | --- | --- | --- |'; \
	sed -n 's/^ *[a-z_]*\.go:[0-9]*: \(| .* |\)$$/\1/p' "$$log" | LC_ALL=C sort

chaos: go-ok ## from Kafka to Kafka under kills: 500,000 events, 20 kills of the engine, 5 of the broker
	CEPHEUS_CHAOS_LONG=1 $(GO) test -v -count=1 -timeout 1h ./test/chaos

load: go-ok ## events over HTTP at the highest rate that is borne, while rules change 100 times: about two minutes; prints a table
	CEPHEUS_LOAD_LONG=1 $(GO) test -v -count=1 -timeout 30m ./test/load

# Some runs of go's fuzzer end, on a busy machine, with "context deadline exceeded" when
# their time is over: it is a fault of the fuzzer and not a finding, so such a target runs
# once more. The engine is compared with the reference evaluator in hundreds of pairs.
fuzz: go-ok ## every fuzz target for FUZZTIME (30s); PAIRS (20000) random rule sets and streams against the reference
	CEPHEUS_LAW_SEED=$$(date +%s) CEPHEUS_LAW_ROUNDS=$$(( ($(PAIRS) + 99) / 100 )) $(GO) test -count=1 -timeout 2h -run 'AgreesWithReference$$|AgreeWithReference$$' ./engine/enginetest
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	fuzz() { $(GO) test -run '^$$' -fuzz "^$$1\$$" -fuzztime $(FUZZTIME) -timeout 30m "$$2" </dev/null 2>&1 | tee "$$log"; }; \
	$(GO) test -list '^Fuzz' ./... | awk '/^Fuzz/{t[n++]=$$1} /^ok/{for(i=0;i<n;i++)print t[i],$$2; n=0}' \
	| while read -r target package; do \
		echo "== $$target $$package ($(FUZZTIME))"; \
		fuzz "$$target" "$$package" && continue; \
		grep -q 'context deadline exceeded' "$$log" && ! grep -q 'Failing input' "$$log" || exit 1; \
		echo "== $$target once more"; \
		fuzz "$$target" "$$package"; \
	done

bench: build ## the workloads W1 to W10: rates, latency, memory; WORKLOAD=W4 measures one, EVENTS=100000 over so many
	@./bin/cepheus bench $(if $(WORKLOAD),--workload $(WORKLOAD)) $(if $(EVENTS),--events $(EVENTS)) $(if $(PROFILE),--profile $(PROFILE))

bench-profile: build ## what takes CPU time and what allocates in W1 to W10, into benchmarks/results/profiles
	@benchmarks/profiles.sh bin/cepheus benchmarks/results/profiles

bench-growth: build ## how an event's cost grows with windows, runs, rules, keys; tables and curves into benchmarks/results
	$(GO) run ./benchmarks -growth -results benchmarks/results $(if $(CURVE),-only $(CURVE)) $(if $(EVENTS),-events $(EVENTS))

# Pinned to one core, one after the other; about half an hour, PEERS=quick a few minutes.
bench-peers: build ## Cepheus, Esper, Siddhi and Flink CEP in turn, into benchmarks/results/peers.md; PEERS=quick for a short one
	$(GO) run ./benchmarks -peers -results benchmarks/results $(if $(filter quick,$(PEERS)),-quick) $(if $(EVENTS),-events $(EVENTS))

bench-memory: go-ok ## how memory goes over EVENTS payments (default 5000000), into benchmarks/results; red if it grows
	$(GO) run ./benchmarks -memory $(if $(EVENTS),-events $(EVENTS)) -results benchmarks/results

# Twenty minutes, and 15 GB of disk in TMPDIR; EVENTS, KEYS and SHARED make it shorter.
bench-state: build ## what state on disk costs, a soak of EVENTS (20000000) by KEYS (2000000), starts and stops; into benchmarks/results
	$(GO) run ./benchmarks -state -results benchmarks/results $(if $(EVENTS),-events $(EVENTS)) $(if $(KEYS),-keys $(KEYS)) $(if $(SHARED),-shared $(SHARED)) $(if $(PART),-part $(PART))

# Clear words for a missing or old Go, instead of a complaint about go.mod. Where
# the installed Go may fetch a newer one (GOTOOLCHAIN=auto, Go 1.21 on), it does.
go-ok:
	@command -v $(GO) >/dev/null || { echo "Go is not installed: get Go 1.26 or later from https://go.dev/dl/" >&2; exit 2; }
	@$(GO) list -m >/dev/null 2>&1 || { echo "$$($(GO) env GOVERSION 2>/dev/null || $(GO) version) cannot build this module: Go 1.26 or later is needed, from https://go.dev/dl/" >&2; \
		$(GO) list -m >&2; exit 2; }

format-ok:
	@out=$$($$($(GO) env GOROOT)/bin/gofmt -l $$(find . -name '*.go' -not -path '*/testdata/*' -not -path './.*')); \
	if [ -n "$$out" ]; then echo "not formatted (gofmt -w mends it):" >&2; echo "$$out" >&2; exit 1; fi

# Under the race detector, which needs cgo and makes tests several times as slow, only the
# rooms whose goroutines share something: the engine as a whole (the laws in one round of
# random rule sets each, not ten), stores, sources, sinks, the API and the command. What lies below
# the engine (eval, index, keep, machine), windows, event and lang start no goroutine and
# are run here through the engine.
RACE := ./cmd/... ./engine ./engine/enginetest ./state/... ./sources/... ./sinks/... ./rules/lookup ./rules/service ./traces ./api

race:
	@if [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC | cut -d' ' -f1)" >/dev/null; then \
		set -x; CEPHEUS_LAW_ROUNDS=1 $(GO) test -race -timeout 25m $(RACE); \
	else echo "no C compiler: tests under the race detector are left out"; fi

lint:
	@out=$$($(GO) run $(GOFUMPT) -l .); if [ -n "$$out" ]; then echo "gofumpt -w mends these:" >&2; echo "$$out" >&2; exit 1; fi
	$(GO) run $(STATICCHECK) ./...
	$(GO) run $(GOLANGCI) run ./...

# What gosec is told not to ask, and why, is in docs/security.md.
security: go-ok ## what gosec finds in ours, and known holes in what is used (govulncheck; VULNDB=file:///FOLDER where it cannot ask)
	$(GO) run $(GOSEC) -quiet -exclude=$(GOSEC_EXCLUDED) -exclude-dir=benchmarks -exclude-dir=test ./...
	$(GO) run $(GOVULNCHECK) $(if $(VULNDB),-db $(VULNDB)) ./...
