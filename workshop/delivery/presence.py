"""A worker's note that it is ready, for a supervisor that can't ask it: at a central queue nobody can.

The note is a file in the state folder. It names the worker's process, so that it says nothing of a later one.
"""

import os
import socket
from typing import Any

from celery.signals import worker_ready

from workshop import state_folder


def note_of(name: str, folder: str = "") -> dict[str, Any]:
    """Return what a worker noted when it was ready last; empty if it never was.

    Parameters
    ----------
    name : str
        The worker's name, such as ``worker1@machine07``.
    folder : str
        Its own state folder, below this one.

    Returns
    -------
    dict
        ``pid``, its process, and ``host``, where that runs.
    """
    return state_folder.read(f"{folder}{_file(name)}")


def forget(name: str, folder: str = "") -> None:
    """Remove a worker's note, before the worker starts anew."""
    (state_folder.state_dir() / folder / _file(name)).unlink(missing_ok=True)


@worker_ready.connect
def _note(sender: Any, **_: Any) -> None:
    state_folder.write(_file(sender.hostname), {"pid": os.getpid(), "host": socket.gethostname()})


def _file(name: str) -> str:
    return f"ready-{name}.json"
