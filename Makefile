# `make` alone lists the targets. Everything runs from .venv, which `install` creates from the lock file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := clients config gateway tests
SECONDS ?= 300

.DEFAULT_GOAL := help
.PHONY: help install lock run test typescript prove bench fuzz check fix docs clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Create .venv from the lock file and verify the hashes

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lockgate needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Choose another: make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (about a minute the first time)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(STAMP) ## Start the demo: five services and the gateway, no Redis needed
	@$(BIN)/lockgate demo

test: $(STAMP) ## Run the test suite, including tests against a real Redis (1 to 2 minutes)
	@$(BIN)/python -m pytest

typescript: $(STAMP) ## Generate TypeScript types and compile the example (needs npm and its registry)
	@$(BIN)/python -m pytest -m typescript

prove: $(STAMP) ## Run the heavy proofs: load, soak and failover (several minutes)
	@$(BIN)/python -m pytest -m prove -s

bench: $(STAMP) ## Benchmark Lockgate and its peers, and write docs/benchmarks.md (about 10 minutes)
	@$(BIN)/python -m tests.bench

fuzz: $(STAMP) ## Fuzz the response parser and the transport for SECONDS=300 in all
	@$(BIN)/python -m tests.fuzz.run parser $$(($(SECONDS) * 3 / 4))
	@$(BIN)/python -m tests.fuzz.run exchanges $$(($(SECONDS) / 4))

check: $(STAMP) ## Check lint, types, import contracts, generated docs, words and the Dockerfile
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.docs.reference --check
	@$(BIN)/python -m tests.architecture.words
	@$(BIN)/hadolint Dockerfile

fix: $(STAMP) ## Format the code and apply the linter's fixes
	@$(BIN)/ruff check --fix --quiet $(CODE) || true
	@$(BIN)/ruff format --quiet $(CODE)

docs: $(STAMP) ## Regenerate docs/reference from the code
	@$(BIN)/python -m tests.docs.reference

lock: ## Update the lock files to the newest stable versions
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet uv
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade pyproject.toml --output-file requirements.lock
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --constraint requirements.lock --group dev pyproject.toml --output-file requirements-dev.lock
	@rm -rf $(VENV)-lock

clean: ## Remove .venv and all caches
	@rm -rf $(VENV) $(VENV)-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .bench_cache .fuzz_findings
