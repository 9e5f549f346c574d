# The verbs of this project: `make help` lists them.
PYTHON ?= python3
UV_VERSION = 0.13.9
VENV = .venv
BIN = $(VENV)/bin
READY = $(VENV)/.installed-$(shell cksum < requirements.lock | tr -d ' \t')
# Bytecode of everything, set-up included: compiled once, outside the sources.
export PYTHONPYCACHEPREFIX = $(CURDIR)/.meshflow/pycache

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench lock lock-requirements clean

help: ## list the verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Meshflow needs Python 3.11 to 3.13; $(PYTHON) is $$($(PYTHON) --version 2>&1). Say: make setup PYTHON=python3.12"; exit 1; }
	@echo "Making $(VENV) from requirements.lock (about 1 GB; a minute or two) …"
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode -r requirements.lock
	@touch $@

setup: $(READY) ## make .venv from the pinned requirements

demo: $(READY) ## an empty simulated cluster to a meshed application, good and bad release, drift (EXIT=1: stop at the end)
	@exec $(BIN)/python -m tools.demo $(if $(EXIT),--exit)

test: $(READY) ## the whole test suite
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q $(ARGS)

check: $(READY) ## ruff, mypy --strict on plugins/ and sandbox/, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=plugins:. $(BIN)/lint-imports

bench: $(READY) ## Meshflow against kubectl and plain watches, as ratios (3 minutes at most)
	@PYTHONPATH=plugins:. $(BIN)/python -m bench

lock: $(READY) ## fill include/charts.lock from the chart repositories in use
	@PYTHONPATH=plugins $(BIN)/python -m tools.lock

lock-requirements: $(READY) ## resolve requirements.lock again after a change of requirements*.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --annotation-style line requirements-dev.txt -o requirements.lock

clean: ## remove what the verbs wrote
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m tools.demo --stop; fi
	@rm -rf $(VENV) .meshflow .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
