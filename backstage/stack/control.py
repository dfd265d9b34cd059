"""Starts, stops and changes the stack of this machine: what the command line and notebooks call."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from backstage.stack import containers, environment
from backstage.stack.plan import NAMES
from backstage.stack.ports import is_free
from backstage.stack.scaling import scale
from backstage.stack.shutdown import down, end_leftovers
from backstage.stack.site import Site, new_site
from backstage.stack.status import (
    AlreadyRunning,
    addresses,
    conditions,
    elsewhere,
    is_locked,
    only_one,
    readiness,
    running,
    running_site,
    services,
)
from backstage.stack.supervisor import Supervisor
from workshop import settings, state_folder
from workshop.errors import WorkshopError

__all__ = [
    "NAMES",
    "AlreadyRunning",
    "Site",
    "addresses",
    "conditions",
    "down",
    "elsewhere",
    "readiness",
    "running",
    "running_site",
    "scale",
    "services",
    "up",
    "up_detached",
]

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
    _refuse_on_windows()
    settings.check()

    def speak(line: str) -> None:
        with suppress(OSError):  # the terminal may be closed
            say(line)

    _refuse_on_full_disk()
    if wanted := os.environ.get("WORKSHOP_STATE"):  # relative to this folder; the services run in another
        os.environ["WORKSHOP_STATE"] = str(Path(wanted).expanduser().absolute())
    with only_one():
        _begin(names or NAMES, speak)
        for line in elsewhere():
            speak(f"Note: {line}")
        _run(names or NAMES, periodic, speak, when_ready)


def _begin(names: tuple[str, ...], say: Say) -> None:
    """Remove what an earlier start left; in containers, what all share is the lab's."""
    if not containers.inside():
        end_leftovers(say)
    elif not os.access(state_folder.ROOT, os.W_OK):
        raise WorkshopError(containers.not_writable(state_folder.ROOT))
    if "lab" in names or not containers.inside():
        (state_folder.state_dir() / "settings.json").unlink(missing_ok=True)
        containers.forget_the_gone()


def _refuse_on_windows() -> None:
    if state_folder.WINDOWS:
        raise WorkshopError(
            "On Windows the services run in Docker or in WSL2.",
            "docker compose up --build, or the same command in WSL2",
        )


def _refuse_on_full_disk() -> None:
    state = state_folder.state_dir()
    if (free := shutil.disk_usage(state).free) < _ROOM:
        raise WorkshopError(
            f"The disk of {state} has only {free / 1e6:.0f} MB free; the services need {_ROOM / 1e6:.0f} MB.",
            "make room, or set WORKSHOP_STATE to a folder on another disk",
        )


def _run(names: tuple[str, ...], periodic: bool, say: Say, when_ready: Callable[[], None]) -> None:
    site = new_site()
    try:
        asyncio.run(Supervisor(site, names, periodic, say).run(when_ready))
    except WorkshopError as error:
        if taken := [f"{port} ({name})" for name, port in site.ports.items() if not is_free(port)]:
            raise WorkshopError(
                f"Another program took port {', '.join(taken)} just now.",
                f"the same again, which takes another port\n{error}",
            ) from error
        raise


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
    _refuse_on_windows()
    if is_locked():
        raise AlreadyRunning
    _refuse_on_full_disk()
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
        with log.open(encoding="utf-8") as lines:
            _report(process, lines, say)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def _report(process: subprocess.Popen[bytes], lines: IO[str], say: Say) -> None:
    """Show what a detached start says, until it is ready or has ended."""
    while True:
        ended = process.poll() is not None
        line = lines.readline().rstrip("\n")
        if line.startswith("Error: "):
            process.wait()
            raise WorkshopError(line.removeprefix("Error: ") + "\n" + lines.read().rstrip())
        if line:
            say(line)
        if line.startswith("READY"):
            return
        if ended and not line:
            if process.returncode == 0:
                raise AlreadyRunning
            raise WorkshopError(f"It ended with exit code {process.returncode}.", f"read {lines.name}")
        if not line:
            time.sleep(0.05)
