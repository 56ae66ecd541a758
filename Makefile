# The verbs of this repository. Each installs what it needs first.
PYTHON ?= $(shell { [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; } 2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV ?= .venv
JOBS ?= 2
RUN := $(VENV)/bin/python -m
CTEST := ctest -j$(JOBS) --timeout 120 --output-on-failure --no-tests=error

.PHONY: help build serve test fast cc py asan tsan fuzz bench lint fmt docs test-pythons clean

help:           ## Show the verbs
	@grep -E '^[a-z-]+: .*##' Makefile | sed 's/:.*##/ -/'

build:          ## Build into $(VENV), installing what is missing
	@tools/install-system.sh build
	@PYTHON="$(PYTHON)" VENV="$(VENV)" tools/build.sh

serve: build    ## Build and serve the example application on port 8000
	@$(VENV)/bin/pip install -q --disable-pip-version-check -r examples/requirements.txt
	$(VENV)/bin/celadon --chdir examples hello_flask:app --access-logfile -

test-tools: build
	@tools/install-system.sh test
	@$(VENV)/bin/pip install -q --disable-pip-version-check -r tests/requirements.txt

test: lint cc py   ## Everything that a change must pass

fast: cc           ## The C++ tests alone

cc:                ## C++ tests of every room, checks on
	@tools/install-system.sh build test
	cmake --preset dev >/dev/null
	cmake --build --preset dev -j$(JOBS)
	$(CTEST) --test-dir build/dev

py: test-tools     ## Python tests over real sockets
	$(RUN) pytest

asan:              ## C++ tests under AddressSanitizer and UBSan
	@tools/install-system.sh build test
	cmake --preset asan-ubsan >/dev/null
	cmake --build --preset asan-ubsan -j$(JOBS)
	$(CTEST) --test-dir build/asan-ubsan

tsan:              ## C++ tests under ThreadSanitizer
	@tools/install-system.sh build test
	cmake --preset tsan >/dev/null
	cmake --build --preset tsan -j$(JOBS)
	$(CTEST) --test-dir build/tsan

FUZZ_SECONDS ?= 60
fuzz:              ## Each fuzz target for FUZZ_SECONDS
	@tools/install-system.sh build fuzz
	cmake --preset fuzz >/dev/null
	cmake --build --preset fuzz -j$(JOBS)
	tools/fuzz.sh $(FUZZ_SECONDS)

bench:             ## Compare with other servers in interleaved rounds (minutes)
	@tools/install-system.sh build test bench
	PYTHON="$(PYTHON)" bench/run.sh $(ARGS)

lint: test-tools   ## Formatting, style and types
	$(VENV)/bin/ruff check -q .
	$(VENV)/bin/ruff format -q --check .
	$(VENV)/bin/clang-format --dry-run --Werror $$(git ls-files '*.cc' '*.h')
	$(RUN) mypy
	$(VENV)/bin/lint-imports --no-cache >/dev/null || $(VENV)/bin/lint-imports --no-cache

fmt: test-tools    ## Format everything
	$(VENV)/bin/ruff check -q --fix .
	$(VENV)/bin/ruff format -q .
	$(VENV)/bin/clang-format -i $$(git ls-files '*.cc' '*.h')

docs: build        ## Generate the reference pages from their tables
	$(VENV)/bin/python tools/gen_settings.py > docs/reference/settings.md
	$(VENV)/bin/python tools/gen_states.py > docs/explanation/states.md

test-pythons:      ## Build and test on every CPython of this machine (3.11 to 3.13)
	tools/test-pythons.sh

clean:             ## Remove what was built
	rm -rf build $(VENV) .venv-*
