# Everything runs from .venv in this directory. `make` alone prints the list of targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first Python that is new enough; PYTHON=... chooses another.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
PORT ?= 8000
DATA_DIR ?= data
ARGS ?=
WORKERS ?= auto

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
RUNTIME := .venv/.runtime
DEV := .venv/.dev
CLIENTS := tests/contract/clients
UV_COMPILE := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make pins' $(if $(UPGRADE),--upgrade)
export PIP_USER := 0
# Rewriting the asserts of all tests takes seconds; what was compiled is for the next run.
unexport PYTHONDONTWRITEBYTECODE

# A virtual environment holds absolute paths: a moved or copied one, or one whose Python has gone, is
# made again.
ifneq ($(wildcard .venv/.place),)
ifneq ($(shell .venv/bin/python -c pass 2>/dev/null && cat .venv/.place),$(CURDIR))
MAKE_VENV_OPTION := --clear
.venv/.place: again
$(shell rm -f $(RUNTIME) $(DEV))
endif
endif

.PHONY: help setup run test check bench soak pins clean again

help:  ## print this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '%-14s %s\n' "$$target" "$$text"; done

setup: $(RUNTIME)  ## install all that running needs into .venv

run: setup  ## set up and start Holdfast with the demo venues (PORT=8000, DATA_DIR=data)
	@exec $(BIN)/holdfast up --demo --port $(PORT) --data-dir $(DATA_DIR) $(ARGS)

test: $(DEV)  ## set up, check and pass all tests (ARGS="-k name" for some)
	@scripts/test-services
	@$(MAKE) check
	@$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 $(ARGS)

check: $(DEV)  ## lint, format, types, import rules; the files that a booking runs through
	@echo "checking: ruff, basedpyright, import-linter" >&2
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/count_files.py

bench: setup  ## print one JSON object per benchmark
	@$(BIN)/python -m bench $(ARGS)

soak: $(DEV)  ## long campaigns of the tests that search for faults
	@HOLDFAST_SOAK=1 $(BIN)/python -m pytest -m soak $(ARGS)

pins: $(DEV)  ## write requirements*.txt anew from pyproject.toml (UPGRADE=1: newest versions)
	@$(UV_COMPILE) pyproject.toml --group build --output-file requirements.txt >/dev/null
	@$(UV_COMPILE) pyproject.toml --group build --group dev --constraints requirements.txt \
		--output-file requirements-dev.txt >/dev/null
	@$(UV_COMPILE) $(CLIENTS)/requirements.in --output-file $(CLIENTS)/requirements.txt >/dev/null
	@! grep -nE '(file|https?)://|--(extra-)?index-url|--find-links' requirements.txt requirements-dev.txt \
		$(CLIENTS)/requirements.txt

clean:  ## remove .venv and caches; data stays
	rm -rf .venv .venv.log .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.place:
	@test -n "$(PYTHON)" || { echo "Holdfast needs Python 3.11 or later: install it, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@scripts/make-venv "$(PYTHON)" $(MAKE_VENV_OPTION)
	@echo "$(CURDIR)" > $@

$(RUNTIME): requirements.txt pyproject.toml | .venv/.place
	@echo "installing $$(grep -c '^[a-z]' requirements.txt) packages for running" >&2
	@scripts/retry $(PIP) install -qq --require-hashes -r requirements.txt
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@

# The generator of Python clients needs other versions than Holdfast, so it has a folder of its own.
$(DEV): requirements-dev.txt tests/contract/asyncapi/package-lock.json $(CLIENTS)/package-lock.json \
		$(CLIENTS)/requirements.txt $(RUNTIME)
	@echo "installing $$(grep -c '^[a-z]' requirements-dev.txt) packages for testing" >&2
	@scripts/retry $(PIP) install -qq --require-hashes -r requirements-dev.txt
	@scripts/retry scripts/npm-install tests/contract/asyncapi .venv/npm
	@scripts/retry scripts/npm-install $(CLIENTS) .venv/clients/npm
	@rm -rf .venv/clients/python
	@scripts/retry $(PIP) install -qq --no-deps --require-hashes --target .venv/clients/python -r $(CLIENTS)/requirements.txt
	@touch $@
