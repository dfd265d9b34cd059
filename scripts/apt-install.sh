#!/bin/sh
# apt-install.sh PACKAGE ...   Installs Debian packages without letting them start or enable a service.
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
services=
for service in postgresql rabbitmq-server; do
    [ -e "/etc/init.d/$service" ] || services="$services $service"
done
if [ ! -e "$policy" ]; then
    # Debian's own switch: while this file says 101, packages start no service.
    trap 'rm -f "$policy"' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
# One source of many may be dead, and the packages may come from the others.
updated=$(apt-get -o DPkg::Lock::Timeout=600 update --quiet=2 2>&1) || true
if ! apt-get -o DPkg::Lock::Timeout=600 install --yes --quiet=2 --no-install-recommends "$@"; then
    if echo "$updated" | grep '^[EW]: ' >&2; then
        echo "Next: mend or remove these sources in /etc/apt/sources.list or /etc/apt/sources.list.d, then try again" >&2
    fi
    exit 1
fi
for service in $services; do
    if [ -e "/etc/init.d/$service" ]; then
        if command -v systemctl >/dev/null; then systemctl --quiet disable "$service" || true; else update-rc.d "$service" disable; fi
    fi
done
