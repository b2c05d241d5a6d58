#!/bin/sh
# pcscd.sh COMMAND… runs a command with a PC/SC service of its own: pcscd with
# the virtual reader (vpcd) in a private network and mount namespace.
#
# vpcd listens on all addresses without asking who connects, hence the private
# network; the socket of pcscd has a fixed path, hence the private mounts: the
# machine's own pcscd is not touched and not seen. Only what was started here is
# stopped. Needs root. Exit status: the command's, or 69 when something is missing.
#
#   test/foreign/pcscd.sh go test ./test/foreign/...
set -eu

missing() {
	echo "pcscd.sh: $1 is missing: apt-get install $2" >&2
	exit 69
}

if [ "${CSE_PCSCD_INSIDE:-}" != yes ]; then
	[ "$#" -gt 0 ] || { echo "usage: pcscd.sh COMMAND…" >&2; exit 64; }
	[ "$(id -u)" = 0 ] || { echo "pcscd.sh: root is needed for namespaces" >&2; exit 69; }
	command -v unshare >/dev/null || missing unshare util-linux
	command -v ip >/dev/null || missing ip iproute2
	command -v pcscd >/dev/null || missing pcscd pcscd
	[ -f /etc/reader.conf.d/vpcd ] || missing vpcd vsmartcard-vpcd
	CSE_PCSCD_INSIDE=yes exec unshare --net --mount --propagation private -- "$0" "$@"
fi
unset CSE_PCSCD_INSIDE

ip link set lo up
mkdir -p /run/pcscd
mount -t tmpfs -o mode=0755 tmpfs /run/pcscd
config=$(mktemp -d)
cp /etc/reader.conf.d/vpcd "$config/"
pcscd --foreground --config "$config" >"$config.log" 2>&1 &
service=$!

finish() {
	status=$?
	trap - EXIT INT TERM
	kill "$service" 2>/dev/null || true
	wait "$service" 2>/dev/null || true
	rm -rf "$config" "$config.log"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tries=0
while [ ! -S /run/pcscd/pcscd.comm ]; do
	tries=$((tries + 1))
	if [ "$tries" -gt 100 ] || ! kill -0 "$service" 2>/dev/null; then
		echo "pcscd.sh: pcscd did not start:" >&2
		cat "$config.log" >&2
		exit 69
	fi
	sleep 0.1
done

CSE_FOREIGN=1 "$@"
