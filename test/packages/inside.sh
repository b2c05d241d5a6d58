#!/bin/sh
# Runs in the clean root: installs, uses and removes the packages in /packages. Prints what it does; the first thing that is not
# as it should be ends it.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
fail() { echo "FAILED: $*" >&2; exit 1; }
step() { echo "-- $*"; }
# picture lists what there is, save what every dpkg run writes.
picture() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /packages -o -path /tmp -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \) -prune \
		-o -print | grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|^/etc/.pwd.lock$|^/etc/ld.so.cache$' | sort
	cat /etc/passwd /etc/group
}
picture >/tmp/before

step install
dpkg -i /packages/cse_*.deb /packages/csed_*.deb >/tmp/install.log 2>&1 || { cat /tmp/install.log; fail "dpkg -i"; }
dpkg --audit | grep -q . && fail "dpkg --audit: $(dpkg --audit)"
for p in cse csed; do dpkg --verify "$p" | grep -q . && fail "dpkg --verify $p"; done

step "use: the holder's tool"
cse version | grep -q "^cse [0-9]" || fail "version: $(cse version)"
cse --lang en virtual create --seed clean --profile pin-blocked /tmp/cards >/dev/null
cse --card /tmp/cards/pin-blocked/chip.cse --json info | grep -q '"matches_personal_data":true' || fail info
{ sed -n 's/^PUK: //p' /tmp/cards/pin-blocked/codes.txt; sed -n 's/^PIN: //p' /tmp/cards/pin-blocked/codes.txt; } |
	cse --card /tmp/cards/pin-blocked/chip.cse pin unblock --pin-fd 0 || fail "pin unblock"
cse module status --json | grep -q '"module":"/usr/lib/pkcs11/libcse-pkcs11.so"' || fail "the program does not find its module"
cse module install --system
grep -q libcse-pkcs11.so /etc/pkcs11/modules/cse-pkcs11.module || fail "module install"
cse module remove --system
for f in /usr/share/man/man1/cse-pin-unblock.1.gz /usr/share/man/it/man1/cse-pin-unblock.1.gz /usr/share/bash-completion/completions/cse \
	/usr/share/zsh/vendor-completions/_cse /usr/share/fish/vendor_completions.d/cse.fish /usr/share/p11-kit/modules/cse-pkcs11.module \
	/usr/share/applications/cse.desktop; do
	[ -s "$f" ] || fail "$f is missing"
done
zcat /usr/share/man/it/man1/cse-pin-unblock.1.gz | grep -q 'Imposta un nuovo PIN con il PUK' || fail "the Italian manual page is not Italian"
bash -n /usr/share/bash-completion/completions/cse

step "use: the platform"
getent passwd csed >/dev/null || fail "no user csed"
[ "$(stat -c %U:%a /var/lib/csed)" = csed:700 ] || fail "/var/lib/csed: $(stat -c %U:%a /var/lib/csed)"
sed 's/^downloads:.*//' /usr/share/doc/csed/csed.example.yaml >/etc/csed/csed.yaml
chgrp csed /etc/csed/csed.yaml
as() { setpriv --reuid csed --regid csed --clear-groups env HOME=/var/lib/csed sh -c 'cd /var/lib/csed && exec "$@"' sh "$@"; }
as csed version
as csed check-config --config /etc/csed/csed.yaml || fail "the example is refused"

step remove
dpkg -r cse csed >/tmp/remove.log 2>&1 || { cat /tmp/remove.log; fail "dpkg -r"; }
if [ -e /usr/bin/cse ] || [ -e /usr/bin/csed ]; then fail "a program is still there"; fi
[ -e /etc/csed/csed.yaml ] || fail "a removal took the configuration"

step "purge with an authority: nobody's keys are thrown away"
dpkg -i /packages/csed_*.deb >/dev/null 2>&1
mkdir /var/lib/csed/ca
dpkg -P csed >/tmp/purge.log 2>&1 || fail "dpkg -P"
[ -d /var/lib/csed/ca ] || fail "a purge took the authority"
grep -q 'holds an authority' /tmp/purge.log || fail "a purge that leaves data does not say so"
rmdir /var/lib/csed/ca

step purge
dpkg -i /packages/csed_*.deb >/dev/null 2>&1
dpkg -P cse csed >/tmp/purge.log 2>&1 || { cat /tmp/purge.log; fail "dpkg -P"; }
picture >/tmp/after
diff /tmp/before /tmp/after || fail "left behind (or taken away), see above"
echo "the clean root is clean again"
