# `make demo` and `make test` need only Python (3.11 or newer) and make; both work in .venv and leave nothing behind but
# demo-output/ and build/ (pictures of pages). The tests of pages need Chromium, or are skipped. The stamps say what .venv holds, so that nothing is installed twice.
PYTHON ?= python3
BIN := .venv/bin
NEEDS := pyproject.toml constraints.txt
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check bench site
.DELETE_ON_ERROR:

help:
	@echo "make demo   restore the example photos: .venv with the base install, results in demo-output/"
	@echo "make test   everything CI checks: .venv with all extras, lint, types, all tests"
	@echo "make check  the quick part of it, before each commit; needs the .venv of make test"
	@echo "make site   the documentation as a site, into site/; it opens from the disk"
	@echo "make bench  speed and memory, into benchmarks/results/"

demo: .venv/installed-base
	$(BIN)/undegrade restore examples -o demo-output --overwrite --sheet demo-output/before-after.jpg

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint deploy/Dockerfile
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

check:
	@test -x $(BIN)/pytest || { echo "make check needs the .venv of make test: run that once"; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" --ignore=tests/end_to_end

site: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/installed-dev
	@mkdir -p benchmarks/results
	$(BIN)/python benchmarks/degradations.py > benchmarks/results/degradations.json
	$(BIN)/python benchmarks/inference.py > benchmarks/results/inference.json

.venv/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "undegrade needs Python 3.11 or newer, and $(PYTHON) is `$(PYTHON) --version 2>&1`;" \
			"name another one: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

# Both installs point at src/, so that either may follow the other.
.venv/installed-base: $(NEEDS) | .venv/created
	$(INSTALL) -e .
	@touch $@

.venv/installed-dev: $(NEEDS) | .venv/created
	$(INSTALL) -e '.[train,dev]'
	@touch .venv/installed-base $@
