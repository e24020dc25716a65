# `make` alone lists the targets. Everything runs from .venv, which `install` creates from the lock file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SHOP := clients config gateway/composites gateway/demo tests/shop tests/bench
FRAMEWORK := gateway tests $(SHOP:%=--exclude $(CURDIR)/%)
SECONDS ?= 300
WORKERS ?= auto
PYTEST_OPTIONS ?=
IN_PARALLEL := --numprocesses=$(WORKERS) --dist=worksteal

# The tests start many processes, which start faster with the bytecode of earlier ones.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install lock run test test-framework typescript oidc browser prove bench fuzz check check-framework check-shop fix docs clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Create .venv from the lock file and verify the hashes

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lockgate needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Choose another: make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (about a minute the first time)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(STAMP) ## Start the demo: six services and the gateway, no Redis needed
	@$(BIN)/lockgate demo

test: $(STAMP) ## Run all tests on WORKERS=auto processes, including those against a real Redis
	@$(BIN)/python -m pytest $(IN_PARALLEL) $(PYTEST_OPTIONS)

test-framework: $(STAMP) ## Run the tests of the framework, which do not need the shop
	@$(BIN)/python -m pytest $(IN_PARALLEL) --ignore=tests/shop --ignore=tests/bench

typescript: $(STAMP) ## Generate TypeScript types and compile the example (needs npm and its registry)
	@$(BIN)/python -m pytest -m typescript

oidc: $(STAMP) ## Verify tokens of a real OpenID provider (needs npm and its registry)
	@$(BIN)/python -m pytest -m oidc

browser: $(STAMP) ## Meet the gateway in a real Chromium (needs it, npm and its registry)
	@$(BIN)/python -m pytest -m browser

prove: $(STAMP) ## Run the heavy proofs: load, soak and failover (several minutes)
	@$(BIN)/python -m pytest -m prove -s

bench: $(STAMP) ## Benchmark Lockgate and its peers, and write docs/benchmarks.md (about 15 minutes)
	@$(BIN)/python -m tests.bench

fuzz: $(STAMP) ## Fuzz the response parser, the transport and proxied requests for SECONDS=300 in all
	@$(BIN)/python -m tests.fuzz.run parser $$(($(SECONDS) / 2))
	@$(BIN)/python -m tests.fuzz.run exchanges $$(($(SECONDS) / 4))
	@$(BIN)/python -m tests.fuzz.run proxied $$(($(SECONDS) / 4))

check: check-framework check-shop ## Check the framework and the shop

check-framework: $(STAMP) ## Check lint, types, import contracts, docs, words and the Dockerfile
	@$(BIN)/ruff check $(FRAMEWORK)
	@$(BIN)/ruff format --check $(FRAMEWORK)
	@$(BIN)/mypy -p gateway -p tests --exclude '^(gateway/(composites|demo)|tests/(shop|bench))/'
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m tests.docs.reference --check
	@$(BIN)/python -m tests.architecture.words
	@$(BIN)/hadolint Dockerfile

check-shop: $(STAMP) ## Check lint, types, import contracts and docs of the shop, if it is there
ifneq ($(wildcard tests/shop),)
	@$(BIN)/ruff check $(SHOP)
	@$(BIN)/ruff format --check $(SHOP)
	@$(BIN)/mypy -p clients -p config -p gateway.composites -p gateway.demo -p tests.shop -p tests.bench
	@$(BIN)/lint-imports --no-logo --config tests/shop/importlinter.toml
	@$(BIN)/python -m tests.shop.docs.reference --check
endif

fix: $(STAMP) ## Format the code and apply the linter's fixes
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet gateway tests $(wildcard clients config)

docs: $(STAMP) ## Regenerate docs/reference from the code
	@$(BIN)/python -m tests.docs.reference
	@test ! -d tests/shop || $(BIN)/python -m tests.shop.docs.reference

lock: ## Update the lock files to the newest stable versions
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet uv
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --extra postgresql pyproject.toml --output-file requirements.lock
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --constraint requirements.lock --group dev pyproject.toml --output-file requirements-dev.lock
	@rm -rf $(VENV)-lock

clean: ## Remove .venv and all caches
	@rm -rf $(VENV) $(VENV)-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .bench_cache .fuzz_findings
