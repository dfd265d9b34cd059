"""Starts the stack of this machine, and changes how many workers it runs."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from backstage.stack import containers, environment, logs, plan
from backstage.stack.lock import AlreadyRunning, is_locked, only_one
from backstage.stack.shutdown import end_leftovers
from backstage.stack.site import new_site
from backstage.stack.status import elsewhere, running, services, until
from backstage.stack.supervisor import Supervisor, wishes
from workshop import settings, state_folder
from workshop.errors import WorkshopError

Say = Callable[[str], None]

_ROOM = 150_000_000
"""Bytes that a start needs: 100 MB for a new database, and 50 MB that RabbitMQ wants to stay free."""


def up(names: tuple[str, ...], periodic: bool, say: Say, when_ready: Callable[[], None]) -> None:
    """Run the stack in this process until Ctrl-C, a closed terminal or `down`.

    Parameters
    ----------
    names : tuple of str
        The parts to run; all of `NAMES` if empty.
    periodic : bool
        Whether to run the periodic tasks too.
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
    settings.check()
    if wanted := os.environ.get("WORKSHOP_STATE"):  # relative to this folder; the services run in another
        os.environ["WORKSHOP_STATE"] = str(Path(wanted).expanduser().absolute())

    def speak(line: str) -> None:
        with suppress(OSError):  # the terminal may be closed
            say(line)

    names = names or plan.NAMES
    with only_one():
        _begin(names, speak)
        for line in elsewhere():
            speak(f"Note: {line}")
        asyncio.run(Supervisor(new_site(), names, periodic, speak).run(when_ready))


def _begin(names: tuple[str, ...], say: Say) -> None:
    """Remove what an earlier start left; in containers, what all share is the lab's."""
    if not containers.inside():
        end_leftovers(say)
    elif not os.access(state_folder.ROOT, os.W_OK):
        raise WorkshopError(containers.not_writable(state_folder.ROOT))
    if "lab" in names or not containers.inside():
        (state_folder.state_dir() / "settings.json").unlink(missing_ok=True)
        containers.forget_the_gone()


def _refuse_this_machine() -> None:
    """Raise `WorkshopError` if the services can't run here."""
    if state_folder.WINDOWS:
        raise WorkshopError(
            "On Windows the services run in Docker or in WSL2.",
            "docker compose up --build, or the same command in WSL2",
        )
    state = state_folder.state_dir()
    if (free := shutil.disk_usage(state).free) < _ROOM:
        raise WorkshopError(
            f"The disk of {state} has only {free / 1e6:.0f} MB free; the services need {_ROOM / 1e6:.0f} MB.",
            "make room, or set WORKSHOP_STATE to a folder on another disk",
        )


def up_detached(arguments: list[str], say: Say) -> None:
    """Start the stack in a process of its own and return when it is ready.

    Parameters
    ----------
    arguments : list of str
        What to hand on to ``workshop up``.
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
    if is_locked():
        raise AlreadyRunning
    log = state_folder.state_dir() / "stack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "backstage", "up", *arguments],
            cwd=state_folder.ROOT,
            env=environment.of_child(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _follow(process, log, say)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def _follow(process: subprocess.Popen[bytes], log: Path, say: Say) -> None:
    """Show what a start in the background says, until it is ready or has ended."""
    shown = 0
    while True:
        code, stack = process.poll(), running()
        progress, error = logs.last_start(log)
        for line in progress[shown:]:
            say(line)
        shown = len(progress)
        if stack and stack["ready"]:
            return
        if code == 0:
            raise AlreadyRunning
        if code is not None:
            raise (
                WorkshopError(error) if error else WorkshopError(f"It ended with code {code}.", f"read {log}")
            )
        time.sleep(0.05)


def scale(workers: int | None, processes: int | None = None, patience: float = 60) -> None:
    """Change how many workers this machine runs, and wait until they are ready.

    Parameters
    ----------
    workers : int, optional
        How many workers; None for one.
    processes : int, optional
        How many tasks each of them runs side by side; None for one per core, and at most 8.
    patience : float
        Seconds to wait.

    Raises
    ------
    WorkshopError
        If the stack is not running, or runs without workers,
        or if the database has not so many sessions; nothing is changed then,
        or if the workers are not ready in time.
    """
    require_workers()
    plan.require_sessions(workers or 1, processes or plan.usual_processes())
    settings.change(workers=workers, processes=processes)
    until_ready(patience)


def require_workers() -> None:
    """Raise `WorkshopError` if the stack is not running, or runs without workers."""
    if not any(name.startswith("worker") for name in services()):
        raise WorkshopError("The services were started without workers.", "workshop down, then workshop up")


def pause(patience: float = 75) -> bool:
    """Let all workers end what they do and stop; return whether there were any.

    Tasks that they hold, such as those that wait for the time of a retry, go back to the queue. The pause
    ends when the setting ``paused`` is taken back.

    Raises
    ------
    WorkshopError
        If the stack is not running,
        or if they do not stop within `patience` seconds.
    """
    had_workers = bool(_states())
    settings.change(paused=1)
    until_gone(patience)
    return had_workers


def until_gone(patience: float, of: str = "worker") -> None:
    """Wait until no service runs whose name begins so, as nothing wants them any more.

    Raises
    ------
    WorkshopError
        If the stack is not running,
        or if they do not stop in time.
    """
    if not until(lambda: _states((of,)) == {}, patience):
        raise WorkshopError(f"The {of}s have not stopped after {patience:.0f} s.", "workshop status")


def until_ready(patience: float = 60, of: tuple[str, ...] = ("worker",)) -> None:
    """Wait until services are ready, as settings, the joined queue and a central want them now.

    Parameters
    ----------
    patience : float
        Seconds to wait.
    of : tuple of str
        How their names begin; by default this machine's workers.

    Raises
    ------
    WorkshopError
        If the stack is not running,
        or if they are not ready in time.
    """
    if not until(lambda: set((_states(of) or {}).values()) == {"ready"}, patience):
        which = ", ".join(f"{name}s" if name in ("worker", "machine") else name for name in of)
        raise WorkshopError(f"The {which} are not ready after {patience:.0f} s.", "workshop status")


def _states(of: tuple[str, ...] = ("worker",)) -> dict[str, str] | None:
    """Return the state of each such service; None while the stack does not follow the newest wishes yet."""
    stack = running()
    if stack is None:
        raise WorkshopError("The services were stopped meanwhile.", "workshop up")
    if stack["matches"] != wishes():
        return None
    return {name: service["state"] for name, service in stack["services"].items() if name.startswith(of)}
