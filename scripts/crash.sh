#!/usr/bin/env bash
# kill -9 of the real csed, KILLS times in all, shared out over production (issue), activation, the authority (publish, hold, revoke)
# and extension, at random instants; after each: csed fsck, start again, ask. SEED=… repeats an earlier run's choices.
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${KILLS:-200}
export CSE_CRASH_KILLS=$(((kills + 3) / 4)) CSE_CRASH_SEED=${SEED:-}
exec go test -count=1 -timeout 120m -v ./test/crash
