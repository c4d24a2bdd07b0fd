# Redline. `make help` lists the targets. Settings: PORT (of the UI), PYTHON (3.11), WHAT.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
PORT ?= 8080
WHAT ?= gate
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_gate := gate_overhead
BENCH_coverage := interval_coverage --write
BENCH_backtest := backtest
BENCH_reading := results_reading
BENCH_validation := validation
BENCH_baselines := null_baselines --write
BENCH_safeguards := safeguards
BENCH_probes := probes
export GX_ANALYTICS_ENABLED := false
export OPENBLAS_NUM_THREADS := 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo up down test quick check lock generate bench clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make the virtual environment (re-done only when the lock changes)

$(READY): requirements.lock pyproject.toml
	@bash tools/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $@

demo: $(READY)  ## the whole story, by itself (about 4 minutes); PORT=8080
	@$(BIN)/python -m toylab.demo --fresh --port $(PORT)

up: $(READY)  ## start Airflow, the notary and the toy trainer, and leave them running
	@$(BIN)/python -m toylab.lab up --port $(PORT)

down: $(READY)  ## stop what `make up` started
	@$(BIN)/python -m toylab.lab down --port $(PORT)

test: $(READY)  ## all tests, also those with a real scheduler (about 17 minutes)
	@failed=0; run() { $(BIN)/python -m pytest "$$@"; code=$$?; \
	    [ $$code -ne 2 ] || exit 2; [ $$code -eq 0 ] || failed=1; }; \
	  run -n 2 --maxschedchunk 4 tests/airflow; \
	  run tests/live; \
	  run -n auto --maxschedchunk 30 tests/properties tests/pure; exit $$failed

quick: $(READY)  ## the pure tests without the slow ones (about a minute)
	@$(BIN)/python -m pytest -n auto --maxschedchunk 30 -m "not slow" tests/pure

check: $(READY)  ## lint, types, layers, generated files; writes nothing
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/pure/test_layers.py
	@$(BIN)/python tools/generate.py --check

lock: $(READY)  ## pin requirements.in anew (needs the package index)
	@bash tools/lock.sh "$(VENV)"

generate: $(READY)  ## write the generated files (schemas, README's DAG table)
	@$(BIN)/python tools/generate.py

bench: $(READY)  ## measure: seconds by stage; or WHAT=coverage, backtest, reading, validation, baselines, safeguards, probes
	@$(BIN)/python -m benchmarks.$(or $(BENCH_$(WHAT)),$(error WHAT is gate, coverage, backtest, reading, validation, baselines, safeguards or probes))

clean:  ## remove everything that make made
	rm -rf $(VENV) .redline .pytest_cache .ruff_cache .hypothesis *.egg-info
