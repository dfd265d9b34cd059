"""Stops the stack of this machine, and what a killed one left."""

import os
import shutil
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from backstage.stack import containers, postgis
from backstage.stack.central_config import CentralConfig, central_folder
from backstage.stack.lock import AlreadyRunning, is_locked, only_one
from backstage.stack.process import born, kill_session, run_elsewhere
from backstage.stack.status import CENTRAL, running, until
from workshop import state_folder
from workshop.errors import WorkshopError

Say = Callable[[str], None]

_STOP_PATIENCE = 150
_IN_A_CONTAINER = (
    "The services run in containers, and this is one of them.\n"
    "Next: in a terminal of your own computer, in the course's folder: docker compose down"
)
_OWN = (state_folder.MARK, "lock")
"""What stays in a state folder as long as anything else does."""

_STATE_FOLDERS = ("central/", "rehearsal/*/")
"""Those of `workshop.state_folder.FILES` that hold such files themselves."""


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
    WorkshopError
        If the stack does not stop, or is started meanwhile.
    """
    if containers.inside():
        raise WorkshopError(_IN_A_CONTAINER + (" -v" if purge else ""))
    until(lambda: running() is not None or not is_locked(), seconds=15)
    if stack := running():
        say("Stopping the services ...")
        with suppress(ProcessLookupError):
            os.kill(stack["pid"], signal.SIGTERM)
            os.kill(stack["pid"], signal.SIGCONT)  # one stopped with Ctrl-Z would not hear it
        if not until(lambda: born(stack["pid"]) != stack["born"], _STOP_PATIENCE):
            raise WorkshopError(
                f"The services have not stopped after {_STOP_PATIENCE} s.",
                f"workshop status, or end process {stack['pid']}, then workshop down",
            )
    state, kept = state_folder.state_dir(), {"course"}
    try:
        with only_one():
            end_leftovers(say)
            say("All services are stopped.")
            if running(CENTRAL):
                kept.add(central_folder().name)
                say("The central for other machines still runs. Next: workshop class stop ends it too")
            if purge:
                _remove(state, kept)
                say(_what_is_left(state, kept))
    except AlreadyRunning as error:
        again = f"workshop down{' --purge' * purge} again"
        raise WorkshopError("The services are being started meanwhile.", again) from error


def _what_is_left(state: Path, kept: set[str]) -> str:
    found = [path.relative_to(state) for path in state.rglob("*") if path.is_file() and path.name not in _OWN]
    ours = sorted(kept & {path.parts[0] for path in found})
    others = sorted(str(path) for path in found if path.parts[0] not in kept)
    names = [f"{name} ({state_folder.FILES[f'{name}/']})" for name in ours] + others[:5]
    left = f". Left there: {', '.join(names)}{', ...' if len(others) > 5 else ''}" if names else ""
    return f"Removed what the course wrote in {state}{left}"


def _remove(folder: Path, kept: Collection[str] = ()) -> None:
    """Remove what the course wrote into a state folder; the folder too, if it holds nothing else."""
    for pattern in state_folder.FILES:
        for path in folder.glob(pattern.rstrip("/")):
            if path.name in (*kept, *_OWN):
                continue
            if pattern in _STATE_FOLDERS:
                _remove(path)
            elif pattern.endswith("/"):
                shutil.rmtree(path, ignore_errors=True)
            elif path.is_file():
                path.unlink(missing_ok=True)
    for path in folder / "logs", folder / "rehearsal":
        with suppress(OSError):
            path.rmdir()
    if {path.name for path in folder.iterdir()} <= {*_OWN}:
        with suppress(OSError):  # Windows keeps a lock that is held
            for name in _OWN:
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()


def end_leftovers(say: Say) -> None:
    """End the services of a stack whose supervisor was killed. Only the holder of the lock does this."""
    if _central_is_ours():
        if joined_here():
            (state_folder.state_dir() / "joined.json").unlink(missing_ok=True)
        remove_central(say)
    for name, service in state_folder.read("stack.json").get("services", {}).items():
        if service["pid"] and born(service["pid"]) == service["born"]:
            say(f"Ending {name} (process {service['pid']}), left by a start that was killed")
            _end(service["pid"], service["born"], postgis.STOP if name == "postgis" else signal.SIGTERM)
    (state_folder.state_dir() / "stack.json").unlink(missing_ok=True)


def _central_is_ours() -> bool:
    """Return whether the central services, if there are any, end with the stack of this machine."""
    opened = CentralConfig.read(central_folder())
    return opened is None or opened.with_stack


def joined_here() -> bool:
    """Return whether this machine joined central services that run on itself."""
    opened = CentralConfig.read(central_folder())
    own = ("127.0.0.1", "localhost", "::1", *([opened.address] if opened else []))
    broker = state_folder.read("joined.json").get("broker_url", "")
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
    done = run_elsewhere(central_folder(), "down", *(["--purge"] if purge else []))
    if done.returncode:
        say(f"The central services did not end: {done.stderr.strip()}")
    return done.returncode == 0


def _end(pid: int, since: float, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    until(lambda: born(pid) != since, seconds=15)
    kill_session(pid)
