# `make demo` and `make test` set everything up themselves. Needed: make and Python 3.11 or newer, no compiler.
# SELFLOW_WEB=skip leaves the web page out.
# Another interpreter: make setup PYTHON=/path/to/python3.12

SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
PACKAGES := actors selflow serve tune
# A second call only compares this hash. The folder is in it because a virtual environment cannot be moved.
STAMP := .venv/.installed-$(shell (pwd; cat pyproject.toml constraints.txt) | cksum | tr ' ' '-')
BUILD_PAGE = PYTHON="$(CURDIR)/$(BIN)/python" sh selflow/console/web/build.sh
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup web page clients demo test check floors unit quick lm cluster e2e mutants bench up down clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' Makefile

setup: page  ## make .venv with the versions that were tested together, and the web page

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "SelFlow needs Python 3.11 or newer; $(PYTHON) is not. Next: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear .venv || { \
	  echo "$(PYTHON) cannot make a virtual environment; your system may keep venv in a package of its own" >&2; exit 1; }
	@echo "installing into .venv; the first time this takes minutes"
	@$(INSTALL) torch hatchling editables
	@$(INSTALL) --no-build-isolation -e '.[dev]'
	@rm -f .venv/.installed-* && touch $@

page: $(STAMP)
	@$(BUILD_PAGE) optional

web: $(STAMP)  ## build the web page, with the system's Node.js or one in .venv
	@$(BUILD_PAGE)

demo: setup  ## replay real events, learn, serve, predict; leaves nothing running
	@$(BIN)/selflow demo

# ActivityWatch's own packages want other versions than ours, and some are no wheels.
CLIENTS := tests/e2e/activitywatch-requirements.txt
CLIENTS_STAMP := .venv/activitywatch/.installed-$(shell cksum < $(CLIENTS) | tr ' ' '-')
$(CLIENTS_STAMP): | $(STAMP)
	@$(PYTHON) -m venv --clear .venv/activitywatch
	@.venv/activitywatch/bin/python -m pip install --quiet --disable-pip-version-check -r $(CLIENTS)
	@touch $@

clients: $(CLIENTS_STAMP)  ## ActivityWatch's client and server, for the tests against them

# Two files of tests at a time: they look at their own processes, ports and folders only. The cluster
# comes before e2e: Ray decides at its first import whether it stays on loopback.
test: setup clients floors unit  ## everything a change must pass, with the ten longest tests
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile tests/lm tests/cluster tests/e2e

check: setup floors quick  ## lint, types, floors and the unit tests that are not slow

floors: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# What pytest compiles is kept, whatever the shell says: seconds less the next time.
unit quick: export PYTHONDONTWRITEBYTECODE =
# Thousands of small durable stores: in memory, where there is such a folder, no disk is waited for.
unit quick: export TMPDIR := $(firstword $(wildcard /dev/shm) /tmp)
unit: setup
	@$(BIN)/python -m pytest --numprocesses auto tests/unit

quick: setup
	@$(BIN)/python -m pytest --numprocesses auto -m "not slow" tests/unit

lm: setup  ## the tests that need torch
	@$(BIN)/python -m pytest tests/lm

cluster: setup  ## the tests with one local Ray
	@$(BIN)/python -m pytest tests/cluster

e2e: setup  ## the product from outside
	@$(BIN)/python -m pytest tests/e2e

mutants: setup  ## one planted fault per promise; each must turn its tests red
	@$(BIN)/python -m tests.mutants

bench: setup  ## long campaigns and measurements
	@$(BIN)/python -m bench.run

up: setup  ## start SelFlow
	@$(BIN)/selflow up

down:  ## stop SelFlow
	@$(BIN)/selflow down

clean:  ## remove what tools made; .venv and your data stay
	@rm -rf build dist *.egg-info selflow/console/static .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find $(PACKAGES) tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
