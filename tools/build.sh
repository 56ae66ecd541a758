#!/usr/bin/env bash
# Makes or refreshes the virtual environment $VENV with celadon in it, built from here.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
stamp="$VENV/.requirements"
if [ ! -f "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
  "$VENV/bin/pip" install -q --disable-pip-version-check \
    "scikit-build-core>=0.10" "greenlet>=3.1"
  touch "$stamp"
fi
"$VENV/bin/pip" install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
"$VENV/bin/celadon" --version
