"""Which ports the programs of a stack listen on: free ones, of this machine."""

import os
import socket

from backstage.stack.central_config import HOST, open_to_others, opened

USUAL_PORTS = {
    "postgis": 5432,
    "rabbitmq": 5672,
    "management": 15672,
    "flower": 5555,
    "lab": 8888,
}
"""The ports that these programs have by custom. Taken ones are replaced by free ones."""

_UNUSUAL, _STARTS, _APART, _BEYOND = 26000, 600, 11, 32768


def free_ports() -> dict[str, int]:
    """Return a port for each program: the usual one, that of an open central's cards, or the next free one.

    All ports are below those that systems give to outgoing connections. With ``WORKSHOP_PORTS=any`` in the
    environment no usual port is taken; each stack begins elsewhere, so that those which start at the same
    time don't choose the same.
    """
    central = opened()
    before = central.ports if central else {}
    unusual = _UNUSUAL + os.getpid() % _STARTS * _APART if os.environ.get("WORKSHOP_PORTS") == "any" else None
    ports: dict[str, int] = {}
    for name, usual in USUAL_PORTS.items():
        candidates = range(before.get(name) or unusual or usual, _BEYOND)
        free = (port for port in candidates if all(is_free(port, address) for address in addresses()))
        ports[name] = next(port for port in free if port not in ports.values())
    return ports


def is_free(port: int, address: str = HOST) -> bool:
    """Return whether no program listens on a port of an address, which this machine has."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError:
            return False
    return True


def addresses() -> tuple[str, ...]:
    """Return the addresses at which RabbitMQ and PostGIS listen, or are to listen from their next start.

    A further one is that of an open central, unless this machine has it no more, as a laptop at home.
    """
    further = open_to_others()
    return (HOST, further) if further and is_free(0, further) else (HOST,)
