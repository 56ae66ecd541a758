#!/usr/bin/env bash
# Builds a release, installs the peers into a venv of their own, and measures.
# Usage: bench/run.sh [options of bench/load/run.py]
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
cmake --build --preset release --target epoll_server >/dev/null
exec "$venv/bin/python" bench/load/run.py "$@"
