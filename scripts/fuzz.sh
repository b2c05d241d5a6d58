#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (default one minute); the smoke version in make test counts inputs instead (20000x):
# with a duration, go test now and then ends a clean run as FAIL "context deadline exceeded" when the deadline falls while a
# worker is being told to stop; with a count there is no deadline. A real finding always writes its input to testdata.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZTIME:-60s}
n=0
while IFS=: read -r file line; do
  name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/' <<<"$line")
  pkg=./$(dirname "$file")
  echo "fuzz $pkg $name $time"
  go test "$pkg" -run '^$' -fuzz "^$name\$" -fuzztime "$time"
  n=$((n + 1))
done < <(git grep -E '^func Fuzz' -- '*_test.go')
echo "fuzz: $n targets"
[ "$n" -ge 7 ]
