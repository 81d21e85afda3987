# Everything a person or CI does with the repository. `make help` lists it.
PROFILE ?= release
CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
PROFILE_DIR := $(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
comma := ,
VENTRAL := $(TARGET_DIR)/$(PROFILE_DIR)/ventral

.PHONY: help setup build demo test lint kube-lint kube-smoke chaos hostile scale bench bench-searchlight docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what a fresh machine lacks: C compiler, Python venv module, Rust toolchain
	@scripts/setup.sh

build: setup ## build the one binary, $(VENTRAL)
	@PATH="$$HOME/.cargo/bin:$$PATH" $(CARGO) build --locked --profile $(PROFILE) --package ventral-cli

demo: build ## score the bundled models on the bundled recordings, print the leaderboard, write a report
	@$(VENTRAL) run examples/demo.toml

test: setup ## everything a fresh machine needs, then all tests
	@PATH="$$HOME/.cargo/bin:$$PATH" $(CARGO) test --locked --workspace --lib --bins --tests

lint: setup kube-lint ## formatting, warnings as errors, arrows between crates, licences of dependencies, Kubernetes manifests
	@PATH="$$HOME/.cargo/bin:$$PATH" $(CARGO) fmt --all --check
	@PATH="$$HOME/.cargo/bin:$$PATH" $(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@PATH="$$HOME/.cargo/bin:$$PATH" python3 scripts/check_dependencies.py

kube-lint: setup ## render the Kubernetes manifests and validate them
	@scripts/kube-lint.sh

kube-smoke: setup ## one pod of each role with podman, from the real manifests; a job from outside, a pod killed
	@PATH="$$HOME/.cargo/bin:$$PATH" PROFILE=$(PROFILE) scripts/kube-smoke.sh

chaos: setup ## kills, stops, cuts and full disks; then random faults for CHAOS_SECONDS (default 300) from CHAOS_SEED
	@PATH="$$HOME/.cargo/bin:$$PATH" VENTRAL_CHAOS_SECONDS=$(or $(CHAOS_SECONDS),300) $(if $(CHAOS_SEED),VENTRAL_CHAOS_SEED=$(CHAOS_SEED)) \
		$(CARGO) test --locked --workspace --bins --test all -- --nocapture --test-threads=1 faults:: chaos::

hostile: setup ## the program on every malformed input of tests/hostile under limits; or on one family, FAMILY=tables; prints a table
	@PATH="$$HOME/.cargo/bin:$$PATH" HOSTILE=$(or $(FAMILY),all) \
		$(CARGO) test --locked --package ventral-hostile --test all -- --nocapture

scale: setup ## units by SCALE (default 10000,100000,1000000) over 50 jobs and 1,000 simulated workers; prints a table
	@PATH="$$HOME/.cargo/bin:$$PATH" VENTRAL_SCALE=$(or $(SCALE),10000$(comma)100000$(comma)1000000) \
		$(CARGO) test --locked --workspace --profile $(PROFILE) --bins --test all -- --nocapture scale::

bench: build ## ours and the Python peers on the same work, ratios printed
	@scripts/bench/all.sh

bench-searchlight: setup ## whole-brain maps, ours, BrainIAK and rsatoolbox on the same data; CENTRES of rsatoolbox (default 1000)
	@PATH="$$HOME/.cargo/bin:$$PATH" scripts/bench/searchlight.sh $(CENTRES)

docs: setup ## API documentation in target/doc
	@PATH="$$HOME/.cargo/bin:$$PATH" RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

clean: ## remove build output and the job store of this directory
	@$(CARGO) clean
	@rm -rf .ventral .venv
