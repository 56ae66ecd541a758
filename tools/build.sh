#!/usr/bin/env bash
# Makes or refreshes the virtual environment $VENV with celadon in it, built from here.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=$PYTHON VENV=$VENV tools/environment.sh
# Two builds of one checkout would write to the same files.
exec 9>build/.lock
flock -n 9 || { echo "another build of this checkout goes on: waiting for it"; flock 9; }

# What is installed: modules of Python are read where they are, the rest is built.
fingerprint() {
  echo "$PWD $VENV"
  "$VENV/bin/python" -VV
  env | grep -E '^(SKBUILD|CMAKE|CXX)' | sort || true
  find python -name __pycache__ -prune -o -type f -print | sort
  find src CMakeLists.txt pyproject.toml -type f -printf '%p %s %C@\n' | sort
}
now=$(fingerprint)
if [ "$now" != "$(cat "$VENV/.installed" 2>/dev/null)" ]; then
  rm -f "$VENV/.installed"
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check \
    --no-build-isolation --no-deps -e .
  "$PYTHON" -B tools/plain_pth.py "$VENV"
  echo "$now" > "$VENV/.installed"
fi
"$VENV/bin/celadon" --version
