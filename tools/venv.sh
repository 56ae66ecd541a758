#!/usr/bin/env bash
# Makes the virtual environment $VENV by $PYTHON: anew where it was not made to its end, was
# moved, or is another Python's. One that somebody else has made is taken as it is, and a
# folder of something else is not touched.
set -euo pipefail
mark=$VENV/.made # is there in ours alone, with these words once it is finished

which_python() {
  "$1" -c 'import sys; print(sys.base_prefix, *sys.version.split())' 2>/dev/null || true
}
python=$(which_python "$PYTHON")
[ -n "$python" ] || { echo "$PYTHON does not run" >&2; exit 1; }
wanted="$PWD $VENV $python"

if [ -e "$mark" ]; then
  if [ "$(cat "$mark")" = "$wanted" ] && [ "$(which_python "$VENV/bin/python")" = "$python" ]; then
    exit
  fi
elif "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
  exit
elif [ -n "$(ls -A "$VENV" 2>/dev/null)" ]; then
  echo "$VENV holds something, but no environment of Python: remove it, or name another folder by VENV=" >&2
  exit 1
fi

mkdir -p "$VENV"
: > "$mark"
find "$VENV/" -mindepth 1 ! -name .made -delete
"$PYTHON" -m venv "$VENV"
echo "$wanted" > "$mark"
