# The verbs of this repository. Each installs what it needs first.
PYTHON ?= $(shell { [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; } 2>/dev/null && echo /usr/bin/python3 || echo python3)
# What somebody has set for programs of his own changes nothing here.
unexport $(filter-out PYTHON,$(filter PYTHON%,$(.VARIABLES)))
# Where a shell left it to us.
home_of = $(patsubst ~/%,$(HOME)/%,$(1))
BUILD ?=
override BUILD := $(call home_of,$(BUILD))
ifneq ($(strip $(BUILD)),)
include tools/elsewhere.mk
else

VENV ?= .venv
override VENV := $(or $(call home_of,$(VENV)),.venv)
JOBS ?=
override JOBS := $(or $(strip $(JOBS)),$(shell nproc))
ifneq ($(shell [ "$(JOBS)" -ge 1 ] 2>&1 && echo yes),yes)
$(error JOBS=$(JOBS): how many compilers run at a time, at least one)
endif
RUN := "$(VENV)/bin/python" -m
# What it runs, and in which order, is the table in tools/suite/parts.py.
SUITE := "$(PYTHON)" -m tools.suite --python "$(PYTHON)" --venv "$(VENV)" --jobs $(JOBS)
CTEST := ctest -j$(JOBS) --timeout 120 --output-on-failure --no-tests=error

.PHONY: help build serve test quick check cc headers py lint tidy tidy-files fmt anywhere test-tools asan tsan explore explore-mutants simulator sim sim-asan mutants coverage fuzz chaos websockets autobahn clients drivers applications bench docs docs-site pictures roots try-docs wheels test-pythons test-cpython test-asyncio test-suites clean

help:              ## This list
	@awk -F ':.*## ' '/^##@/ {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

##@ Use it
build:             ## Build into .venv, installing what is missing
	@tools/install-system.sh build
	@PYTHON="$(PYTHON)" VENV="$(VENV)" tools/build.sh

PORT = 8000
ADMIN_PORT = 9000
serve: build       ## Build, serve the example application on PORT (8000), its dashboard on ADMIN_PORT (9000)
	@"$(VENV)/bin/pip" install -q --disable-pip-version-check -r examples/requirements.txt
	@venv=$$(cd "$(VENV)" && pwd) && cd examples/studio && exec "$$venv/bin/celadon" studio:app --bind 127.0.0.1:$(PORT) --access-logfile - --admin-bind 127.0.0.1:$(ADMIN_PORT)

##@ Change it. Each of these builds and installs what it needs; ARGS=--help shows their options
quick:             ## C++, protocol and unit tests, lint of what changed: about a minute
test:              ## Every test: minutes. ARGS=--slow lists the slowest ones and why they are
check:             ## test, then lint, chaos, random clients, fuzzing, static analysis: half an hour
quick test check cc headers py lint tidy:
	@tools/install-system.sh build
	@tools/place.sh
	@$(SUITE) $@ $(ARGS)

fmt: test-tools    ## Format everything
	"$(VENV)/bin/ruff" check -q --fix .
	"$(VENV)/bin/ruff" format -q .
	"$(VENV)/bin/clang-format" -i $$(tools/sources.sh '*.cc' '*.h')

docs: build        ## Generate the reference pages from their tables
	"$(VENV)/bin/python" tools/gen_settings.py > docs/reference/settings.md
	"$(VENV)/bin/python" tools/gen_states.py > docs/explanation/states.md
	"$(VENV)/bin/python" tools/gen_what_blocks.py > docs/reference/what-blocks.md
	"$(VENV)/bin/python" tools/gen_metrics.py > docs/reference/metrics.md
	"$(VENV)/bin/python" tools/gen_api.py > docs/reference/api.md
	"$(VENV)/bin/python" tools/gen_grafana.py > deploy/grafana/celadon.json

docs-site:         ## The documentation as a site, in build/site
	@PYTHON="$(PYTHON)" tools/docs-site.sh

clean:             ## Remove what was built
	[ ! -e "$(VENV)/.made" ] || rm -rf "$(VENV)"
	rm -rf build .venv .venv-*

##@ Parts of these
cc:                ## C++ tests of every room, checks on
headers:           ## Each header of C++ compiles alone
py:                ## Python tests over real sockets
lint:              ## Style, types and imports
tidy:              ## clang-tidy over the C++ that changed since it was last well

##@ More
test-tools: build
	@tools/install-system.sh test services
	@VENV="$(VENV)" tools/test-tools.sh

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

EXPLORE_SECONDS ?= 60
explore: test-tools ## Greenlets in every order, killed at every wait; EXPLORE_SECONDS by chance
	$(RUN) tests.explorer.run --seconds 20 --wander $(EXPLORE_SECONDS) --seed $$(date +%s) $(ARGS)

explore-mutants: test-tools ## Whether that finds faults that are put back (ARGS="ID ...")
	$(RUN) tests.explorer.mutate $(ARGS)

SIM_SECONDS ?= 60
simulator:
	@tools/install-system.sh build test
	cmake --preset dev >/dev/null
	cmake --build --preset dev -j$(JOBS) --target sim

sim: simulator     ## The simulator of connections, SIM_SECONDS of new seeds
	build/dev/tests/sim/sim --seconds $(SIM_SECONDS) --seed $$(date +%s)000000

SIM_STEPS ?= 5000000
sim-asan:          ## Likewise under AddressSanitizer and UBSan, twice SIM_STEPS steps
	@tools/install-system.sh build test
	cmake --preset asan-ubsan >/dev/null
	cmake --build --preset asan-ubsan -j$(JOBS) --target sim
	for i in 1 2; do build/asan-ubsan/tests/sim/sim --steps $(SIM_STEPS) --seed $$(date +%s)000000 || exit; done

mutants: simulator ## Whether the simulator finds what is broken on purpose (ARGS="NAME ...", --help)
	"$(PYTHON)" tests/sim/mutate.py --seconds $(SIM_SECONDS) $(ARGS)

coverage: test-tools ## Lines that the C++ tests reach
	cmake --preset coverage >/dev/null
	cmake --build --preset coverage -j$(JOBS)
	$(CTEST) --test-dir build/coverage -Q
	"$(VENV)/bin/gcovr" --root . --filter src/ build/coverage

FUZZ_SECONDS ?= 60
fuzz:              ## Each fuzz target for FUZZ_SECONDS
	@tools/install-system.sh build fuzz
	cmake --preset fuzz >/dev/null
	cmake --build --preset fuzz -j$(JOBS)
	tools/fuzz.sh $(FUZZ_SECONDS)

CHAOS_SECONDS ?= 60
chaos: test-tools  ## Kills, stops and reloads under load, CHAOS_SECONDS for each kind
	CHAOS_SECONDS=$(CHAOS_SECONDS) $(RUN) pytest -rP tests/chaos

CLIENTS_SECONDS ?= 300
clients: test-tools ## Random clients on the real server, in every mode, CLIENTS_SECONDS in all
	$(RUN) tests.clients --seconds $(CLIENTS_SECONDS) $(ARGS)

WEBSOCKETS ?= 10000
RELOADS ?= 20
websockets: test-tools ## WEBSOCKETS (10000) through RELOADS (20): each gets its close frame and comes again
	CHAOS_WEBSOCKETS=$(WEBSOCKETS) CHAOS_RELOADS=$(RELOADS) $(RUN) pytest -s -q tests/chaos/test_websockets.py

autobahn: test-tools ## Autobahn's 517 cases for WebSockets, of ASGI and of views (ARGS="--quick KIND ...")
	$(RUN) tests.autobahn $(ARGS)

drivers: test-tools ## Drivers at the versions that people have pinned (ARGS="NAME ...", --slice)
	$(RUN) tools.try_drivers $(ARGS)

applications: test-tools ## Applications of others as gunicorn or uvicorn serves them (ARGS="NAME ...", --help)
	$(RUN) tests.applications $(ARGS)

bench:             ## Compare with other servers in interleaved rounds (minutes)
	@tools/install-system.sh build test services bench
	PYTHON="$(PYTHON)" bench/run.sh $(ARGS)

anywhere:          ## The two commands of the README where people have their checkouts
	tools/try-anywhere.sh $(ARGS)

SUITES ?= bookworm trixie forky
roots:             ## Bare Debian systems in build/roots (SUITES="bookworm trixie forky")
	@for suite in $(SUITES); do tools/roots.sh $$suite || exit; done

try-docs: test-tools ## What the documentation says, word by word on a bare Debian (ARGS="NAME ...")
	$(RUN) tools.try_docs $(ARGS)

pictures: test-tools ## Pictures of the dashboard for docs/pictures
	@tools/install-system.sh pictures
	"$(VENV)/bin/pip" install -q -r examples/requirements.txt
	$(RUN) tools.gen_pictures

test-cpython: test-tools ## CPython's own tests of what is patched, with and without the patch (ARGS="VERSION ...")
	VENV="$(VENV)" tools/test-cpython.sh $(ARGS)

test-asyncio: test-tools ## CPython's own tests of asyncio on celadon's loop, 3.11 to 3.15 (ARGS="VERSION ...")
	VENV="$(VENV)" tools/test-cpython.sh --aio $(ARGS)

test-suites: test-tools ## anyio's and Starlette's own tests on celadon's loop (ARGS="NAME ...", --help)
	$(RUN) tests.suites --pages docs $(ARGS)

wheels:            ## Wheels for every CPython, 3.11 to 3.15, in dist (ARGS="VERSION ... -- --twice")
	tools/wheels.sh $(ARGS)

test-pythons:      ## Build and test on every CPython, 3.11 to 3.15 (ARGS="VERSION ... -- WORDS OF PYTEST")
	tools/test-pythons.sh $(ARGS)

# Of `make tidy`: a file is looked at again when it or a header changed.
TIDY := $(patsubst %.cc,build/tidy/%.ok,$(shell tools/sources.sh 'src/*.cc'))
BUILD_TAG = $(shell "$(VENV)/bin/python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
build/tidy/%.ok: %.cc .clang-tidy $(shell tools/sources.sh 'src/*.h')
	@mkdir -p $(@D)
	@"$(VENV)/bin/clang-tidy" --quiet -p $$(ls -d build/$(BUILD_TAG)-*) $< 2>/dev/null
	@touch $@
	@echo $<

tidy-files: $(or $(TIDY),$(error tools/sources.sh finds no sources))

endif
