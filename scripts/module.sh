#!/usr/bin/env bash
# Builds the PKCS#11 module bin/libcse-pkcs11.so (or the file named as argument); says so where no C compiler is found.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-bin/libcse-pkcs11.so}
cc=$(go env CC)
if ! command -v "${cc%% *}" >/dev/null; then
  echo "no C compiler ($cc): the PKCS#11 module is not built (apt-get install gcc libc6-dev)" >&2
  exit 0
fi
CGO_ENABLED=1 go build -trimpath -buildmode=c-shared -o "$out" ./cmd/cse-pkcs11
rm -f "${out%.*}.h" # the header is for callers from C, of which there are none
