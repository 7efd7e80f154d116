# All targets set up what they need: a virtual environment in .venv, and on Debian and Ubuntu the
# libraries that napari's window needs.

PYTHON ?= $(shell command -v python3.13 || command -v python3.12 || command -v python3.11 || echo python3)
BIN := .venv/bin
STAMP := .venv/.ready
export LIBGL_ALWAYS_SOFTWARE ?= $(if $(DISPLAY),,1)

.PHONY: help demo test lint bench clean system

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(STAMP) system  ## Run the plate example; without a screen it saves a screenshot
	@if [ -n "$$DISPLAY" ]; then \
	  $(BIN)/python examples/plate.py; \
	else \
	  xvfb-run -a -s "-screen 0 1400x900x24" $(BIN)/python examples/plate.py --screenshot demo.png; \
	fi

test: $(STAMP) system  ## Check style and types, then run all tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(STAMP)  ## Mend the style, check the types
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy

bench: $(STAMP) system  ## Run all benchmarks; figures go to docs/benchmarks with BENCH_SAVE set
	@for name in throughput growth latency overhead stall; do \
	  examples/tools/with-screen $(BIN)/python -m benchmarks.$$name || exit 1; \
	done

clean:  ## Remove the environment and caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

system:
	@examples/tools/system-packages

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Use: make PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	touch $(STAMP)
