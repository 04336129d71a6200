# `make demo` and `make test` need GNU make and a Python from 3.11 to 3.13; all else they install into .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Another Python: make test PYTHON=python3.13. Another port or data set: make demo PORT=9000 DATASET=cdnow.
PYTHON ?=
PORT ?= 8000
DATASET ?= streaming
# Further arguments of pytest, or of the benchmark: make test ARGS='-k funnel'.
ARGS ?=

COMMA := ,
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)
VENV := .venv
ENGINES_VENV := .venv-engines
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
EXAMPLE := metric_definitions/streaming

.PHONY: help
help:  ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# -- the two of the README -------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/.installed  ## Build an example project in ./demo and serve it on this machine
	$(BIN)/metrics-api demo --dataset $(DATASET) --port $(PORT)

.PHONY: test
test: $(VENV)/.installed-dev  ## Run all tests
	$(BIN)/python -m pytest -n auto --maxprocesses 8 $(ARGS)

.PHONY: test-engines
test-engines: $(ENGINES_VENV)/.installed  ## Run the tests of warehouses on engines that are large to install
	METRICS_API_ENGINES=bigquery,clickhouse,databricks,redshift,snowflake,spark,trino \
	    $(ENGINES_VENV)/bin/python -m pytest -n auto --maxprocesses 8 \
	    tests/engines tests/families tests/serving --ignore=tests/families/oracles $(ARGS)

# Each is started by the tests, in an environment of its own, and runs in one process: Spark takes half a minute to start.
SLOW_ENGINES := spark-jvm

.PHONY: test-engines-slow
test-engines-slow: $(ENGINES_VENV)/.installed  ## Run operations and cases on engines that are slow: nightly
	METRICS_API_ENGINES=$(subst $(SPACE),$(COMMA),$(strip $(SLOW_ENGINES))) $(ENGINES_VENV)/bin/python -m pytest \
	    tests/engines tests/families/test_cases.py $(ARGS)
	METRICS_API_BQEMULATOR=1 $(ENGINES_VENV)/bin/python -m pytest tests/serving/test_bigquery_emulator.py

# -- for those who change the code -----------------------------------------------------------------------------------

.PHONY: check
check: lint fresh test  ## The whole gate: lint, types, layers, generated files, tests

.PHONY: lint
lint: $(VENV)/.installed-dev  ## Format, lint rules, types, and who imports whom
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(VENV)/.installed-dev  ## Format, and mend what can be mended without thinking
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: schema
schema: $(VENV)/.installed  ## Write the generated files in openapi/
	$(BIN)/metrics-api schema --project $(EXAMPLE) --out openapi

.PHONY: fresh
fresh: $(VENV)/.installed  ## Check that the generated files are what the code generates
	$(BIN)/metrics-api schema --project $(EXAMPLE) --out openapi --check

.PHONY: bench
bench: $(VENV)/.installed-dev  ## Measure our SQL against the best by hand, and what compiling costs
	$(BIN)/python tests/bench/run.py $(ARGS)

.PHONY: bench-serve
bench-serve: $(VENV)/.installed-dev  ## Measure the server against starlette and orjson alone, with wrk
	$(BIN)/python tests/bench/serve.py

.PHONY: clean
clean:  ## Remove the environment, caches, builds, the demonstration and benchmark data
	rm -rf $(VENV) $(ENGINES_VENV) .engines .bench demo dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- the environment -------------------------------------------------------------------------------------------------

# Whether a Python will do is asked of itself: names may be shims without a version behind them, and distributions
# may leave out what `venv` needs.
USABLE := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

$(VENV)/bin/python $(ENGINES_VENV)/bin/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    if $$python -c '$(USABLE)' >/dev/null 2>&1; then \
	        echo "making $(@D:/bin=) with $$($$python -V)"; \
	        exec $$python -m venv --clear $(@D:/bin=); \
	    fi; \
	    if [ "$$python" = "$(PYTHON)" ]; then break; fi; \
	done; \
	echo "metrics-api needs Python 3.11, 3.12 or 3.13 with its \`venv\` module: $(or $(PYTHON),none was found)" >&2; \
	echo "    On Debian and Ubuntu: apt install python3-venv. Or name one: make PYTHON=/path/to/python" >&2; \
	exit 1

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing metrics-api into $(VENV)"
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing metrics-api and its tools into $(VENV)"
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.installed

$(ENGINES_VENV)/.installed: pyproject.toml constraints.txt | $(ENGINES_VENV)/bin/python
	@echo "installing metrics-api, its tools and large engines into $(ENGINES_VENV)"
	@$(ENGINES_VENV)/bin/python -m pip --quiet --disable-pip-version-check install \
	    --constraint constraints.txt --editable '.[dev,engines]'
	@touch $@
