#!/bin/sh
# Before removal (deb: "remove", rpm: 0 packages left) the service stops; an upgrade leaves it.
set -e
case "${1:-}" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --now csed.service || true
	fi
	;;
esac
