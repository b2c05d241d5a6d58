#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (default one minute), three at once with one worker each: most of a short run is
# compiling, starting and waiting for the worker, which one target cannot share out. The smoke version in make test counts inputs instead (20000x):
# with a duration, go test now and then ends a clean run as FAIL "context deadline exceeded" when the deadline falls while a
# worker is being told to stop; with a count there is no deadline. A real finding always writes its input to testdata.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = one ]; then # one PACKAGE TARGET
  out=$(go test "$2" -run '^$' -fuzz "^$3\$" -fuzztime "${FUZZTIME:-60s}" -parallel 1 2>&1) || { echo "fuzz $2 $3 FAILED"; echo "$out"; exit 1; } >&2
  echo "fuzz $2 $3 $(tail -1 <<<"$out")"
  exit 0
fi
list=$(git grep -E '^func Fuzz' -- '*_test.go' | sed -E 's#^(.*)/[^/:]*:func (Fuzz[A-Za-z0-9_]+)\(.*#./\1 \2#')
n=$(wc -l <<<"$list")
# xargs goes on after a failure of 1 and answers 123: all findings of a run are seen.
xargs -P 3 -L 1 "$0" one <<<"$list"
echo "fuzz: $n targets"
[ "$n" -ge 7 ]
