# The course's commands. Each works on a fresh clone with Python 3.11 or 3.12, make and a package registry.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= $(shell scripts/find-python)
BIN := .venv/bin
SETUP := .venv/.installed
PORT ?= 8000

.SILENT:
.PHONY: help setup book site-zip pdf serve check test lint figures labs notebooks wheelhouse bench clean

help:  ## explain each target
	grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(SETUP)  ## create .venv and install the package with the pinned versions

$(SETUP): pyproject.toml constraints.txt
	scripts/install "$(PYTHON)"
	touch $@

book: $(SETUP)  ## execute what changed and build the book into _build/html
	$(BIN)/lrcourse book

site-zip: $(SETUP)  ## build the book and pack its pages into one file that is read offline
	$(BIN)/lrcourse book --zip

pdf: $(SETUP)  ## build the book and print it as one PDF (needs Chromium)
	$(BIN)/lrcourse book --pdf

serve: book  ## build the book and serve it on http://127.0.0.1:8000 (PORT=…)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

check: lint  ## in minutes: style, types and every test that needs no book, browser, sandbox, kernel or patience
	echo "the quick tests: about 3 minutes on two cores"
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not browser and not built and not notebooks and not postgresql and not sandbox and not slow"

test: lint  ## test everything: package, every notebook, labs, the built pages in a browser
	scripts/system-packages
	$(BIN)/lrcourse notebooks check
	$(BIN)/lrcourse book --stored
	echo "every test and every notebook: up to an hour on two cores"
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --nbval

lint: $(SETUP)  ## check style, types and who may import what
	echo "checking style, types and imports: up to a minute"
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/oxlint --format=unix
	$(BIN)/mypy
	checked=$$($(BIN)/lint-imports --no-cache --no-logo) || { echo "$$checked"; exit 1; }

labs: $(SETUP)  ## generate the student versions in labs/ from solutions/
	$(BIN)/lrcourse labs build

figures: $(SETUP)  ## draw every figure of the book into figures/ (ARGS="--format pdf --theme dark --only fig-…")
	$(BIN)/lrcourse figures $(ARGS)

notebooks: $(SETUP)  ## run the notebooks of book/ and solutions/ again and store their outputs
	$(BIN)/lrcourse notebooks run

wheelhouse: $(SETUP)  ## collect the wheels that a GPU machine without a network lacks
	$(BIN)/lrcourse wheelhouse

bench: book  ## measure speed: as ratios within one run, and how soon pages show
	$(BIN)/python benchmarks/schedules.py
	$(BIN)/python benchmarks/sweep.py --map
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/pages.py
	$(BIN)/python benchmarks/own_run.py

clean:  ## delete what was built (.venv stays; delete it by hand)
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis
