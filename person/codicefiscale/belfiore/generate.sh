#!/bin/sh
# Regenerates ../places.tsv.gz. Needs Node 20 or newer.
set -eu
cd "$(dirname "$0")"
npm ci --ignore-scripts --no-audit --no-fund >/dev/null
TZ=UTC exec node generate.mjs
