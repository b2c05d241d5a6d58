#!/usr/bin/env bash
# The journey of a card through the real programs (make build comes first): two
# demonstrations, foreign software, Chromium with the card, axe on the live
# pages, in one private network with one pcscd (test/journey); then axe on every
# state of every page, those included that no visitor can bring about.
# Arguments go to go test: scripts/journey.sh -v -run TestJourney/once
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
for program in bin/cse bin/csed; do
  [ -x "$program" ] || { echo "journey.sh: $program is missing: make build" >&2; exit 1; }
done
[ -d test/pages/node_modules ] || (cd test/pages && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
CSE_JOURNEY=1 test/foreign/pcscd.sh go test -count=1 -timeout 10m "$@" ./test/journey/...
[ "$#" -gt 0 ] || node test/pages/run.mjs
echo "pictures of the six journeys: $PWD/bin/shots"
