#!/bin/sh
# A purge removes the positions, where the examples put them. What else Fluent Bit
# keeps in that folder stays.
set -e
state="${DPKG_ROOT:-}/var/lib/fluent-bit"
if [ "$1" = purge ]; then
	rm -f "$state/mimecast.db" "$state/mimecast.db.v1"
	rmdir "$state" 2>/dev/null || true
fi
if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
	systemctl --system daemon-reload || true
fi
