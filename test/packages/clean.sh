#!/usr/bin/env bash
# Installs, uses and removes the packages of bin/packages in a clean root (debootstrap, Debian 12). Needs root and a mirror
# (MIRROR=…, else the machine's own). The root is kept in bin/clean-root for the next time; a copy of it is used.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "clean.sh: root is needed" >&2; exit 69; }
command -v debootstrap >/dev/null || { echo "clean.sh: debootstrap is missing: apt-get install debootstrap" >&2; exit 69; }
compgen -G 'bin/packages/cse_*.deb' >/dev/null || { echo "clean.sh: no packages: make packages" >&2; exit 69; }
base=bin/clean-root
if [ ! -e "$base/.complete" ]; then
  rm -rf "$base"
  begin=$SECONDS
  debootstrap --variant=minbase --include=passwd bookworm "$base" ${MIRROR:+"$MIRROR"} >bin/debootstrap.log 2>&1 || { tail -5 bin/debootstrap.log >&2; exit 1; }
  touch "$base/.complete"
  echo "debootstrap: $((SECONDS - begin)) s"
fi
root=$(mktemp -d)
finish() { umount "$root/proc" "$root/dev" 2>/dev/null || true; rm -rf --one-file-system "$root"; }
trap finish EXIT
cp -a "$base/." "$root/"
rm -f "$root/.complete"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mkdir "$root/packages"
cp bin/packages/*.deb "$root/packages/"
cp test/packages/inside.sh "$root/packages/"
chroot "$root" /bin/sh /packages/inside.sh
