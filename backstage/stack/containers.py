"""Whether this is a container of ``docker-compose.yml``, and where its neighbours are.

Each container runs its own program, see `backstage.stack.compose`.

``python -m backstage.stack.containers`` is the health check of a worker's container. As it runs every few
seconds, it imports little.
"""

import os
import socket
import sys

HOSTS = {
    "postgis": "postgis",
    "rabbitmq": "rabbitmq",
    "management": "rabbitmq",
    "flower": "flower",
    "lab": "lab",
}
"""On which of the containers each port is."""

_PUBLISHED = "WORKSHOP_PUBLISHED"


def inside() -> bool:
    """Return whether this is one of the course's containers."""
    return bool(os.environ.get(_PUBLISHED))


def hosts() -> dict[str, str]:
    """Return on which of the containers each port is; empty elsewhere."""
    return HOSTS if inside() else {}


def host_of(name: str, address: str) -> str:
    """Return where a service of an address is reached: for one of this very machine, in its container."""
    return hosts().get(name, address) if address == "127.0.0.1" else address


def listen(host: str) -> str:
    """Return the address at which a program of this host listens.

    In a container it is all of its addresses; what is published of it is on 127.0.0.1 of the computer.
    """
    return "0.0.0.0" if inside() else host


def published_ports() -> dict[str, int]:
    """Return as which port of the computer each port is published: ``WORKSHOP_PUBLISHED``, ``lab=8888 ...``.

    Empty elsewhere than in containers.
    """
    pairs = (pair.split("=") for pair in os.environ.get(_PUBLISHED, "").split())
    return {name: int(port) for name, port in pairs}


def main() -> int:
    """Return 0 if a worker of this container lives."""
    from workshop import settings
    from workshop.delivery.asking import living

    here = (f"@{socket.gethostname()}", f"-{socket.gethostname()}")  # the latter at a central
    return 0 if any(name.endswith(here) for name in living(settings.database_url())) else 1


if __name__ == "__main__":
    sys.exit(main())
