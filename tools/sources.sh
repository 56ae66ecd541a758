#!/usr/bin/env bash
# Prints the files of this repository, or those that match one of the patterns: by git, or
# where there is none (an archive that was unpacked) by looking.
# That there are none is an error: who asks would look at nothing, and find it good.
# Usage: tools/sources.sh ['src/*.cc' ...]
set -euo pipefail
cd "$(dirname "$0")/.."

all() {
  if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; then
    git -c core.quotePath=false ls-files -co --exclude-standard --deduplicate
  else
    # What .gitignore names.
    find . \( -path ./build -o -path './.venv*' -o -path ./dist -o -path ./bench/out \
      -o -path ./examples/studio/instance -o -path './.*_cache' -o -path ./.hypothesis \
      -o -path ./.cache -o -path ./.git -o -name __pycache__ -o -name '*.egg-info' \
      -o -name '*.so' \) -prune -o -type f -printf '%P\n'
  fi
}

[ $# -gt 0 ] || set -- '*'
found=$(all | LC_ALL=C sort)
some=
while IFS= read -r file; do
  [ -e "$file" ] || continue  # deleted, and git was not told yet
  for pattern in "$@"; do
    # shellcheck disable=SC2053 # a pattern
    if [[ $file == $pattern ]]; then
      printf '%s\n' "$file"
      some=1
      break
    fi
  done
done <<< "$found"
[ -n "$some" ] || { echo "$0: no file is like $*" >&2; exit 1; }
