#!/usr/bin/env bash
# Installs what the tests import into $VENV, which tools/build.sh has made.
set -euo pipefail
cd "$(dirname "$0")/.."
exec 9>build/.lock
flock -n 9 || { echo "another build of this checkout goes on: waiting for it"; flock 9; }

requirements() {
  # It is compiled, which needs the library of the distribution's package.
  if pkg-config --exists libmariadb 2>/dev/null || pkg-config --exists mysqlclient 2>/dev/null; then
    cat tests/requirements.txt
  else
    grep -v '^mysqlclient' tests/requirements.txt
  fi
}

now=$(requirements)
if [ "$now" != "$(cat "$VENV/.tests" 2>/dev/null)" ]; then
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check -r <(requirements)
  echo "$now" > "$VENV/.tests"
fi
