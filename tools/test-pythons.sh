#!/usr/bin/env bash
# Builds and tests on every CPython that this machine has: python3.11 to python3.13 on
# PATH, or pyenv's. Versions that are missing are named, not failed.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/install-system.sh build test

find_python() {
  local found
  for found in "/usr/bin/python$1" $(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python 2>/dev/null); do
    if [ -x "$found" ]; then echo "$found"; return; fi
  done
  command -v "python$1" 2>/dev/null || true
}

for version in 3.11 3.12 3.13; do
  python=$(find_python $version)
  if [ -z "$python" ] || ! "$python" -c 'import sys' 2>/dev/null; then
    echo "== CPython $version: not on this machine"
    continue
  fi
  venv=.venv-$version
  echo "== CPython $version: $python"
  PYTHON=$python VENV=$venv tools/build.sh
  VENV=$venv tools/test-tools.sh
  "$venv/bin/python" -m pytest -q
done
