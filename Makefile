# Two commands set everything up on a machine that has Python 3.11 and pip:
#   make demo   light install (no torch), scans the example images with the packaged detector
#   make test   full install, then lint, types, import contracts and tests
PYTHON ?= python3
VENV := .venv
ROUNDS ?= 20
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all soak check browser lint install install-dev coverage imports docs notebooks wheel clean help

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "authentiscan needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.base

install: $(VENV)/.base ## Light install into .venv (no torch)

install-dev: $(VENV)/.dev ## Everything: training, export, provenance, tests

demo: install ## Scan the example images with the packaged default detector
	$(BIN)/authentiscan scan examples/ --truth

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

browser: ## Debian's chromium for the browser tests, where it is missing and apt can install it
	tools/install_chromium.sh

test: lint browser ## Lint, types, import contracts and all tests but the slow ones
	$(BIN)/pytest -n 2 --dist loadgroup -m "not slow"

test-all: lint browser ## The same with the slow tests
	$(BIN)/pytest -n 2 --dist loadgroup

soak: install-dev ## Hours of damaged files and of runs ended at random moments: make soak ROUNDS=200
	AUTHENTISCAN_SOAK_ROUNDS=$(ROUNDS) $(BIN)/pytest -m soak tests/soak

check: lint ## The quick local subset: lint, types, contracts, tests of the light rooms
	$(BIN)/pytest -m "not slow" tests/core tests/scan tests/provenance tests/analysis tests/evaluation

imports: install ## Import every module with the base install alone
	$(BIN)/python tools/import_all.py

coverage: install-dev ## The share of lines and branches that the tests run, as text and as build/coverage/index.html
	$(BIN)/python -m coverage run -m pytest -n 2 --dist loadgroup -m "not slow"
	-$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered --sort=cover
	$(BIN)/python -m coverage html --directory build/coverage

NOTEBOOKS := $(wildcard notebooks/*.ipynb)

notebooks: $(NOTEBOOKS:%=build/%) ## Run the notebooks into build/notebooks

build/notebooks/%.ipynb: notebooks/%.ipynb notebooks/small_images.py $(shell find src -name '*.py') | install-dev
	$(BIN)/jupyter nbconvert --log-level ERROR --to notebook --execute --ExecutePreprocessor.startup_timeout=600 \
		--ExecutePreprocessor.timeout=1800 --output-dir build/notebooks $<

docs: install-dev notebooks ## The documentation site, into build/docs; a broken link or anchor fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "open build/docs/index.html"

wheel: install ## Build a wheel and scan the examples with it in an empty environment
	rm -rf build/wheel build/wheel-env
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/wheel-env
	build/wheel-env/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt build/wheel/*.whl
	cd build && wheel-env/bin/authentiscan scan ../examples/photographs
	cd build && wheel-env/bin/python -c "import authentiscan; print(authentiscan.__version__)"
	ls -l build/wheel

clean: ## Remove what was built (not .venv)
	rm -rf build dist src/*.egg-info .mypy_cache .ruff_cache .hypothesis
