#!/usr/bin/env bash
# Runs CPython's own tests of what is patched, on each version given, or on all: by an interpreter
# of this machine that has its test suite; as root else in a bare root of the Debian that has it.
# What is nowhere is named, not failed. Writes docs/cpython-X.Y.md. With --aio those of asyncio on
# our loop: docs/asyncio-X.Y.md.
#
#   tools/test-cpython.sh [--aio] [VERSION ...] [-- WORDS OF tests/cpython/suite.py ...]
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/pythons.sh

AIO=() PAGE=cpython
if [ "${1-}" = --aio ]; then
  AIO=(--aio) PAGE=asyncio
  shift
fi

on_this_machine() {  # VERSION PYTHON
  local venv=.venv-cpython-$1
  {
    [ -x "$venv/bin/python" ] || "$2" -m venv "$venv"
  } && "$venv/bin/pip" install -q --disable-pip-version-check "scikit-build-core>=0.10" \
    "greenlet>=3.1" \
    && "$venv/bin/pip" install -q --disable-pip-version-check --no-build-isolation --no-deps \
      --force-reinstall -C "build-dir=build/cpython-$1" . \
    && "${VENV:-.venv}/bin/python" -m tests.cpython.suite "$venv/bin/python" \
      "${AIO[@]}" --page "docs/$PAGE-$1.md" "${WORDS[@]}"
}

# The sources are copied there, changed ones only; the root and what was built in it stay.
in_root() {  # VERSION SUITE
  # shellcheck disable=SC2016 # the root's shell
  tools/roots.sh "$2" --copy "$2-cpython$1" --bind "$PWD:/sources" -- bash -euc '
    version=$1
    shift
    cd /sources
    tools/install-system.sh build
    apt-get -qq install -y --no-install-recommends make \
      "python$version-dev" "python$version-venv" "libpython$version-testsuite" >/dev/null
    make BUILD=/celadon "PYTHON=/usr/bin/python$version" build
    cd /celadon
    .venv/bin/python -m tests.cpython.suite .venv/bin/python "$@"
  ' - "$1" "${AIO[@]}" --page "/sources/docs/$PAGE-$1.md" "${WORDS[@]}"
}

read_versions "$@"
status=0
for version in "${VERSIONS[@]}"; do
  python=$(find_python "$version" test.test_socket) suite=$(suite_of "$version")
  if [ -n "$python" ]; then
    echo "== CPython $version: $python"
    on_this_machine "$version" "$python" || status=1
  elif [ -n "$suite" ] && [ "$(id -u)" -eq 0 ]; then
    echo "== CPython $version: in a root of $suite"
    in_root "$version" "$suite" || status=1
  else
    echo "== CPython $version: not on this machine, or without its test suite"
  fi
done
exit $status
