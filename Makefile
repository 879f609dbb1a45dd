# A menu; `make help` prints it. Anything longer than five lines lives in a script or in Rust.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
OUT := $(or $(CARGO_TARGET_DIR),target)
STATIC := $(OUT)/$(HOST)/release
BINARIES := -p schema-runner -p plugin-rollouts -p plugin-argocd
DENY_VERSION := 0.20.2
RESHAPE_VERSION := 0.11.2
# Packed relocations take a megabyte off each binary (docs/decisions/0011-small-binaries.md).
STATIC_FLAGS := -C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs

.PHONY: help demo test lint fmt golden proto deny static counterparts setup bench-plugin bench-gate bench-runner e2e ci

help: ## Print this menu
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: ## Hold, release, abort, revert and contract on this machine (needs Rust, a C compiler, git)
	@tests/setup/need cargo cc git
	cargo build --locked --quiet --workspace --bin phasegate --bin phasegate-rollouts --bin phasegate-argocd --bin demo
	$(OUT)/debug/demo

setup: ## Install what the tests need (Debian, root), or say what is missing
	tests/setup/debian

test: setup static counterparts ## Everything but the cluster: real databases, the genuine Argo clients and servers
	source $(OUT)/setup/env && cargo test --locked --workspace

lint: ## Format, clippy, dependency arrows, licences and duplicates
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --workspace --test cluster -- -D warnings
	$(MAKE) --no-print-directory deny

fmt: ## Format the code
	cargo fmt --all

golden: ## Write the golden files anew; read the diff before committing
	UPDATE_GOLDEN=1 INSTA_UPDATE=always cargo test --locked --workspace

proto: ## Generate the protobuf bindings anew
	UPDATE_GOLDEN=1 cargo test --locked -p proto
	UPDATE_GOLDEN=1 cargo test --locked -p goplugin-wire --test generate

deny: $(OUT)/tools/bin/cargo-deny ## Licences, duplicate and forbidden dependencies
	PATH="$(abspath $(OUT))/tools/bin:$$PATH" cargo deny --locked check bans licenses sources

$(OUT)/tools/bin/cargo-deny:
	cargo install --locked --quiet --debug --root $(OUT)/tools cargo-deny@$(DENY_VERSION)

static: ## The three binaries, static, as they go into the images
	RUSTFLAGS="$(STATIC_FLAGS)" cargo build --locked --release --target $(HOST) $(BINARIES) --bins
	@for binary in phasegate phasegate-rollouts phasegate-argocd; do $(STATIC)/$$binary --version >/dev/null || \
	  { echo "$$binary does not start: packed relocations need glibc 2.36 (Debian 12) or musl 1.2.4 to build with" >&2; exit 1; }; done

counterparts: setup ## The genuine Argo clients and servers the tests talk to
	source $(OUT)/setup/env && tests/counterparts/build

e2e: setup static ## Install, hold, release, contract, abort on a real Kubernetes with real Argo (root, Debian)
	RUSTFLAGS="$(STATIC_FLAGS)" cargo build --locked --quiet --release --target $(HOST) $(BINARIES) -p app --bins
	source $(OUT)/setup/env && tests/cluster/run $(SCENARIO)

bench-plugin: static counterparts ## Size, start, memory and round trip beside Argo's own sample plugin
	source $(OUT)/setup/env && tests/counterparts/measure $(STATIC)/phasegate-rollouts

bench-gate: static counterparts ## The gate's figures, and 5,000 waiting rollouts, through Argo's own client
	source $(OUT)/setup/env && cargo test --locked --quiet -p tests --test genuine -- --ignored bench:: --nocapture | tee $(OUT)/bench-gate.out
	grep '^figure' $(OUT)/bench-gate.out

bench-runner: export BENCH_PEERS := 1
bench-runner: setup $(OUT)/tools/bin/reshape ## Backfill, triggers and locks beside others, on PostgreSQL, MariaDB and SQLite; QUICK=1 for a short form
	cargo build --locked --quiet --release -p schema-runner -p tests --bin phasegate --bin bench-runner
	source $(OUT)/setup/env && $(OUT)/release/bench-runner --phasegate $(OUT)/release/phasegate \
	  --reshape $(OUT)/tools/bin/reshape --json $(OUT)/bench-runner.json $(if $(QUICK),--rows 200000 --largest 100000 --pairs 3) $(BENCH)

# One that does not build leaves its figure out, and the benchmark says so and fails at its end.
$(OUT)/tools/bin/reshape: | setup
	cargo install --locked --quiet --root $(OUT)/tools reshape@$(RESHAPE_VERSION) || echo "reshape $(RESHAPE_VERSION) does not build here" >&2

ci: lint test demo e2e ## What runs on every submission
