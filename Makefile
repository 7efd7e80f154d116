# All targets set up what they need: a virtual environment in .venv, and on Debian and Ubuntu the
# libraries that napari's window needs.

# The first that runs and is new enough; a name alone proves nothing (pyenv has shims for all).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
STAMP := .venv/.ready
export LIBGL_ALWAYS_SOFTWARE ?= $(if $(DISPLAY),,1)
# Images of containers often set it; each of the hundreds of processes that tests and benchmarks start
# would then compile all of `src` again.
unexport PYTHONDONTWRITEBYTECODE

# Tests of a file share clusters and windows, so a file stays in one process. One process a core, since
# most wait for clusters of their own half of the time; and four at most: each has up to five processes
# and 2 GB, and beyond four the slowest file decides how long all of them take.
TEST_PROCESSES ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? n : 4)))

FUZZ_SECONDS ?= 600
SOAK_MINUTES ?= 30
AUDIT_MINUTES ?= 30

# For the viewers and clients of other systems, too; a cache each, since one is for one system.
check-types = $(foreach system,linux darwin win32,$(BIN)/mypy --platform $(system) --cache-dir .mypy_cache/$(system) &&) true

.PHONY: help demo test lint bench faults fuzz load network soak audit compose-test matrix clean system

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: $(STAMP) system  ## Run the plate example; without a screen it saves a screenshot
	@if [ -n "$$DISPLAY" ]; then \
	  $(BIN)/python examples/plate.py; \
	else \
	  xvfb-run -a -s "-screen 0 1400x900x24" $(BIN)/python examples/plate.py --screenshot demo.png; \
	fi

test: $(STAMP) system  ## Check style and types, then run all tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(check-types)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(STAMP)  ## Mend the style, check the types
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(check-types)

bench: $(STAMP) system  ## Run all benchmarks; figures go to docs/benchmarks with BENCH_SAVE set
	@for name in throughput growth catalogue latency overhead stall layouts elements plate memory record pointer dock; do \
	  examples/tools/with-screen $(BIN)/python -m benchmarks.$$name || exit 1; \
	done

load: $(STAMP)  ## 200 publishers at one viewer, and the event loops with and without the sink
	$(BIN)/python -m benchmarks.load

network: $(STAMP) system  ## A cluster whose viewer hangs on bad links, cut for 20 s; needs root; minutes
	PYTHONPATH=tests $(BIN)/python -m network.long_run

soak: $(STAMP)  ## A cluster for SOAK_MINUTES (30) with restarts; fails on growth, leaks or losses
	$(BIN)/python -m benchmarks.soak --minutes $(SOAK_MINUTES)

audit: $(STAMP) system  ## Compare every pixel of AUDIT_MINUTES (30) with kills and restarts
	examples/tools/with-screen $(BIN)/python -m benchmarks.audit --minutes $(AUDIT_MINUTES)

compose-test: $(STAMP) system  ## Run docker-compose.yml for real and look at it with a browser; minutes
	@$(BIN)/python -m pip install --quiet --group browser
	@command -v chromium || $(BIN)/python -m playwright install chromium
	PYTHONPATH=tests $(BIN)/python -m compose.run $(if $(ENGINE),--engine $(ENGINE))

matrix: $(STAMP) system  ## Run a part of the tests with other versions of Dask, napari, Qt and Python; an hour
	examples/tools/with-screen $(BIN)/python tests/matrix/run.py $(if $(ONLY),--only "$(ONLY)")

fuzz: $(STAMP) system  ## Hostile messages for FUZZ_SECONDS (600), then many examples of all properties
	@$(BIN)/python -m pip install --quiet --only-binary=:all: --group fuzz 2>/dev/null || \
	  echo "atheris has no wheel for $$($(BIN)/python --version)"
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS)
	EXAMPLES_TIMES=20 $(BIN)/python -m pytest -m hypothesis --timeout 3600 tests

faults: $(STAMP) system  ## Kill, stop and close everything 20 times each; takes an hour
	FAULT_MOMENTS=$${FAULT_MOMENTS:-20} $(BIN)/python -m pytest -s -p no:logging tests/faults $(PYTEST_ARGS)

clean:  ## Remove the environment and caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .fuzz-corpus build dist

system:
	@examples/tools/system-packages

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || \
	  { echo "Python 3.11 or newer is needed, and none is on the PATH. Use: make PYTHON=/path/to/it"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	touch $(STAMP)
