"""What a worker of this machine's own queue says when it is asked, such as which tasks it holds."""

import os
import signal
import time
from datetime import UTC, datetime
from typing import Any

from celery import Celery
from celery.worker import state as worker_state
from celery.worker.control import control_command, inspect_command

from workshop import settings
from workshop.delivery.worker import given_back
from workshop.delivery.topology import kept_connection

_since = datetime.now(UTC).isoformat(timespec="milliseconds")


@inspect_command()
def course_report(state: Any, **_: Any) -> dict[str, Any]:
    """Return since when this worker runs, the tasks it knows, those it holds, and how long it pauses.

    ``held`` maps each task's id to the seconds until it is due; 0 for those that run or may run.
    """
    now = datetime.now(UTC)
    held = {
        id: max(0.0, (request.eta - now).total_seconds()) if request.eta else 0.0
        for id, request in list(worker_state.requests.items())  # threads change it meanwhile
    }
    held |= {id: max(0.0, due - time.monotonic()) for id, due in list(given_back.items())}
    return {
        "since": _since,
        "tasks": [name for name in state.app.tasks if not name.startswith("celery.")],
        "held": held,
        "paused": state.consumer.paused,
    }


@control_command()
def course_kill_process(state: Any, **_: Any) -> int | None:
    """Kill one of this worker's processes in the middle of a task; return its number, if one has a task.

    In the fast profile there is none but the worker itself, which is not killed.
    """
    busy = {request.worker_pid for request in list(worker_state.requests.values())} - {None, os.getpid()}
    for pid in sorted(busy)[:1]:
        os.kill(pid, signal.SIGKILL)
        return pid
    return None


def ask_workers(broker_url: str, expected: int | None = None) -> dict[str, dict[str, Any]]:
    """Ask every worker of a broker for its report, and wait a second for the answers.

    Parameters
    ----------
    broker_url : str
        The broker's address.
    expected : int, optional
        How many answers are enough; without it the whole second is waited for.

    Returns
    -------
    dict
        The report of each worker that answered, by the worker's name; none at a central queue.
    """
    found = ask(broker_url, "course_report", timeout=1, limit=expected)
    return {name: report for name, report in found.items() if "held" in report}


def ask(broker_url: str, command: str, **options: Any) -> dict[str, Any]:
    """Send a command of Celery's remote control, and return the answers by worker.

    Parameters
    ----------
    broker_url : str
        The broker's address.
    command : str
        Such as ``active``.
    **options
        Celery's own: `timeout`, `limit`, `destination`.

    Returns
    -------
    dict
        Empty at a central queue, where no machine may command another's workers.
    """
    if settings.joined():
        return {}
    with (
        Celery(broker=broker_url, set_as_current=False) as application,
        kept_connection(broker_url) as connection,
    ):
        application.control.mailbox.producer_pool = None  # those of the pool are dead after a broker's crash
        answers = application.control.broadcast(command, reply=True, connection=connection, **options)
    return {name: text for answer in answers or [] for name, text in answer.items()}
