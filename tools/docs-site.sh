#!/usr/bin/env bash
# Builds docs/ as a site into build/site, by an environment of its own: the tests need none of it.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/place.sh
export VENV=.venv-site
PYTHON=$PYTHON tools/venv.sh
if ! cmp -s docs/requirements.txt "$VENV/.site"; then
  "$VENV/bin/python" -m pip install -q --disable-pip-version-check -r docs/requirements.txt
  cp docs/requirements.txt "$VENV/.site"
fi
# Its advertisement of another generator of its authors' is no warning of ours.
# Without what it says by the way (`--quiet`) warnings would count no more.
NO_MKDOCS_2_WARNING=1 "$VENV/bin/python" -m mkdocs build --strict
echo "it is in build/site; its search needs a server: python3 -m http.server -d build/site"
