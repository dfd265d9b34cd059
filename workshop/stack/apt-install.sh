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
apt-get -o DPkg::Lock::Timeout=600 update --quiet=2
apt-get -o DPkg::Lock::Timeout=600 install --yes --quiet=2 --no-install-recommends "$@"
for service in $services; do
    if [ -e "/etc/init.d/$service" ]; then
        if command -v systemctl >/dev/null; then systemctl --quiet disable "$service" || true; else update-rc.d "$service" disable; fi
    fi
done
