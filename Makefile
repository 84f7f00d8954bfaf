# CityOS. `make` alone lists what there is.
SHELL := /bin/sh
# the system's own first: servers that run as another user must be able to reach it
PYTHON ?= $(shell for python in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && { echo $$python; exit; }; done; echo python3)
BIN := .venv/bin
NAME ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev system run check test bench openapi adapter service lock clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what `make run` needs into .venv (idempotent, no root)
	@$(PYTHON) deploy/setup/install.py

setup-dev:
	@$(PYTHON) deploy/setup/install.py --dev

run: setup ## start a city: servers, demo data, page; Ctrl-C stops it
	@exec $(BIN)/cityos up

check: setup-dev ## format, lint, types, layers: changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup-dev system check ## everything that must pass before a change lands
	$(BIN)/python -m pytest -q --numprocesses 2 --dist loadfile

system: # what some tests need from the machine; they do without where it cannot be had
	@sh deploy/setup/system.sh

bench: setup-dev ## measure; results go to tests/bench/results
	$(BIN)/python -m tests.bench

openapi: setup-dev ## write openapi/ from the code
	$(BIN)/cityos openapi

adapter: setup ## start a new adapter: make adapter NAME=acme_gauge
	@test -n "$(NAME)" || { echo "say its name: make adapter NAME=acme_gauge"; exit 2; }
	@$(BIN)/cityos adapter new $(NAME)

service: setup ## start a new service: make service NAME=heat_advice
	@test -n "$(NAME)" || { echo "say its name: make service NAME=heat_advice"; exit 2; }
	@$(BIN)/cityos service new $(NAME)

lock: ## resolve all versions again and write the lock files
	sh deploy/setup/lock.sh

clean: ## remove what set-up and tests have made; the city's data in .cityos stays
	rm -rf .venv cityos/web/static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
