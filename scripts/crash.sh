#!/usr/bin/env bash
# kill -9 of the real csed, KILLS times in production and KILLS times in activation, at random instants; after each:
# start again, csed fsck. SEED=… repeats an earlier run's choices.
set -euo pipefail
cd "$(dirname "$0")/.."
export CSE_CRASH_KILLS=${KILLS:-50} CSE_CRASH_SEED=${SEED:-}
exec go test -count=1 -timeout 60m -v ./test/crash
