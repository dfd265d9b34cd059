"""Which services a start consists of."""

import os
import sys
from typing import Any

from backstage.stack import jupyterlab, postgis, rabbitmq, workers
from backstage.stack.central_config import open_to_others, opened
from backstage.stack.service import NAMES as NAMES
from backstage.stack.service import Service
from backstage.stack.texts import refusal
from workshop import settings, state_folder

_MOST = 8
"""However many cores there are: each process takes a session of the database."""

FIXED = {
    service.name: service
    for service in (postgis.SERVICE, rabbitmq.SERVICE, workers.flower(), jupyterlab.SERVICE)
}
"""The parts that are one service each, and always the same one."""


def services(names: tuple[str, ...]) -> dict[str, Service]:
    """Return what to run by name, as the settings say now.

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
    wanted = [FIXED[name] for name in names if name in FIXED]
    if "worker" in names:
        count, processes = settings.get("workers"), settings.get("processes") or usual_processes()
        require_sessions(count, processes)
        wanted += [workers.worker(number, processes) for number in range(1, count + 1)]
    if {"rabbitmq", "worker"} & {*names} and (central := opened()):
        wanted += map(workers.of_rehearsal, workers.rehearsed())
        wanted += [workers.flower(central)] if central.flower else []
    return {service.name: service for service in wanted}


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
