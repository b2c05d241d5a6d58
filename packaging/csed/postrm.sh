#!/bin/sh
# After removal. Only a purge (deb) takes data, configuration and user away; and even a purge leaves an authority's keys
# where they are: nobody gets them back. rpm knows no purge.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
[ "${1:-}" = purge ] || exit 0
if [ -e /var/lib/csed/ca ]; then
	echo "csed: /var/lib/csed holds an authority (ca/): left as it is. To destroy it: rm -r /var/lib/csed /etc/csed; userdel csed" >&2
	exit 0
fi
rm -rf /var/lib/csed /etc/csed
if getent passwd csed >/dev/null; then
	userdel csed
fi
if getent group csed >/dev/null; then
	groupdel csed
fi
