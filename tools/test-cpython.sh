#!/usr/bin/env bash
# Runs CPython's own tests of what is patched, on each version given that this machine
# has with its test suite; the others are named. Writes docs/cpython-X.Y.md. With --aio
# those of asyncio on our loop: docs/asyncio-X.Y.md.
# Usage: tools/test-cpython.sh [--aio] VERSION ...
set -euo pipefail
cd "$(dirname "$0")/.."
words=() page=cpython
if [ "${1-}" = --aio ]; then
  words=(--aio) page=asyncio
  shift
fi

find_python() {
  local found
  for found in $(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python 2>/dev/null) \
      "$(command -v "python$1" 2>/dev/null || true)"; do
    if [ -x "$found" ] && "$found" -c 'import test.test_socket' 2>/dev/null; then
      echo "$found"
      return
    fi
  done
}

status=0
for version in "$@"; do
  python=$(find_python "$version")
  if [ -z "$python" ]; then
    echo "== CPython $version: not on this machine, or without its test suite"
    continue
  fi
  venv=.venv-cpython-$version
  echo "== CPython $version: $python"
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check "scikit-build-core>=0.10" \
    "greenlet>=3.1"
  "$venv/bin/pip" install -q --disable-pip-version-check --no-build-isolation --no-deps \
    --force-reinstall -C "build-dir=build/cpython-$version" .
  "${VENV:-.venv}/bin/python" tests/cpython/suite.py "$venv/bin/python" \
    "${words[@]}" --page "docs/$page-$version.md" || status=1
done
exit $status
