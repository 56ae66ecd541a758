#!/usr/bin/env bash
# Makes the virtual environment $VENV by $PYTHON, with what builds celadon in it.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/place.sh
exec 9>build/.lock
flock -n 9 || { echo "another build of this checkout goes on: waiting for it"; flock 9; }

PYTHON=$PYTHON VENV=$VENV tools/venv.sh

builders=("scikit-build-core>=0.10" "greenlet>=3.1")
if [ "${builders[*]}" != "$(cat "$VENV/.builders" 2>/dev/null)" ]; then
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check "${builders[@]}"
  echo "${builders[*]}" > "$VENV/.builders"
fi
