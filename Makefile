# Every verb works on a fresh clone: the first one creates .venv and installs the locked dependencies.
#   make train ARGS="task=halfcheetah seed=1"      overrides of the run
#   make setup PYTHON=/path/to/python3.13          another interpreter
#   make setup PIP_ARGS="--index-url URL"          anything pip should be told, e.g. where a CPU-only torch lies
.DEFAULT_GOAL := help
.PHONY: help setup train test test-slow lint benchmark clean
SHELL := /bin/bash

BIN := .venv/bin
STAMP := .venv/installed
PYTHON ?= $(shell for python in python3.12 python3.11 python3.14 python3.13 python3; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo "$$python" && break; done)
ARGS ?=
PIP_ARGS ?=
JOBS ?= 2
# One thread per test process: small tensors gain nothing from more, and the workers share the cores.
QUIET_THREADS := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup: $(STAMP)  ## create .venv and install pgrobot with its locked dependencies

$(STAMP): pyproject.toml setup.py constraints.txt
	@test -x $(BIN)/python || test -n "$(PYTHON)" || { \
		echo "pgrobot needs Python 3.11, 3.12, 3.13 or 3.14 with venv, and found none: install one, or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.12"; exit 1; }
	@test -x $(BIN)/python || { echo "Creating .venv with $(PYTHON)"; $(PYTHON) -m venv .venv; }
	@echo "Installing pgrobot and its locked dependencies into .venv (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --constraint constraints.txt --editable '.[dev]'
	@touch $@

train: $(STAMP)  ## train the default robot under its safety budgets (ARGS="seed=1 …")
	@$(BIN)/pgrobot train $(ARGS)

test: $(STAMP)  ## run the tests (ARGS="tests/exact -k gae")
	@$(QUIET_THREADS) $(BIN)/python -m pytest --quiet -n $(JOBS) --dist worksteal --durations 10 $(ARGS)

test-slow: $(STAMP)  ## run the slow tests: learning, long equivalences
	@$(QUIET_THREADS) $(BIN)/python -m pytest --quiet -n $(JOBS) -m slow --timeout 1800 $(ARGS)

lint: $(STAMP)  ## ruff (lint and format) and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

benchmark: $(STAMP)  ## measure speed against the figures in docs/benchmarks.md
	@$(BIN)/python scripts/benchmark.py $(ARGS)

clean:  ## remove caches and build outputs; keeps .venv and runs
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
