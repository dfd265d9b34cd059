"""How a worker begins, how others see that it lives, and what it answers and does when it is asked."""

import os
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import wait
from threading import Thread
from typing import Any

import psycopg
from celery.signals import celeryd_init, worker_ready
from celery.worker import state as worker_state
from celery.worker.control import control_command, inspect_command

from workshop import database, settings
from workshop.delivery import publisher
from workshop.delivery.asking import code_digest, open_session
from workshop.delivery.worker import given_back
from workshop.errors import WorkshopError
from workshop.state_folder import services

_since = datetime.now(UTC).isoformat(timespec="milliseconds")
_loaded = ""


@celeryd_init.connect
def _begin(conf: Any, **_: Any) -> None:
    """Set what depends on where this worker works, and stay there: who joins a central starts it anew."""
    global _loaded
    try:
        settings.check()
    except WorkshopError as error:  # Celery would go on after it, and each task would fail
        raise SystemExit(f"Error: {error}") from None
    database.keep_database()
    publisher.BURST = 0  # what it has sent is confirmed before it acknowledges what it has taken
    _loaded = code_digest()
    joined = settings.joined()
    # At a central queue nobody commands anyone's worker; and it may vanish without a word: a cable, a Wi-Fi.
    conf.worker_enable_remote_control = not joined
    conf.broker_heartbeat = 5 if joined else conf.broker_heartbeat
    # For Flower, which in containers is always there; one that starts later switches them on itself.
    conf.worker_send_task_events = joined or "flower" in services() or "WORKSHOP_PUBLISHED" in os.environ


@worker_ready.connect
def _show(sender: Any, **_: Any) -> None:
    Thread(target=_stay, args=(sender.hostname,), daemon=True).start()


def _stay(name: str) -> None:
    """Keep the worker's session for as long as it lives; after a restart of the database, open another."""
    url = database.engine().url.render_as_string(hide_password=False)
    while True:
        with suppress(psycopg.Error), open_session(url, f"{_loaded} {name}") as session:
            wait([session.fileno()])  # the server says nothing until it ends
        time.sleep(1)


@inspect_command()
def course_report(state: Any, **_: Any) -> dict[str, Any]:
    """Return since when and how a worker was started, its tasks, those it holds, and how long it pauses.

    ``held`` maps each task's id to the seconds until it is due; 0 for those that run or may run.
    """
    now = datetime.now(UTC)
    held = {
        id: max(0.0, (request.eta - now).total_seconds()) if request.eta else 0.0
        for id, request in list(worker_state.requests.items())  # threads change it meanwhile
    }
    held |= {id: max(0.0, due - time.monotonic()) for id, due in list(given_back.items())}
    tasks = [name for name in state.app.tasks if not name.startswith("celery.")]
    known = {"since": _since, "command": sys.orig_argv, "tasks": tasks}
    return known | {"held": held, "paused": state.consumer.paused}


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


@control_command()
def course_pause(state: Any, seconds: float, **_: Any) -> dict[str, float]:
    """Let this worker take no task for so many seconds."""
    state.consumer.pause(seconds)
    return {"paused": seconds}
