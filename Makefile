# The front door for every developer action. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# the tests start hundreds of processes that import the same files: each is compiled once
unexport PYTHONDONTWRITEBYTECODE

UV = $(shell scripts/find-uv)
RUN = "$(UV)" run --frozen --no-sync
PYTEST = $(RUN) pytest -n auto --dist loadgroup

.NOTPARALLEL:
.PHONY: help install product demo serve test check unit lint format types contracts tests bench torture soak screenshots migrate docs openapi worker-image clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 12

SYNC = "$$(scripts/find-uv)" sync --frozen --all-extras
FIRST = echo 'Installing what uv.lock names into .venv; the first time this takes a minute or two.'

install:  ## get uv if it is missing, then everything the lock names, into .venv
	@scripts/find-uv --install
	@$(SYNC) --check --quiet 2>/dev/null || $(FIRST)
	@$(SYNC) --compile-bytecode --quiet

product:  ## the same without what only developers need
	@scripts/find-uv --install
	@$(SYNC) --no-dev --inexact --check --quiet 2>/dev/null || $(FIRST)
	@$(SYNC) --no-dev --inexact --compile-bytecode --quiet

demo: product  ## run the examples on real data through the real server, and say what came out
	@echo 'Starting a server in .demo with the example pipelines; their environments are built first.'
	@$(RUN) python scripts/demo.py

serve: product  ## start the server with the example pipelines on http://127.0.0.1:8000
	@PIPELINES_DIR="$${PIPELINES_DIR:-examples/pipelines}" $(RUN) fastflow serve

test: lint types contracts tests  ## all of it: lint, types, import contracts, every test

check: test  ## what CI does

tests: install  ## every test
	@$(PYTEST) tests

unit: install  ## the quick tests alone
	@$(RUN) pytest tests/unit tests/architecture -q

lint: install  ## formatting and lint rules
	@$(RUN) ruff format --check --output-format concise . || { echo 'Not formatted: run `make format`.'; exit 1; }
	@$(RUN) ruff check .

format: install  ## format, and mend what the linter can mend
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

types: install  ## mypy, strict
	@$(RUN) mypy

contracts: install  ## which part may import which
	@$(RUN) lint-imports --no-cache

bench: install  ## the figures of docs/reference/performance.md, on this machine; FIGURES="pages heat": these alone
	@$(RUN) python -m bench $(FIGURES)

torture: install  ## kill and race as often as the reference page states
	@$(PYTEST) tests/torture --full --timeout=0

soak: install  ## hold pages open for HOURS=1 while runs go on; fails if they or the server grow
	@$(RUN) python scripts/soak.py --hours $(or $(HOURS),1) $(if $(DASHBOARDS),--dashboards $(DASHBOARDS))

screenshots: install  ## pictures of every page, light and dark, wide and phone, into .screenshots; PAGES="a b": these alone
	@$(RUN) python scripts/screenshots.py $(PAGES)

migrate: install  ## bring the database that DATABASE_URL or DATA_DIR names to this release's schema
	@$(RUN) python scripts/migrate.py

docs: install  ## write the generated reference pages anew
	@$(RUN) python scripts/write_settings_reference.py
	@$(RUN) python scripts/write_cli_reference.py

openapi: install  ## print the OpenAPI document
	@$(RUN) fastflow openapi

worker-image: install  ## make the image that container runs start from, of Debian packages, and give it to the engine
	@scripts/worker-image.sh

clean:  ## remove what the tools left; never data/ or logs/
	rm -rf .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
