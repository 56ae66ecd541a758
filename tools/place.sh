#!/usr/bin/env bash
# Makes build/ a place to build in.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -w . ]; then
  echo "$PWD cannot be written to; name a folder that can: make ... BUILD=/some/folder" >&2
  exit 1
fi
mkdir -p build
is_of_here() { [ "$(cat build/.place 2>/dev/null)" = "$PWD" ]; }

# Where a checkout was moved, all is made anew: CMake and scripts know their whole paths.
if ! is_of_here; then
  exec 9>build/.lock
  flock 9
  if ! is_of_here; then
    find build -mindepth 1 -maxdepth 1 ! -name '.lock*' -exec rm -rf {} +
    echo "$PWD" > build/.place
  fi
fi
