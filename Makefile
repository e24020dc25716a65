# One verb a line; bare `make` lists them. Everything runs from .venv, which `install` fills from the lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := clients config gateway tests
SECONDS ?= 300

.DEFAULT_GOAL := help
.PHONY: help install lock run test check fix docs bench fuzz clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  \033[1m%-9s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Set up .venv from the lock file, hashes checked

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lockgate needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (a minute, the first time)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(STAMP) ## Start the demo: five services and the gateway, no Redis needed
	@$(BIN)/lockgate demo

test: $(STAMP) ## Run every test, against a real Redis too
	@$(BIN)/python -m pytest

check: $(STAMP) ## Lint, types, import contracts, generated docs, Dockerfile
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.docs.reference --check
	@$(BIN)/hadolint Dockerfile

fix: $(STAMP) ## Format, and mend what the linter can
	@$(BIN)/ruff check --fix --quiet $(CODE) || true
	@$(BIN)/ruff format --quiet $(CODE)

docs: $(STAMP) ## Write docs/reference anew from the code
	@$(BIN)/python -m tests.docs.reference

bench: $(STAMP) ## Measure Lockgate beside its peers, and write docs/benchmarks.md
	@$(BIN)/python -m tests.bench

fuzz: $(STAMP) ## Fuzz what reads the services' answers, SECONDS=300 in all
	@$(BIN)/python -m tests.fuzz.run parser $$(($(SECONDS) * 3 / 4))
	@$(BIN)/python -m tests.fuzz.run exchanges $$(($(SECONDS) / 4))

lock: ## Resolve the newest stable versions into the lock files
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet uv
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade pyproject.toml --output-file requirements.lock
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --constraint requirements.lock --group dev pyproject.toml --output-file requirements-dev.lock
	@rm -rf $(VENV)-lock

clean: ## Remove .venv and every cache
	@rm -rf $(VENV) $(VENV)-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .bench_cache .fuzz_findings
