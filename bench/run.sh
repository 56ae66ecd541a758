#!/usr/bin/env bash
# Builds a release, installs the peers into a venv of their own, and measures.
# Usage: bench/run.sh [options of bench/load/run.py]
# Without options everything is measured: load, memory, start, and single crossings.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv-bench
[ -x "$venv/bin/python" ] || "$PYTHON" -m venv "$venv"
pip=("$venv/bin/pip" install -q --disable-pip-version-check)
"${pip[@]}" "scikit-build-core>=0.10" "greenlet>=3.1"
"${pip[@]}" --no-build-isolation --no-deps --force-reinstall .
while read -r peer; do
  [ -n "$peer" ] || continue
  "${pip[@]}" "$peer" >/dev/null 2>&1 || echo "cannot be installed here: $peer" >&2
done < bench/requirements.txt
cmake --preset release -DCELADON_TESTS=OFF >/dev/null
cmake --build --preset release >/dev/null
"$venv/bin/python" bench/load/run.py "$@"
[ $# -eq 0 ] || exit 0
"$venv/bin/python" bench/load/figures.py
"$venv/bin/python" bench/load/databases.py
"$venv/bin/python" bench/load/studio.py
"$venv/bin/python" bench/load/hog.py
"$venv/bin/python" bench/load/both.py
"$venv/bin/python" bench/load/supervise.py
"$venv/bin/python" bench/load/memory.py
"$venv/bin/python" bench/load/observe.py
"$venv/bin/python" bench/load/tuning.py
for script in bench/boundary/*.py; do
  echo
  "$venv/bin/python" "$script"
done
for program in build/release/bench/*_bench; do
  echo
  "$program" --benchmark_min_time=0.2
done
