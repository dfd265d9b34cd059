"""Starts the stack of this machine, and changes how many workers it runs."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
from amqp.exceptions import AMQPError
from kombu.exceptions import OperationalError

from backstage.stack import environment, plan
from backstage.stack.lock import only_one
from backstage.stack.shutdown import end_leftovers
from backstage.stack.site import new_site
from backstage.stack.status import elsewhere, running, say_news, services, until
from backstage.stack.supervisor import Supervisor
from backstage.stack.texts import refusal
from backstage.stack.workers import FAST
from workshop import settings, state_folder
from workshop.delivery.asking import ask, living
from workshop.errors import WorkshopError
from workshop.kinds import Number, valid

Say = Callable[[str], None]

_SECONDS, _WORKERS = Number(0, 3600), Number(1, 20, int)

_ROOM = 150_000_000
"""Bytes that a start needs: 100 MB for a new database, and 50 MB that RabbitMQ wants to stay free."""


def up(names: tuple[str, ...], say: Say, when_ready: Callable[[], None]) -> None:
    """Run the stack in this process until Ctrl-C, a closed terminal or `down`.

    Parameters
    ----------
    names : tuple of str
        The parts to run; all of `NAMES` if empty.
    say : callable
        Shows a line of progress.
    when_ready : callable
        Called once, when all parts answer or are known not to.

    Raises
    ------
    AlreadyRunning
        If this course's stack runs already.
    WorkshopError
        If a service did not become ready,
        or if a variable of the environment has a wrong value.
    """
    _refuse_this_machine()
    names = names or plan.NAMES
    with only_one():
        _begin(say)
        try:
            settings.check()
            asyncio.run(Supervisor(new_site(), names, say).run(when_ready))
        except WorkshopError as error:
            state_folder.write("stack.json", {"error": str(error)})  # for whoever asks how it went
            raise


def forget_orders() -> None:
    """Take back what was changed while the services ran before."""
    for orders in ("settings.json", "parts.json"):
        (state_folder.state_dir() / orders).unlink(missing_ok=True)


def _begin(say: Say) -> None:
    """Remove what an earlier start left."""
    end_leftovers(say)
    (state_folder.state_dir() / "stack.json").unlink(missing_ok=True)
    forget_orders()
    for line in elsewhere():
        say(f"Note: {line}")
    say("Starting the services ...")


def _refuse_this_machine() -> None:
    """Raise `WorkshopError` if the services can't run here."""
    if state_folder.WINDOWS:
        raise refusal("windows")
    state = state_folder.state_dir()
    if os.environ.get("WORKSHOP_STATE"):  # relative to this folder; the services run in another
        os.environ["WORKSHOP_STATE"] = str(state)
    if (free := shutil.disk_usage(state).free) < _ROOM:
        raise refusal("no-room", folder=state, free=free / 1e6, needed=_ROOM / 1e6)


def up_detached(names: tuple[str, ...], say: Say) -> None:
    """Start the stack in a process of its own and return when it is ready.

    Parameters
    ----------
    names : tuple of str
        The parts to run; all of `NAMES` if empty.
    say : callable
        Shows a line of progress.

    Raises
    ------
    AlreadyRunning
        If this course's stack runs already.
    WorkshopError
        If a service did not become ready.
    """
    _refuse_this_machine()
    with only_one():
        _begin(say)
    log = state_folder.state_dir() / "stack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "backstage", "up", *names],
            cwd=state_folder.ROOT,
            env=environment.of_child(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _follow(process, say)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    if code := process.poll():
        error = state_folder.read("stack.json").get("error")
        raise WorkshopError(error) if error else WorkshopError(f"It ended with code {code}.", f"read {log}")


def _follow(process: subprocess.Popen[bytes], say: Say) -> None:
    """Show how the services of a start in the background are, until all are ready or it has ended."""
    said: list[str] = []
    while process.poll() is None:
        stack = running() or {"ready": False, "services": {}}
        said = say_news(stack["services"], said, say)
        if stack["ready"]:
            return
        time.sleep(0.05)


def add(names: tuple[str, ...]) -> list[str]:
    """Let the stack that runs run more parts, and wait until they are ready.

    Parameters
    ----------
    names : tuple of str
        The parts that are wanted; all of `NAMES` if empty.

    Returns
    -------
    list of str
        Those of them that did not run yet.

    Raises
    ------
    WorkshopError
        If the stack is not running,
        or if they are not ready in time.
    """
    there = tuple(services())
    missing = [name for name in names or plan.NAMES if not any(each.startswith(name) for each in there)]
    if missing:
        if "worker" in missing:
            settings.change(workers=None)  # a killed reset left none
        added = state_folder.read("parts.json").get("added", [])
        state_folder.write("parts.json", {"added": added + missing})
        settle(tuple(missing))
    return missing


def scale(
    workers: int | None, processes: int | None = None, fast: bool = False, prefetch: int | None = None
) -> None:
    """Change how many workers this machine runs, and wait until they are ready.

    Parameters
    ----------
    workers : int, optional
        How many workers; None for one.
    processes : int, optional
        How many tasks each of them runs side by side; None for one per core, and at most 8.
    fast : bool
        Whether they run them in threads of one process, see `backstage.stack.workers.worker`: faster, without
        time limits.
    prefetch : int, optional
        How many messages a worker takes for each of its processes; None for one.

    Raises
    ------
    WorkshopError
        If the stack is not running, or runs without workers,
        or if a number is wrong, or the database has not so many sessions; nothing is changed then,
        or if the workers are not ready in time.
    """
    require_workers()
    if workers is not None:
        workers = valid(_WORKERS, "workers", workers, "scale(1)")
    plan.require_sessions(workers or 1, processes or plan.usual_processes(fast))
    profile = FAST if fast else None
    settings.change(workers=workers, processes=processes, profile=profile, prefetch=prefetch)
    settle()


def pause(seconds: float = 60) -> None:
    """Let this machine's workers take no task for a while; what they hold runs on.

    Parameters
    ----------
    seconds : float
        How long; then they go on by themselves. A pause from before is over.

    Raises
    ------
    WorkshopError
        If this machine joined a central queue, if `seconds` is wrong, or if a worker does not answer.
    """
    if settings.joined():
        raise WorkshopError(
            "This machine joined a central queue, where nobody can pause a worker.",
            "workshop leave goes back to its own queue",
        )
    lease = {"seconds": valid(_SECONDS, "seconds", seconds, "pause(60)")}
    workers, answers = {}, {}
    with suppress(psycopg.Error, OSError, OperationalError, AMQPError):  # what is away has no workers
        workers = living(settings.database_url())
        options = {"arguments": lease, "timeout": 3, "limit": len(workers) or None}
        answers = ask(settings.broker_url(), "course_pause", **options)
    silent = workers.keys() - {name for name, answer in answers.items() if "paused" in answer}
    if silent or not workers:
        said = f"{', '.join(sorted(silent))} does not answer." if silent else "No worker answers."
        raise WorkshopError(said, "workshop status")


def resume() -> None:
    """Let this machine's workers go on now, before their pause is over."""
    pause(0)


def has_workers() -> bool:
    """Return whether this machine runs workers.

    Raises
    ------
    WorkshopError
        If the stack is not running.
    """
    return any(name.startswith("worker") for name in services())


def require_workers() -> None:
    """Raise `WorkshopError` if the stack is not running, or runs without workers."""
    if not has_workers():
        raise WorkshopError("The services were started without workers.", "workshop up worker")


def settle(of: tuple[str, ...] = ("worker",), seconds: float = 60) -> None:
    """Wait until services are as settings, the joined queue and a central want them now: ready, or gone.

    Parameters
    ----------
    of : tuple of str
        How their names begin; by default this machine's workers.
    seconds : float
        How long to wait.

    Raises
    ------
    WorkshopError
        If the stack is not running,
        or if they are not so in time.
    """
    if not until(lambda: _is_settled(of), seconds):
        raise WorkshopError(f"{', '.join(of)}: not as wanted after {seconds:.0f} s.", "workshop status")


def _is_settled(of: tuple[str, ...]) -> bool:
    stack = running()
    if stack is None:
        raise WorkshopError("The services were stopped meanwhile.", "workshop up")
    states = {service["state"] for name, service in stack["services"].items() if name.startswith(of)}
    return states <= {"ready"} and stack["matches"] == plan.wishes()
