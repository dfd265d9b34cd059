"""Which services a start consists of."""

import os
import sys
from typing import Any

from backstage.stack import jupyterlab, postgis, rabbitmq, workers
from backstage.stack.central_config import open_to_others, opened
from backstage.stack.service import Service
from backstage.stack.texts import refusal
from workshop import settings, state_folder

NAMES = ("postgis", "rabbitmq", "worker", "flower", "lab")
"""The five parts of the course, as in docker-compose.yml."""

PERIODIC = "periodic"
"""The periodic tasks, which only run where someone asks for them."""

_MOST = 8
"""However many cores there are: each process takes a session of the database."""

_FIXED = {
    service.name: service
    for service in (postgis.SERVICE, rabbitmq.SERVICE, workers.flower(), jupyterlab.SERVICE)
}


def services(names: tuple[str, ...]) -> dict[str, Service]:
    """Return what to run, as the settings say now.

    Parameters
    ----------
    names : tuple of str
        The parts that the start was asked for, such as `NAMES`; ``parts.json`` has what later ones added.

    Raises
    ------
    WorkshopError
        If there are too many workers for the database.
    """
    names = (*names, *state_folder.read("parts.json").get("added", ()))
    wanted = [name for name in names if name in _FIXED]
    if "worker" in names:
        count = settings.get("workers")
        require_sessions(count, settings.get("processes") or usual_processes())
        wanted += [f"worker{number}" for number in range(1, count + 1)]
    if {"rabbitmq", "worker"} & {*names} and (central := opened()):
        wanted += [*workers.rehearsed(), *([workers.CLASS_FLOWER] if central.flower else [])]
    if PERIODIC in names and not settings.joined():  # a central has no queue for them
        wanted.append(PERIODIC)
    return {name: service(name) for name in wanted}


def service(name: str) -> Service:
    """Return a service by its name, such as ``postgis`` or ``worker2``."""
    if name == PERIODIC:
        return workers.periodic()
    if name == workers.CLASS_FLOWER and (central := opened()):
        return workers.flower(central)
    if name.startswith("machine"):
        return workers.of_rehearsal(name)
    if name.startswith("worker"):
        number = int(name.removeprefix("worker"))
        return workers.worker(number, settings.get("processes") or usual_processes())
    return _FIXED[name]


def wishes() -> dict[str, Any]:
    """Return what people and notebooks want now: by file, and of a central."""
    files = {name: state_folder.read(f"{name}.json") for name in ("settings", "joined", "parts")}
    flower = bool((central := opened()) and central.flower)
    return files | {"address": open_to_others(), "flower": flower, "rehearsed": workers.rehearsed()}


def usual_processes(fast: bool = False) -> int:
    """Return how many processes a worker has at first: one per core that it may use, and at most 8.

    In the fast profile it is threads, as most of them wait for the database: 8.
    """
    if fast or settings.get("profile") == workers.FAST:
        return _MOST
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return int(os.environ.get("WORKSHOP_PROCESSES") or min(cores, _MOST))


def require_sessions(workers: int, processes: int) -> None:
    """Raise `WorkshopError` if so many workers want more sessions than the database has."""
    own = not settings.joined()
    there, reserved = (postgis.OWN_SESSIONS, postgis.RESERVED) if own else (postgis.SESSIONS, 2)
    if (wanted := workers * (processes + 1)) > there - reserved:  # one is the worker's sign of life
        seen = {"workers": workers, "each": processes + 1, "wanted": wanted, "left": there - reserved}
        raise refusal("too-many-sessions", there=there, reserved=reserved, **seen)
