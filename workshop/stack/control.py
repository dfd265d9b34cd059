"""Starts, stops and describes the stack of this machine: what the command line calls."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from workshop import settings
from workshop.stack.process import born, kill_session
from workshop.stack.site import Site, free_ports, new_site
from workshop.stack.supervisor import NAMES, StartFailed, Supervisor

Say = Callable[[str], None]


class AlreadyRunning(Exception):
    """The stack runs already; there is one per course folder."""


class NotRunning(Exception):
    """The stack does not run."""


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
        Called once, when all parts answer.

    Raises
    ------
    AlreadyRunning
        If this course's stack runs already.
    StartFailed
        If a service did not become ready.
    """
    with _only_one():
        end_leftovers(say)
        (settings.state_dir() / "settings.json").unlink(missing_ok=True)
        site = new_site()
        try:
            _run(site, names, periodic, say, when_ready)
        except StartFailed:
            now_free = free_ports().values()
            if all(port in now_free for port in site.ports.values()):
                raise
            say("Another program took one of the ports. Trying again with others.")
            _run(new_site(), names, periodic, say, when_ready)


def _run(
    site: Site, names: tuple[str, ...], periodic: bool, say: Say, when_ready: Callable[[], None]
) -> None:
    asyncio.run(Supervisor(site, names or NAMES, periodic, say).run(when_ready))


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
    StartFailed
        If a service did not become ready.
    """
    if running():
        raise AlreadyRunning
    site_log = settings.state_dir() / "stack.log"
    with site_log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "workshop", "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with site_log.open(encoding="utf-8") as lines:
        while process.poll() is None:
            if not (line := lines.readline().rstrip()):
                time.sleep(0.05)
            elif line.startswith("READY"):
                return
            else:
                say(line)
        raise StartFailed(lines.read().strip() or f"See {site_log}")


def down(say: Say, purge: bool = False) -> None:
    """Stop the stack, wait until it is gone, and end what a killed one left.

    Parameters
    ----------
    say : callable
        Shows a line of progress.
    purge : bool
        Whether to remove the state folder too: the database, the queues, the logs, the settings.
    """
    stack = running()
    if stack:
        say("Stopping the services ...")
        os.kill(stack["pid"], signal.SIGTERM)
        end = time.monotonic() + 90
        while born(stack["pid"]) == stack["born"] and time.monotonic() < end:
            time.sleep(0.1)
    end_leftovers(say)
    say("All services are stopped.")
    if purge:
        shutil.rmtree(settings.state_dir(), ignore_errors=True)
        say(f"Removed {settings.state_dir()}")


def running() -> dict[str, Any] | None:
    """Return the content of ``stack.json`` if its supervisor lives, else None."""
    stack = settings.read("stack.json")
    return stack if stack and born(stack["pid"]) == stack["born"] else None


def running_site() -> Site | None:
    """Return the site of the running stack, if there is one."""
    stack = running()
    if stack is None:
        return None
    return Site(settings.state_dir(), stack["ports"], settings.read("token.json")["token"])


def scale(workers: int | None, processes: int | None = None, patience: float = 60) -> None:
    """Change how many workers this machine runs, and wait until they are ready.

    Parameters
    ----------
    workers : int, optional
        How many workers; None for one.
    processes : int, optional
        How many tasks each of them runs side by side; None for one per core.
    patience : float
        Seconds to wait.

    Raises
    ------
    NotRunning
        If the stack is not running.
    TimeoutError
        If the workers are not ready in time.
    """
    if running() is None:
        raise NotRunning("The services are not running. Next: workshop up")
    settings.change(workers=workers, processes=processes)
    wanted = {f"worker{number}" for number in range(1, (workers or 1) + 1)}
    end = time.monotonic() + patience
    while time.monotonic() < end:
        stack = settings.read("stack.json")
        states = {name: service["state"] for name, service in stack["services"].items()}
        there = {name for name in states if name.startswith("worker")}
        current = stack["matches"] == settings.read("settings.json")
        if current and there == wanted and all(states[name] == "ready" for name in wanted):
            return
        time.sleep(0.1)
    raise TimeoutError(f"The workers are not ready after {patience:.0f} s. Next: workshop status")


def end_leftovers(say: Say) -> None:
    """End the services of a stack whose supervisor was killed."""
    stack = settings.read("stack.json")
    if not stack or running() and stack["pid"] != os.getpid():
        return
    for name, service in stack["services"].items():
        if service["pid"] and born(service["pid"]) == service["born"]:
            say(f"Ending {name} (process {service['pid']}), left by a start that was killed")
            _end(service["pid"], service["born"])
    (settings.state_dir() / "stack.json").unlink(missing_ok=True)


def _end(pid: int, since: float) -> None:
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 15
    while born(pid) == since and time.monotonic() < end:
        time.sleep(0.1)
    kill_session(pid)


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold the lock of this course's stack; the kernel lets go of it however this process ends."""
    with (settings.state_dir() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning from error
        yield
