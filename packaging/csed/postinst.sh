#!/bin/sh
# After installation: the user that the platform runs as, and its folder.
set -e
if ! getent passwd csed >/dev/null; then
	if command -v systemd-sysusers >/dev/null; then
		systemd-sysusers csed.conf
	else
		useradd --system --user-group --home-dir /var/lib/csed --no-create-home --shell /usr/sbin/nologin --comment "CSE platform" csed
	fi
fi
install -d -m 0700 -o csed -g csed /var/lib/csed
chown root:csed /etc/csed
chmod 0750 /etc/csed
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
