"""Stops the stack of this machine, and what a killed one left."""

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from backstage.stack import containers, postgis
from backstage.stack.central_config import open_to_others
from backstage.stack.lock import only_one
from backstage.stack.process import born, kill_session
from backstage.stack.status import running, until
from backstage.stack.texts import refusal, words
from workshop import state_folder
from workshop.errors import WorkshopError

Say = Callable[[str], None]

_STOP_PATIENCE = 150
_KEPT = (state_folder.MARK, "lock", "course")
_LEFT = "Other files there stay, and in course/ the fresh copy of the course, for resets."


def down(say: Say, purge: bool = False) -> None:
    """Stop the stack, wait until it is gone, and end what a killed one left.

    Parameters
    ----------
    say : callable
        Shows a line of progress.
    purge : bool
        Whether to remove what is in the state folder too: the database, the queues, the logs, the settings.

    Raises
    ------
    AlreadyRunning
        If the stack is started meanwhile.
    WorkshopError
        If the stack does not stop,
        or if a class is open, and all would be removed.
    """
    if containers.inside():
        raise WorkshopError(words("container-down") + " -v" * purge)
    if purge and (address := open_to_others()):
        raise refusal("class-is-open", address=address)
    if stack := running():
        say("Stopping the services ...")
        with suppress(ProcessLookupError):
            os.kill(stack["pid"], signal.SIGTERM)
            os.kill(stack["pid"], signal.SIGCONT)  # one stopped with Ctrl-Z would not hear it
        if not until(lambda: born(stack["pid"]) != stack["born"], _STOP_PATIENCE):
            raise refusal("not-stopped", seconds=_STOP_PATIENCE, pid=stack["pid"])
    state = state_folder.state_dir()
    with only_one():
        end_leftovers(say)
        say("All services are stopped.")
        if purge:
            _remove(state)
            say(f"Removed what the course wrote in {state}. {_LEFT}")


def _remove(folder: Path) -> None:
    """Remove what the course wrote into a state folder, but for what marks it, and the copy for resets."""
    for pattern in state_folder.files():
        for path in folder.glob(pattern.rstrip("/")):
            if path.name in _KEPT:
                continue
            if pattern.endswith("/"):
                shutil.rmtree(path, ignore_errors=True)
            elif path.is_file():
                path.unlink(missing_ok=True)
    with suppress(OSError):  # there is none, or a person's files are in it
        (folder / "logs").rmdir()


def end_leftovers(say: Say) -> None:
    """End the services of a stack whose supervisor was killed. Only the holder of the lock does this."""
    services = state_folder.read("stack.json").get("services", {})
    for name, service in services.items():
        pid, since = service["pid"], service["born"]
        if pid and born(pid) == since:
            say(f"Ending {name} (process {pid}), left by a start that was killed")
            with suppress(ProcessLookupError, PermissionError):  # it ended just now, or is another user's
                os.kill(pid, postgis.STOP if name == "postgis" else signal.SIGTERM)
            until(lambda pid=pid, since=since: born(pid) != since, seconds=15)  # type: ignore[misc]
            kill_session(pid)
    if services:  # else it may tell a start that waits why it failed
        (state_folder.state_dir() / "stack.json").unlink(missing_ok=True)
