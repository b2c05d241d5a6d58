#!/usr/bin/env bash
# gofumpt, go vet, staticcheck, and a few greps of the house.
set -euo pipefail
cd "$(dirname "$0")/.."
tool() { go tool -modfile=tools/go.mod "$@"; }
mapfile -t files < <(git ls-files '*.go' | grep -v /internal/.*db/)
bad=$(tool gofumpt -l "${files[@]}")
if [ -n "$bad" ]; then
  echo "gofumpt would change:" "$bad" >&2
  exit 1
fi
go vet ./...
tool staticcheck ./...
if git grep -nE 'registry\.npmjs|proxy\.golang\.org|deb\.debian\.org' -- ':!scripts/lint.sh' >&2; then
  echo "a package registry's host is named above" >&2
  exit 1
fi
echo "lint: clean"
