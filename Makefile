# `make` alone tells what there is. Every target can be repeated: what is in place already is not done
# again. The order inside `test` is cheap first, so that a mistake shows early.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
DENY := $(TARGET)/tools/bin/cargo-deny

# Whatever flags and modes the caller builds with: another build has other counts.
COUNTS := CARGO_INCREMENTAL=0 RUSTFLAGS= cargo run --quiet --locked --package shardcast-counts --profile counts --
BASELINE := benches/instructions.baseline

# Arguments for the server of `make run`, such as ARGS="--shards 2".
ARGS ?=

# For `make fuzz`: how long each target runs, and which (all unless set).
SECONDS ?= 300
TARGETS ?=

# For `make bench-peers`: rounds, loads (all unless set), and more flags such as other servers.
RUNS ?= 5
LINES ?=
PEERS ?=

say = @echo "==> $(1)"

.PHONY: help
help: ## Tell what the targets do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Use

.PHONY: run
run: ## Build the server and run it in the foreground with its defaults (ARGS="..." for more)
	$(call say,build the server)
	@scripts/setup-system.sh build
	@cargo build --release --locked
	$(call say,run the server (Ctrl-C ends it))
	@exec $(TARGET)/release/shardcast start $(ARGS)

.PHONY: build
build: ## Build the optimised server
	$(call say,build the server)
	@scripts/setup-system.sh build
	@cargo build --release --locked

.PHONY: deb
deb: setup-package ## Build the Debian package
	$(call say,Debian package)
	@scripts/build-deb.sh

.PHONY: bench
bench: ## Take the time of the steps of a message's walk
	$(call say,benchmarks)
	@cargo bench --locked --bench timing

.PHONY: bench-echo
bench-echo: ## A round trip through a handler beside pusher:ping: fails where it costs a tenth more
	$(call say,echo and ping)
	@cargo bench --locked --bench echo

.PHONY: bench-instructions
bench-instructions: setup-system ## Count the instructions of the same steps: fails where they rose
	$(call say,instruction counts)
	@$(COUNTS) check $(BASELINE)

.PHONY: bench-baseline
bench-baseline: setup-system ## Accept the instruction counts as they are: rewrites the record
	$(call say,instruction counts)
	@$(COUNTS) store $(BASELINE)

.PHONY: bench-idle
bench-idle: ## What an idle connection costs the server in memory: 20,000 of them
	$(call say,idle connections)
	@scripts/setup-system.sh build
	@scripts/bench-idle.sh $(TARGET)/release

.PHONY: bench-peers
bench-peers: ## The server beside the floor, and beside others: RUNS=5 LINES="..." PEERS="--server '...'"
	$(call say,servers side by side)
	@scripts/setup-system.sh build
	@scripts/bench-peers.sh $(TARGET)/release --runs $(RUNS) $(addprefix --only ,$(LINES)) $(PEERS)

.PHONY: bench-faults
bench-faults: ## The tests of faults RUNS=5 times: how often they passed, how long bystanders waited
	$(call say,faults and attacks, again and again)
	@scripts/repeat-faults.sh $(RUNS)

## Everything that must pass

.PHONY: test
test: setup check test-rust test-autobahn test-fuzz test-faults bench-instructions ## Set up and run everything that must pass
	$(call say,all passed)

.PHONY: check
check: fmt-check lint doc deny ## The checks that run nothing: format, lints, documentation, dependencies

.PHONY: fmt-check
fmt-check: ## Is the code formatted?
	$(call say,format)
	@cargo fmt --all --check
	@cargo fmt --manifest-path fuzz/Cargo.toml --check

.PHONY: fmt
fmt: ## Format the code
	@cargo fmt --all
	@cargo fmt --manifest-path fuzz/Cargo.toml

.PHONY: lint
lint: ## Clippy on everything, warnings are errors
	$(call say,lints)
	@cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	@# Not among all targets, for it is no part of a plain `cargo test`.
	@cargo clippy --locked --all-features --test faults -- -D warnings

.PHONY: doc
doc: ## Build the documentation, warnings are errors, with and without private items
	$(call say,documentation)
	@RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --workspace --no-deps --document-private-items
	@RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --workspace --no-deps

.PHONY: deny
deny: setup-cargo-tools ## Check dependencies: bans, licences, sources, and advisories if possible
	$(call say,dependencies: bans licences sources)
	@$(DENY) --locked check --hide-inclusion-graph bans licenses sources
	$(call say,dependencies: advisories)
	@scripts/check-advisories.sh

.PHONY: test-rust
test-rust: setup-clients setup-promtool ## All tests of cargo, the real clients among them
	$(call say,tests)
	@cargo test --locked --workspace

.PHONY: test-faults
test-faults: setup-system ## Faults and attacks against a release of the server, one after the other
	$(call say,faults and attacks)
	@cargo build --release --locked --bin shardcast
	@# Optimised as what instructions are counted of, which is built in any case: another release
	@# takes minutes to link.
	@CARGO_INCREMENTAL=0 RUSTFLAGS= cargo build --locked --package shardcast-mishaps --profile counts
	@SHARDCAST_BIN=$(abspath $(TARGET)/release/shardcast) \
	    SHARDCAST_MISHAPS=$(abspath $(TARGET)/counts/mishaps) \
	    cargo test --locked --test faults -- --test-threads=1 --nocapture

.PHONY: test-clients
test-clients: setup-clients ## Only the official clients and SDKs against the real server
	$(call say,clients)
	@cargo test --locked --test clients -- --nocapture

.PHONY: test-autobahn
test-autobahn: setup-autobahn ## Only Autobahn|Testsuite: every case of it, against the echo example
	$(call say,Autobahn)
	@cargo build --quiet --locked --example echo
	@cargo test --locked --test autobahn -- --ignored --nocapture

# Beside `test`: it needs root, and a minute for a Debian system of its own when it is run first.
.PHONY: test-package
test-package: setup-package ## Build the Debian package, install it in a chroot, run it in a container
	$(call say,package)
	@scripts/test-package.sh

.PHONY: test-fuzz
test-fuzz: setup-fuzz ## Only fuzzing: 30 s of each target, from the inputs on record
	$(call say,fuzzing)
	@scripts/fuzz.sh 30

.PHONY: fuzz
fuzz: setup-fuzz ## Fuzz for longer: SECONDS=300 TARGETS="http_head inflate"
	$(call say,fuzzing)
	@scripts/fuzz.sh $(SECONDS) $(TARGETS)

## Setting up

.PHONY: setup
setup: setup-system setup-clients setup-promtool setup-autobahn setup-fuzz setup-cargo-tools ## Install what is missing for all of the above

.PHONY: setup-system
setup-system:
	$(call say,programs)
	@scripts/setup-system.sh

.PHONY: setup-clients
setup-clients: setup-system
	$(call say,clients and SDKs for the tests)
	@scripts/setup-clients.sh

.PHONY: setup-promtool
setup-promtool: setup-system
	$(call say,promtool)
	@scripts/setup-promtool.sh

.PHONY: setup-autobahn
setup-autobahn: setup-system
	$(call say,Autobahn)
	@scripts/setup-autobahn.sh

.PHONY: setup-fuzz
setup-fuzz: setup-system
	$(call say,fuzzing)
	@scripts/setup-fuzz.sh

.PHONY: setup-package
setup-package:
	$(call say,package tools)
	@scripts/setup-system.sh package
	@scripts/setup-cargo-tools.sh package

.PHONY: setup-cargo-tools
setup-cargo-tools: setup-system
	$(call say,cargo tools)
	@scripts/setup-cargo-tools.sh
