#!/usr/bin/env bash
# Builds and tests on every CPython from 3.11 to 3.15: python3.11 ... on PATH, or pyenv's; as root
# one that this machine does not have is taken in a bare root of the Debian that has it. What is
# nowhere is named, not failed.
#
#   tools/test-pythons.sh [VERSION ...] [-- WORDS OF PYTEST ...]
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/pythons.sh

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

read_versions "$@"
for version in "${VERSIONS[@]}"; do
  python=$(find_python "$version") suite=$(suite_of "$version")
  if [ -n "$python" ]; then
    echo "== CPython $version: $python"
    on_this_machine "$version" "$python"
  elif [ -n "$suite" ] && [ "$(id -u)" -eq 0 ]; then
    echo "== CPython $version: in a root of $suite"
    in_root "$version" "$suite"
  else
    echo "== CPython $version: not on this machine"
  fi
done
