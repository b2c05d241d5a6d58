#!/usr/bin/env bash
# Measures side by side with peers and prints a table (docs/bench.md). Root, Debian, what scripts/deps.sh installs.
#   scripts/bench.sh               everything, some minutes; writes bin/bench.json
#   BENCH=smoke scripts/bench.sh   every row, short: proves that it can be measured; writes bin/bench.smoke.json
#   scripts/bench.sh ROW…          these rows only; writes nothing
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
mode=${BENCH:-full}
mkdir -p bin
out=bin/bench.json
[ "$mode" = full ] || out=bin/bench.$mode.json
rows=$(IFS='|'; echo "$*")
# Beside the checkout, not in /tmp: a file system in memory would make fsync free.
dir=$(mktemp -d "$PWD/bin/bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
go build -trimpath -o "$dir/" ./cmd/cse ./cmd/csed
# The peer is built once and kept; the short run does not build it, and the row says so when it is not there.
cfssl=$PWD/bin/peers/cfssl
if [ ! -x "$cfssl" ] && [ "$mode" = full ]; then
  GOBIN=$PWD/bin/peers go install github.com/cloudflare/cfssl/cmd/cfssl@v1.6.5 || echo "bench: cfssl v1.6.5 cannot be built here" >&2
fi
[ -x "$cfssl" ] && export CSE_BENCH_CFSSL=$cfssl
scripts/module.sh "$dir/libcse-pkcs11.so"
go test -c -o "$dir/bench.test" ./test/bench
CSE_BENCH=$mode CSE_BENCH_OUT=$PWD/$out CSE_BENCH_CSE=$dir/cse CSE_BENCH_CSED=$dir/csed CSE_BENCH_MODULE=$dir/libcse-pkcs11.so TMPDIR=$dir \
  test/foreign/pcscd.sh "$dir/bench.test" -test.timeout 60m -test.run "^TestRows\$${rows:+/^($rows)\$}"
