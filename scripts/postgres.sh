#!/usr/bin/env bash
# Runs a command with a throw-away PostgreSQL 15 on loopback: CSE_TEST_POSTGRES is its address.
# Usage: scripts/postgres.sh COMMAND…   The server and its folder are gone afterwards.
set -euo pipefail
bin=/usr/lib/postgresql/15/bin
dir=$(mktemp -d)
chmod 755 "$dir"
run() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }
[ "$(id -u)" = 0 ] && install -d -o postgres -g postgres -m 700 "$dir/data" "$dir/sock" || mkdir -p "$dir/data" "$dir/sock"
stop() { run "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true; rm -rf "$dir"; }
trap stop EXIT
cd "$dir"
run "$bin/initdb" -D "$dir/data" -U cse -A trust --no-sync -E UTF8 --locale=C >/dev/null
port=
for try in 1 2 3 4 5; do
  port=$((20000 + RANDOM % 20000))
  if run "$bin/pg_ctl" -D "$dir/data" -w -t 30 -l "$dir/data/log" \
    -o "-h 127.0.0.1 -p $port -k $dir/sock -c fsync=off -c max_connections=200" start >/dev/null; then break; fi
  port=
done
[ -n "$port" ] || { cat "$dir/data/log" >&2; exit 1; }
export CSE_TEST_POSTGRES="postgres://cse@127.0.0.1:$port/postgres?sslmode=disable"
cd "$OLDPWD"
"$@"
