"""What a worker says about itself when it is asked: which code it runs, and which tasks it holds."""

import os
import socket
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from celery import Celery
from celery.worker import state as worker_state
from celery.worker.control import inspect_command
from celery.worker.request import Request
from kombu import Connection

from workshop.delivery.request import given_back
from workshop.machine import ROOT

CODE = ROOT / "workshop"


def code_version() -> dict[str, str]:
    """Return a short digest of each file ``workshop/*.py`` as it is saved now, by name."""
    return {path.name: digest(path) for path in sorted(CODE.glob("[a-z_]*.py"))}


def digest(path: Path) -> str:
    """Return a short digest of a file."""
    return sha256(path.read_bytes()).hexdigest()[:8]


_loaded = code_version()
_since = datetime.now(UTC).isoformat(timespec="milliseconds")


@inspect_command()
def course_report(state: Any, **_: Any) -> dict[str, Any]:
    """Return where this worker runs, its code and since when, the tasks it knows, and those it holds.

    ``held`` maps each task's id to the seconds until it is due; 0 for those that run or may run.
    """
    now = datetime.now(UTC)
    held = {request.id: 0.0 for request in list(worker_state.reserved_requests)}
    for waiting in list(state.consumer.timer.schedule.queue):
        if isinstance(request := next(iter(waiting.entry.args), None), Request):
            held[request.id] = max(0.0, (request.eta - now).total_seconds())
    held |= {id: max(0.0, due - time.monotonic()) for id, due in given_back.items()}
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": _since,
        "code": _loaded,
        "tasks": [name for name in state.app.tasks if not name.startswith("celery.")],
        "held": held,
    }


def ask_workers(
    broker_url: str, seconds: float = 1, expected: int | None = None
) -> dict[str, dict[str, Any]]:
    """Ask every worker of a broker for its report, and wait for the answers.

    Parameters
    ----------
    broker_url : str
        The broker's address.
    seconds : float
        How long to wait.
    expected : int, optional
        How many answers are enough; without it the whole time is waited for.

    Returns
    -------
    dict
        The report of each worker that answered, by the worker's name.
    """
    with (
        Celery(broker=broker_url, set_as_current=False) as application,
        Connection(broker_url, connect_timeout=3) as connection,  # one from the pool may be dead by now
    ):
        answers = application.control.broadcast(
            "course_report", reply=True, timeout=seconds, limit=expected, connection=connection
        )
    return {name: report for answer in answers or [] for name, report in answer.items() if "pid" in report}
