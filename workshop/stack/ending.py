"""Stops the stack of this machine, and what a killed one left."""

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress

from workshop import machine
from workshop.stack import postgis
from workshop.stack.process import born, kill_session
from workshop.stack.running import AlreadyRunning, is_locked, only_one, running, until

Say = Callable[[str], None]

_STOP_PATIENCE = 150
_COPY = "course"
_OURS = ("postgis*", "rabbitmq", "logs", "course", "lock", "beat-schedule*", "*.json*", ".*.json*", "*.log")
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
    until(lambda: running() is not None or not is_locked(), seconds=15)
    if stack := running():
        say("Stopping the services ...")
        with suppress(ProcessLookupError):
            os.kill(stack["pid"], signal.SIGTERM)
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
    if purge:
        _purge(say)


def _purge(say: Say) -> None:
    state = machine.state_dir()
    others = [path.name for path in state.iterdir() if not any(map(path.match, _OURS))]
    if others:
        say(f"{state} also holds {', '.join(sorted(others)[:5])}. It was not removed: remove it by hand")
        return
    for path in [path for path in state.iterdir() if path.name != _COPY]:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    with suppress(OSError):
        state.rmdir()
    left = [path.name for path in state.iterdir()] if state.exists() else []
    if left in ([], [_COPY]):
        say(f"Removed {state}{', except the fresh copy of the course that a reset needs' if left else ''}")
    else:
        say(f"Could not remove all of {state}")


def end_leftovers(say: Say) -> None:
    """End the services of a stack whose supervisor was killed. Only the holder of the lock does this."""
    for name, service in machine.read("stack.json").get("services", {}).items():
        if service["pid"] and born(service["pid"]) == service["born"]:
            say(f"Ending {name} (process {service['pid']}), left by a start that was killed")
            _end(service["pid"], service["born"], postgis.STOP if name == "postgis" else signal.SIGTERM)
    (machine.state_dir() / "stack.json").unlink(missing_ok=True)


def _end(pid: int, since: float, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    until(lambda: born(pid) != since, seconds=15)
    kill_session(pid)
