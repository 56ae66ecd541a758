#!/usr/bin/env bash
# Wheels in dist/ for every CPython from 3.11 to 3.15: on this machine where it has that Python,
# else, as root, in a bare root of the Debian that has it. Each is installed and serves Flask
# and Django: as root in a bare root without a compiler, where one has that Python, else here.
#
#   tools/wheels.sh [VERSION ...] [-- WORDS OF tools.wheels]
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/pythons.sh
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

make_wheel() {  # VERSION PYTHON OUT
  local venv=build/wheels/venv-$1
  mkdir -p build/wheels
  PYTHON=$2 VENV=$venv tools/venv.sh
  "$venv/bin/python" -m pip install -q --disable-pip-version-check -r tools/wheels/requirements.txt
  "$venv/bin/python" -m tools.wheels --out "$3" "${WORDS[@]}"
}

# Python's and zlib's headers come from there; the compiler does not.
make_wheel_in_root() {  # VERSION SUITE
  # shellcheck disable=SC2016 # the root's shell
  tools/roots.sh "$2" --copy "$2-wheels$1" --bind "$PWD:/sources" --bind "$PWD/dist:/wheels" \
    --env "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" -- bash -euc '
    export DEBIAN_FRONTEND=noninteractive
    python=/usr/bin/python$1
    shift
    if [ ! -x $python ] || [ ! -e /usr/include/zlib.h ]; then
      apt-get -qq update
      apt-get -qq install -y --no-install-recommends "${python##*/}-dev" "${python##*/}-venv" \
        zlib1g-dev >/dev/null
    fi
    cd /sources
    $python -B tools/copy_sources.py /celadon
    cd /celadon
    exec tools/wheels.sh "$@"
  ' - "$1" --here "$1" "/usr/bin/python$1" /wheels "${WORDS[@]}"
}

smoke_here() {  # VERSION PYTHON WHEEL
  local venv=build/wheels/smoke-$1
  rm -rf "$venv"
  "$2" -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: "$3" flask django
  "$venv/bin/python" tools/wheels/smoke.py
}

# An interpreter, its modules and the wheel: no compiler is there.
smoke_in_root() {  # VERSION SUITE WHEEL
  # shellcheck disable=SC2016 # the root's shell
  tools/roots.sh "$2" --copy "$2-smoke$1" --bind "$PWD/dist:/wheels" \
    --bind "$PWD/tools/wheels:/tried" -- bash -euc '
    export DEBIAN_FRONTEND=noninteractive
    if [ ! -x /usr/bin/python$1 ]; then
      apt-get -qq update
      apt-get -qq install -y --no-install-recommends "python$1" "python$1-venv" >/dev/null
    fi
    for compiler in cc gcc g++ clang; do
      ! command -v $compiler || { echo "a compiler is here: $compiler" >&2; exit 1; }
    done
    rm -rf ~/venv
    python$1 -m venv ~/venv
    ~/venv/bin/pip install -q --disable-pip-version-check --only-binary :all: "/wheels/$2" flask django
    ~/venv/bin/python /tried/smoke.py
  ' - "$1" "${3##*/}"
}

newest_wheel() { ls -t dist/celadon-*-"cp${1/./}-cp${1/./}"-manylinux*.whl | head -1; }

if [ "${1:-}" = --here ]; then
  version=$2 python=$3 out=$4
  shift 4
  WORDS=("$@")
  tools/place.sh
  make_wheel "$version" "$python" "$out"
  exit
fi

read_versions "$@"
tools/place.sh
mkdir -p dist
for version in "${VERSIONS[@]}"; do
  python=$(find_python "$version") suite=$(suite_of "$version")
  if [ -n "$python" ]; then
    echo "== CPython $version: $python"
    tools/install-system.sh build
    make_wheel "$version" "$python" dist
  elif [ -n "$suite" ] && [ "$(id -u)" -eq 0 ]; then
    echo "== CPython $version: in a root of $suite"
    make_wheel_in_root "$version" "$suite"
  else
    echo "== CPython $version: not on this machine"
    continue
  fi
  if [ -n "$suite" ] && [ "$(id -u)" -eq 0 ]; then
    smoke_in_root "$version" "$suite" "$(newest_wheel "$version")"
  else
    smoke_here "$version" "$python" "$(newest_wheel "$version")"
  fi
done
