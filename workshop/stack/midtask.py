"""Finds the moment in which worker1 is in the middle of a task, and holds it still for that moment."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
from amqp.exceptions import AMQPError
from kombu import Connection
from kombu.exceptions import OperationalError

from workshop import settings
from workshop.delivery.report import ask
from workshop.delivery.topology import SQUARES
from workshop.stack.running import running, until
from workshop.stack.workers import machine_name

WORKER = "worker1"

PATIENCE = 60
"""Seconds to wait for a task to run while there are some."""

_QUIET = 3
_TROUBLE = (OSError, OperationalError, AMQPError)


@contextmanager
def held_still() -> Iterator[list[psutil.Process]]:
    """Hold worker1's processes still for a moment, and let them go on afterwards.

    Yields
    ------
    list of psutil.Process
        Those that are in the middle of a task; none if there is no task to run.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and until(_has_work, _QUIET):
        if _at_work():
            with _suspended() as processes:
                pids = _at_work()
                if busy := [process for process in processes if process.pid in pids]:
                    yield busy
                    return
    yield []


@contextmanager
def _suspended() -> Iterator[list[psutil.Process]]:
    worker = (running() or {"services": {}})["services"][WORKER]["pid"]
    processes = psutil.Process(worker).children()
    try:
        for process in processes:
            process.suspend()
        yield processes
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def _has_work() -> bool:
    """Return whether messages wait in the queue, or worker1 holds some."""
    url = settings.broker_url()
    with suppress(*_TROUBLE), Connection(url, connect_timeout=3) as connection:
        if SQUARES(connection.default_channel).queue_declare(passive=True).message_count:
            return True
    return bool((_ask("course_report") or {}).get("held"))


def _at_work() -> set[int]:
    """Return the numbers of worker1's processes that run a task."""
    return {task["worker_pid"] for task in _ask("active") or []}


def _ask(command: str) -> Any:
    """Return what worker1 answers to a command; None if it does not answer, as after a lost connection."""
    name = f"{WORKER}@{machine_name()}"
    with suppress(*_TROUBLE):
        return ask(settings.broker_url(), command, destination=[name], timeout=1).get(name)
    return None
