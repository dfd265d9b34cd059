"""Breaks this course's own running services on purpose, so that one can see whether anything gets lost.

Each function strikes while messages wait, so that every worker is in the middle of its tasks. Then it waits
until what was struck works again. In containers a person strikes from outside, and is told how.

What was broken stands in no file: each service knows since when it runs, and says so when it is asked.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from backstage.stack import containers, control
from backstage.stack.central_config import open_to_others
from backstage.stack.http import ask_rabbitmq
from backstage.stack.process import kill_session
from backstage.stack.status import elsewhere, running_site, statuses, until
from workshop import settings
from workshop.database import execute
from workshop.delivery.asking import ask, living
from workshop.delivery.ledger import tasks_in_queue
from workshop.errors import WorkshopError

PACE = 2000
"""Milliseconds that a task takes while something is broken, so that each worker has one in its hands."""

PATIENCE = 300
"""Seconds until what was struck must work again; in containers a person types two commands meanwhile."""

_killed = datetime.min.replace(tzinfo=UTC)
"""When a worker told this process that it had killed one of its own."""


def kill_worker() -> None:
    """Kill worker1 with all its processes while tasks run, and wait until it works again."""
    _break("worker1", {"worker"})


def kill_process() -> None:
    """Let a worker kill one of its processes in the middle of a task."""
    global _killed
    with _tasks_waiting("worker1"):
        if not until(_a_process_is_killed, PATIENCE):
            raise WorkshopError("Nothing was broken: no process runs a task.", "workshop status")
    _killed = datetime.now(UTC)
    print("One process of worker1 was killed in the middle of a task. worker1 starts a new one.")


def restart_broker() -> None:
    """Kill RabbitMQ while tasks run, and wait until it works again, and the worker, which ends with it."""
    _break("RabbitMQ", {"broker", "worker"})


def restart_database() -> None:
    """Kill PostGIS while tasks run, and wait until it works again."""
    _break("PostGIS", {"database"})


def broken(since: datetime) -> set[str]:
    """Return what was broken since a moment: what has been running for less long.

    A worker ends with its broker, too: whether someone killed it before cannot be told then.
    Of a killed process only the worker's answer tells. It is kept in the notebook's kernel, as long as the
    notebook's runs count.

    Parameters
    ----------
    since : datetime.datetime
        The moment.

    Returns
    -------
    set of str
        Some of ``worker``, ``process``, ``broker`` and ``database``.
    """
    if (site := running_site()) is None:
        return set()
    limit = len(living(settings.database_url())) or 1
    answers = ask(settings.broker_url(), "course_report", timeout=5, limit=limit)
    workers = [answer for name, answer in answers.items() if name.startswith("worker")]
    [node] = json.loads(ask_rabbitmq(site, "/api/nodes"))
    up = timedelta(milliseconds=node.get("uptime", 0))  # at first it says nothing
    starts = [
        *(("worker", datetime.fromisoformat(worker["since"])) for worker in workers),
        ("process", _killed),
        ("broker", datetime.now(UTC) - up),
        ("database", execute(text("SELECT pg_postmaster_start_time()")).scalar_one()),
    ]
    return {what for what, start in starts if start > since}


def _break(name: str, anew: set[str]) -> None:
    """Kill a service, or ask for it, and wait until all that ends with it works anew."""
    service = name.lower()
    with _tasks_waiting(service):
        began = datetime.now(UTC)
        if containers.inside():
            print("In a terminal of your own computer, in the course's folder:")
            part = service.removesuffix("1")
            print(f"docker compose kill {part}\ndocker compose start {part}")
        else:
            kill_session(statuses()[service]["pid"])
        if not until(lambda: _works_again(anew, began), PATIENCE):
            raise WorkshopError(f"{name} has not started again after {PATIENCE} s.", "workshop status")
    print(f"{name} was killed while tasks were running. It was started again, and is ready.")


@contextmanager
def _tasks_waiting(service: str) -> Iterator[None]:
    """Make sure of a service, and that workers have more tasks than they can take at once.

    Raises
    ------
    WorkshopError
        If they have not, or nothing may be broken here.
    """
    if others := elsewhere():
        raise WorkshopError(f"Nothing was broken: {others[0]}.", "workshop leave, or unset the variable")
    if address := open_to_others():
        raise WorkshopError(f"Nothing was broken: a class works here, at {address}.", "workshop class stop")
    control.require_workers()
    control.settle(of=(service, "worker"))
    if not until(lambda: tasks_in_queue(settings.broker_url()) > 0, 10):
        raise WorkshopError("Nothing was broken: no task waits.", "send tasks, and break while they wait")
    with settings.changed(pace=PACE):
        yield


def _a_process_is_killed() -> bool:
    limit = len(living(settings.database_url())) or None
    answers = ask(settings.broker_url(), "course_kill_process", limit=limit).values()
    return any(isinstance(number, int) for number in answers)


def _works_again(anew: set[str], since: datetime) -> bool:
    try:
        return anew <= broken(since) and bool(living(settings.database_url()))
    except Exception:  # what is away says so in its own way
        return False
