"""Which services a start consists of."""

import os

from workshop import settings
from workshop.stack import containers, lab, postgis, rabbitmq, workers
from workshop.stack.neighbours import NEIGHBOURS
from workshop.stack.service import Service

NAMES = ("postgis", "rabbitmq", "worker", "flower", "lab")
"""The five parts of the course, as in docker-compose.yml."""

MOST_JOINED = 8
"""Processes of a joined machine's worker, unless someone asks for more: each takes a session there."""

_FIXED = {
    service.name: service
    for service in (postgis.SERVICE, rabbitmq.SERVICE, rabbitmq.EPMD, workers.FLOWER, lab.SERVICE)
}


def services(names: tuple[str, ...], periodic: bool) -> dict[str, Service]:
    """Return what to run, as the settings say now; while they say ``paused``, no workers.

    Parameters
    ----------
    names : tuple of str
        The parts that were asked for, out of `NAMES`.
    periodic : bool
        Whether to run the periodic tasks too.
    """
    wanted = [name for name in names if name in _FIXED]
    if containers.inside():
        wanted = [*NEIGHBOURS, *(name for name in wanted if name not in NEIGHBOURS)]
    elif "rabbitmq" in names:
        wanted.append("epmd")
    if "worker" in names and not settings.get("paused"):
        wanted += [f"worker{number}" for number in range(1, (settings.get("workers") or 1) + 1)]
    if periodic and not settings.joined():  # a central has no queue for them
        wanted.append("periodic")
    return {name: service(name) for name in wanted}


def service(name: str, machine: str | None = None) -> Service:
    """Return a service by its name, such as ``postgis`` or ``worker2``; of another container where named."""
    if containers.inside() and name in NEIGHBOURS:
        return NEIGHBOURS[name]
    name = name.partition("@")[0]
    if name == "periodic":
        return workers.periodic()
    if name.startswith("worker"):
        number = int(name.removeprefix("worker"))
        cores = os.cpu_count() or 1
        default = min(cores, MOST_JOINED) if settings.joined() else cores
        return workers.worker(number, settings.get("processes") or default, machine)
    return _FIXED[name]
