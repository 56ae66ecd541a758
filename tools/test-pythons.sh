#!/usr/bin/env bash
# Builds and tests on every CPython from 3.11 to 3.15: python3.11 ... on PATH, or pyenv's; as root
# one that this machine does not have is taken in a bare root of the Debian that has it. What is
# nowhere is named, not failed.
#
#   tools/test-pythons.sh [VERSION ...] [-- WORDS OF PYTEST ...]
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() {
  local found
  for found in "/usr/bin/python$1" $(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python 2>/dev/null); do
    if [ -x "$found" ]; then echo "$found"; return; fi
  done
  command -v "python$1" 2>/dev/null || true
}

suite_of() {
  case $1 in
    3.13) echo trixie ;;
    3.14 | 3.15) echo forky ;;
  esac
}

on_this_machine() {  # VERSION PYTHON
  local venv=.venv-$1
  tools/install-system.sh build test
  PYTHON=$2 VENV=$venv tools/build.sh
  VENV=$venv tools/test-tools.sh
  "$venv/bin/python" -m pytest -q "${WORDS[@]}"
}

# The sources are copied there, changed ones only; the root and what was built in it stay.
in_root() {  # VERSION SUITE
  # shellcheck disable=SC2016 # the root's shell
  tools/roots.sh "$2" --copy "$2-python$1" --bind "$PWD:/sources" --env INCOMPLETE=1 -- bash -euc '
    python=/usr/bin/python$1
    shift
    cd /sources
    tools/install-system.sh build test services
    if [ ! -x $python ]; then
      apt-get -qq install -y --no-install-recommends "${python##*/}-dev" "${python##*/}-venv" >/dev/null
    fi
    apt-get -qq install -y --no-install-recommends make >/dev/null
    make BUILD=/celadon PYTHON=$python test-tools
    cd /celadon
    .venv/bin/python -m pytest -q "$@"
  ' - "$1" "${WORDS[@]}"
}

VERSIONS=() WORDS=()
while [ $# -gt 0 ]; do
  case $1 in
    3.1[1-5]) VERSIONS+=("$1"); shift ;;
    --) shift; WORDS=("$@"); break ;;
    *) echo "no CPython $1 here: one of 3.11 to 3.15" >&2; exit 2 ;;
  esac
done
[ ${#VERSIONS[@]} -gt 0 ] || VERSIONS=(3.11 3.12 3.13 3.14 3.15)

for version in "${VERSIONS[@]}"; do
  python=$(find_python "$version") suite=$(suite_of "$version")
  if [ -n "$python" ] && "$python" -c 'import sys' 2>/dev/null; then
    echo "== CPython $version: $python"
    on_this_machine "$version" "$python"
  elif [ -n "$suite" ] && [ "$(id -u)" -eq 0 ]; then
    echo "== CPython $version: in a root of $suite"
    in_root "$version" "$suite"
  else
    echo "== CPython $version: not on this machine"
  fi
done
