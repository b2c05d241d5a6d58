#!/bin/sh
# Regenerates the query code. Run from anywhere; takes a lock, since sqlc writes many folders.
set -eu
cd "$(dirname "$0")"
exec flock /tmp/cse-sqlc.lock go tool -modfile=../../tools/go.mod sqlc generate
