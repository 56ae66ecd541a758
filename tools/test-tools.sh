#!/usr/bin/env bash
# Installs what the tests import into $VENV, which tools/environment.sh has made. The
# extension may be built into it meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
exec 9>build/.lock-tools
flock -n 9 || { echo "another installation into this checkout goes on: waiting for it"; flock 9; }

# Those that are compiled, each with what tells that the distribution's library is there.
requirements() {
  local left_out=()
  pkg-config --exists libmariadb 2>/dev/null || pkg-config --exists mysqlclient 2>/dev/null \
    || left_out+=(-e '^mysqlclient')
  pkg-config --exists ldap libsasl2 2>/dev/null || left_out+=(-e '^python-ldap')
  pkg-config --exists libmemcached 2>/dev/null || left_out+=(-e '^pylibmc')
  grep -v -e '^$' "${left_out[@]}" tests/requirements.txt
}

pip=("$VENV/bin/python" -m pip install -q --disable-pip-version-check --no-compile)

# For a Python that not all of them are to be had for, which INCOMPLETE=1 says.
install_each() {
  local each
  while IFS= read -r each; do
    timeout 600 "${pip[@]}" --prefer-binary -r <(echo "$each") >/dev/null 2>&1 \
      || echo "not to be had for this Python: $each"
  done
}

now=$(requirements)
if [ "$now" != "$(cat "$VENV/.tests" 2>/dev/null)" ]; then
  # The suite has its bytecode elsewhere.
  if [ -z "${INCOMPLETE:-}" ]; then
    "${pip[@]}" -r <(requirements)
  else
    requirements | install_each
  fi
  echo "$now" > "$VENV/.tests"
fi
