#!/usr/bin/env bash
# Brings OpenSSL's own test data for OCSP (test/ocsp-tests and the recipe that says what each file is for) into the folder named,
# from Debian's source package, and nothing else of it. Nothing of it is committed.
set -euo pipefail
into=$(mkdir -p "$1" && cd "$1" && pwd)
[ -d "$into/ocsp-tests" ] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts"
# The sources of this machine, as they are, for source packages.
for f in /etc/apt/sources.list.d/debian.sources; do sed 's/^Types: .*/Types: deb-src/' "$f" >"$work/parts/src.sources"; done
apt=(-qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/parts" -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
apt-get "${apt[@]}" update
(cd "$work" && apt-get "${apt[@]}" source --download-only --tar-only openssl)
tar xzf "$work"/openssl_*.orig.tar.gz -C "$work" --wildcards '*/test/ocsp-tests/*' '*/test/recipes/80-test_ocsp.t'
cp "$work"/openssl-*/test/recipes/80-test_ocsp.t "$into/"
cp -r "$work"/openssl-*/test/ocsp-tests "$into/"
