#!/usr/bin/env bash
# Runs every fuzz target for the given seconds, from seeds made of the table of request
# bytes. What it finds on the way is kept in build/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}

python3 tools/make_corpus.py build/fuzz/corpus
for target in head chunked forwarded proxy websocket extensions h2; do
  # One that this machine lacks a library for is left out.
  [ "$target" != h2 ] || [ -x build/fuzz/tests/fuzz/h2_fuzz ] || continue
  echo "fuzzing $target for $seconds s"
  log=build/fuzz/$target.log
  status=0
  build/fuzz/tests/fuzz/${target}_fuzz -max_total_time="$seconds" -max_len=20000 \
    -print_final_stats=1 -verbosity=0 -artifact_prefix=build/fuzz/ \
    build/fuzz/corpus/$target >"$log" 2>&1 || status=$?
  grep -E "ERROR|SUMMARY|executed_units|Test unit" "$log" || true
  [ "$status" -eq 0 ]
done
