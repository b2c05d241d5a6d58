#!/usr/bin/env bash
# Packages and archives into bin/packages, with SHA256SUMS and a CycloneDX SBOM for each program. The same commit gives the same
# bytes (SOURCE_DATE_EPOCH is the commit's time) with the same Go and C compilers.
#
#   scripts/packages.sh          everything: .deb and .rpm for this machine, archives for Windows, macOS and Linux on arm64
#   scripts/packages.sh native   .deb and .rpm only
#
# What is built here and not run: the macOS and Windows programs, the arm64 one, the .rpm's scripts (README in the folder says so).
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-all}
umask 022
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
release=$(sed -nE 's/^softwareVersion: "(.*)"/\1/p' publiccode.yml)
VERSION=${VERSION:-$(git describe --tags --exact-match --match 'v*' 2>/dev/null | sed 's/^v//' || true)}
export VERSION=${VERSION:-$release~git$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d).$(git rev-parse --short=8 HEAD)}
ARCH=$(go env GOARCH)
export ARCH
tool() { go tool -modfile="$PWD/tools/packages/go.mod" "$@"; }
flags=(-trimpath "-ldflags=-s -w -buildid= -X main.release=$VERSION")
out=bin/packages stage=bin/stage
rm -rf "$out" "$stage"
mkdir -p "$out" "$stage"

# put SRC DST [MODE]: one file of a package.
put() { install -D -m "${3:-644}" "$1" "$2"; }
# squeeze FILE: as gzip -9 -n, for documents that Debian wants compressed.
squeeze() { gzip -9 -n -f "$1"; }
bom() { tool cyclonedx-gomod bin -json -noserial -notimestamp -version "$VERSION" -output "$out/$2.cdx.json" "$1" 2>/dev/null; }

holder() {
  local s=$stage/cse
  CGO_ENABLED=0 go build "${flags[@]}" -o "$s/usr/bin/cse" ./cmd/cse
  if command -v "$(go env CC)" >/dev/null; then
    CGO_ENABLED=1 go build "${flags[@]}" -buildmode=c-shared -o "$s/usr/lib/pkcs11/libcse-pkcs11.so" ./cmd/cse-pkcs11
    rm -f "$s/usr/lib/pkcs11/libcse-pkcs11.h"
    chmod 644 "$s/usr/lib/pkcs11/libcse-pkcs11.so"
    put packaging/cse/cse-pkcs11.module "$s/usr/share/p11-kit/modules/cse-pkcs11.module"
    bom "$s/usr/lib/pkcs11/libcse-pkcs11.so" libcse-pkcs11
  else
    echo "no C compiler ($(go env CC)): the package has no PKCS#11 module" >&2
  fi
  put packaging/cse/cse.desktop "$s/usr/share/applications/cse.desktop"
  mkdir -p "$s/usr/share/bash-completion/completions" "$s/usr/share/zsh/vendor-completions" "$s/usr/share/fish/vendor_completions.d"
  "$s/usr/bin/cse" completion bash >"$s/usr/share/bash-completion/completions/cse"
  "$s/usr/bin/cse" completion zsh >"$s/usr/share/zsh/vendor-completions/_cse"
  "$s/usr/bin/cse" completion fish >"$s/usr/share/fish/vendor_completions.d/cse.fish"
  "$s/usr/bin/cse" --lang en man "$s/usr/share/man/man1"
  "$s/usr/bin/cse" --lang it man "$s/usr/share/man/it/man1"
  find "$s/usr/share/man" -name '*.1' | while read -r page; do squeeze "$page"; done
  put docs/module.md "$s/usr/share/doc/cse/module.md"
  put docs/virtual.md "$s/usr/share/doc/cse/virtual.md"
  put docs/signature.md "$s/usr/share/doc/cse/signature.md"
  put NOTICE "$s/usr/share/doc/cse/copyright"
  put LICENSE "$s/usr/share/doc/cse/LICENSE"
  bom "$s/usr/bin/cse" cse
}

platform() {
  local s=$stage/csed
  CGO_ENABLED=0 go build "${flags[@]}" -o "$s/usr/bin/csed" ./cmd/csed
  put packaging/csed/csed.service "$s/usr/lib/systemd/system/csed.service"
  put packaging/csed/csed.sysusers "$s/usr/lib/sysusers.d/csed.conf"
  put packaging/csed/csed.tmpfiles "$s/usr/lib/tmpfiles.d/csed.conf"
  put packaging/csed/csed.example.yaml "$s/usr/share/doc/csed/csed.example.yaml"
  put docs/configuration.md "$s/usr/share/doc/csed/configuration.md"
  put NOTICE "$s/usr/share/doc/csed/copyright"
  put LICENSE "$s/usr/share/doc/csed/LICENSE"
  bom "$s/usr/bin/csed" csed
}

# archive GOOS GOARCH: the holder's tool without cgo.
archive() {
  local name="cse_${VERSION}_$1_$2" s="$stage/$1-$2" exe=cse
  [ "$1" = windows ] && exe=cse.exe
  CGO_ENABLED=0 GOOS=$1 GOARCH=$2 go build "${flags[@]}" -o "$s/$exe" ./cmd/cse
  put LICENSE "$s/LICENSE"
  put NOTICE "$s/NOTICE"
  put packaging/cse/README.txt "$s/README.txt"
  if [ "$1" = windows ]; then
    if command -v x86_64-w64-mingw32-gcc >/dev/null; then
      CGO_ENABLED=1 GOOS=windows GOARCH=amd64 CC=x86_64-w64-mingw32-gcc \
        go build "${flags[@]}" -buildmode=c-shared -o "$s/cse-pkcs11.dll" ./cmd/cse-pkcs11
      rm -f "$s/cse-pkcs11.h"
    else
      echo "no mingw-w64: the Windows archive has no cse-pkcs11.dll (apt-get install gcc-mingw-w64-x86-64)" >&2
    fi
    pack "$PWD/$out/$name.zip" "$name" "$s"
  else
    pack "$PWD/$out/$name.tar.gz" "$name" "$s"
  fi
}
pack() { (cd tools/packages && CGO_ENABLED=0 go run ./archive "$1" "$2" "$OLDPWD/$3"); }

holder
platform
find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
for p in cse csed; do
  for kind in deb rpm; do
    tool nfpm package --config "packaging/$p/nfpm.yaml" --packager "$kind" --target "$out/" >/dev/null
  done
done
if [ "$what" = all ]; then
  archive linux arm64
  archive darwin arm64
  archive darwin amd64
  archive windows amd64
fi
(cd "$out" && sha256sum -- * >SHA256SUMS)
[ -z "${SIGNER:-}" ] || (cd "$out" && gpg --batch --yes --local-user "$SIGNER" --armor --detach-sign SHA256SUMS)
cat "$out/SHA256SUMS"
