"""Stops the stack of this machine, and what a killed one left."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from workshop import machine
from workshop.stack import containers, postgis
from workshop.stack.environment import of_child
from workshop.stack.opening import opening
from workshop.stack.process import born, kill_session
from workshop.stack.running import CENTRAL, AlreadyRunning, is_locked, only_one, running, until

Say = Callable[[str], None]

_STOP_PATIENCE = 150
_IN_A_CONTAINER = (
    "The services run in containers, and this is one of them.\n"
    "Next: in a terminal of your own computer, in the course's folder: docker compose down"
)
_COPY = "course"
_OURS = (
    *("postgis*", "rabbitmq", "central", "rehearsal", "logs", "course", "lock", "jupyter", "ipython"),
    *("beat-schedule*", "*.json*", ".*.json*", "progress.txt", "*.log", "cards.html"),
)
"""What a state folder holds. A folder with anything else in it, such as a home, is never removed."""


def down(say: Say, purge: bool = False) -> None:
    """Stop the stack, wait until it is gone, and end what a killed one left.

    Parameters
    ----------
    say : callable
        Shows a line of progress.
    purge : bool
        Whether to remove the state folder too: the database, the queues, the logs, the settings.

    Raises
    ------
    TimeoutError
        If the stack does not stop.
    """
    if containers.inside():
        raise TimeoutError(_IN_A_CONTAINER + (" -v" if purge else ""))
    until(lambda: running() is not None or not is_locked(), seconds=15)
    stack, central = running(), running(CENTRAL)
    for each in filter(None, (central if _central_is_ours() else None, stack)):
        with suppress(ProcessLookupError):
            os.kill(each["pid"], signal.SIGTERM)
    if stack:
        say("Stopping the services ...")
        if not until(lambda: born(stack["pid"]) != stack["born"], _STOP_PATIENCE):
            raise TimeoutError(
                f"The services have not stopped after {_STOP_PATIENCE} s. Next: workshop status, "
                f"or end process {stack['pid']}, then workshop down"
            )
    try:
        with only_one():
            end_leftovers(say)
    except AlreadyRunning as error:
        raise TimeoutError("The services are being started meanwhile. Next: workshop down again") from error
    say("All services are stopped.")
    if central and not _central_is_ours():
        say("The central for other machines still runs. Next: workshop central stop ends it too")
    if purge:
        _purge(say)


def _purge(say: Say) -> None:
    state = machine.state_dir()
    others = [path.name for path in state.iterdir() if not any(map(path.match, _OURS))]
    if others:
        say(f"{state} also holds {', '.join(sorted(others)[:5])}. It was not removed: remove it by hand")
        return
    kept = {_COPY} if _central_is_ours() or not running(CENTRAL) else {_COPY, central_folder().name}
    for path in [path for path in state.iterdir() if path.name not in kept]:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    with suppress(OSError):
        state.rmdir()
    left = [path.name for path in state.iterdir()] if state.exists() else []
    if left in ([], [_COPY]):
        say(f"Removed {state}{', except the fresh copy of the course that a reset needs' if left else ''}")
    else:
        say(f"{state} still holds {', '.join(sorted(left))}")


def end_leftovers(say: Say) -> None:
    """End the services of a stack whose supervisor was killed. Only the holder of the lock does this."""
    if _central_is_ours():
        if joined_here():
            (machine.state_dir() / "joined.json").unlink(missing_ok=True)
        remove_central(say)
    for name, service in machine.read("stack.json").get("services", {}).items():
        if service["pid"] and born(service["pid"]) == service["born"]:
            say(f"Ending {name} (process {service['pid']}), left by a start that was killed")
            _end(service["pid"], service["born"], postgis.STOP if name == "postgis" else signal.SIGTERM)
    (machine.state_dir() / "stack.json").unlink(missing_ok=True)


def central_folder() -> Path:
    """Return the folder of the central services of challenge 3."""
    return machine.state_dir() / "central"


def _central_is_ours() -> bool:
    """Return whether the central services, if there are any, end with the stack of this machine."""
    opened = opening(central_folder())
    return opened is None or opened.with_stack


def joined_here() -> bool:
    """Return whether this machine joined central services that run on itself."""
    opened = opening(central_folder())
    own = ("127.0.0.1", "localhost", "::1", *([opened.address] if opened else []))
    broker = machine.read("joined.json").get("broker_url", "")
    return central_folder().exists() and urlsplit(broker).hostname in own


def remove_central(say: Say, purge: bool = True) -> bool:
    """End the central services, if this machine runs them or did.

    Parameters
    ----------
    say : callable
        Shows a line.
    purge : bool
        Whether to remove their folder too.

    Returns
    -------
    bool
        Whether they do not run now.
    """
    if not (central_folder() / "token.json").exists():
        return True
    done = subprocess.run(
        [sys.executable, "-m", "workshop", "down", *(["--purge"] if purge else [])],
        cwd=machine.ROOT,
        env=of_child({"WORKSHOP_STATE": str(central_folder())}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        say(f"The central services did not end: {done.stderr.strip()}")
    return done.returncode == 0


def _end(pid: int, since: float, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    until(lambda: born(pid) != since, seconds=15)
    kill_session(pid)
