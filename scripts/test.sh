#!/usr/bin/env bash
# Everything, on a fresh Debian 12 machine with Go, Node and root. Prints the seconds of each stage.
# One PostgreSQL, one pcscd namespace, one Chromium per run; all on loopback, all stopped at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
declare -a seconds=()
stage() {
  local name=$1 begin=$SECONDS
  shift
  echo "== $name"
  "$@" || { echo "== $name FAILED" >&2; exit 1; }
  seconds+=("$(printf '%5d s  %s' $((SECONDS - begin)) "$name")")
}
npm_pages() { (cd test/pages && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error); }
# Everything foreign (OpenSC, OpenSSL, GnuTLS, poppler, PostgreSQL) is on: a missing program fails.
# Three packages at once: much of their time is waiting, for readers, for fsync, for each other.
units() { CSE_FOREIGN=1 test/foreign/pcscd.sh scripts/postgres.sh go test -p 3 ./...; }
# Keys in a token need cgo, as the race detector does: they share what was built for it. SoftHSM2 is the token.
race() {
  CGO_ENABLED=1 go test -race ./card/cryptoki ./engine/queue ./engine/audit ./engine/listen/... ./engine/mail ./login/... ./demo/inbox &&
    CSE_FOREIGN=1 CGO_ENABLED=1 go test -race ./pki/keys/hsm &&
    CSE_FOREIGN=1 CGO_ENABLED=1 go test -race -run Token ./pki/ceremony
}

# OpenSSL's data come from Debian's source package: where this machine's package sources do not give it, the last lines say so.
notrun=()
ocsp_vectors() {
  if ! scripts/openssl-vectors.sh bin/ocsp-vectors; then
    notrun+=("OpenSSL's OCSP data: the source package cannot be had here (make ocsp-vectors)")
    return 0
  fi
  make --no-print-directory ocsp-vectors
}

stage 'install what the tests need' scripts/deps.sh
stage 'modules' go mod download
stage 'build' make --no-print-directory build
stage 'lint' scripts/lint.sh
stage 'pages: tools' npm_pages
stage 'go test ./... (foreign software, both databases)' units
stage "OpenSSL's OCSP data" ocsp_vectors
stage 'go test -race, where goroutines start; keys in a token (SoftHSM2)' race
stage 'journey: the demo, browsers, foreign clients, pages' scripts/journey.sh
stage 'fuzz, smoke' env FUZZTIME=20000x scripts/fuzz.sh
stage 'crash, smoke' env KILLS=12 scripts/crash.sh
stage 'bench, smoke' env BENCH=smoke scripts/bench.sh
echo
printf '%s\n' "${seconds[@]}"
printf '%5d s  in all\n' "$SECONDS"
for x in "${notrun[@]}"; do echo "NOT RUN: $x"; done
