"""Only one stack of this course runs at a time: whoever starts, runs or stops it holds its lock."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from backstage.stack import containers
from backstage.stack.status import until
from workshop import state_folder
from workshop.errors import WorkshopError

_LOOKING = 0.3
"""Seconds in which another program that only looks at the lock has let go of it."""


class AlreadyRunning(WorkshopError):
    """The stack runs already; there is one per course folder."""

    def __init__(self) -> None:
        super().__init__("The services of this course are being started or stopped.", "workshop status")


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the lock of this course's stack; the kernel lets go of it however this process ends.

    Raises
    ------
    AlreadyRunning
        If another process holds it.
    WorkshopError
        If nobody can hold it, as on some network drives: there the database would not be safe either.
    """
    if state_folder.WINDOWS:  # no stack runs there
        yield
        return
    path = state_folder.state_dir() / containers.own("lock")
    try:
        lock = path.open("a", encoding="utf-8")
    except FileNotFoundError:  # a purge removed the folder just now
        raise AlreadyRunning from None
    with lock:
        if not until(lambda: _takes(lock) and _is_at(path, lock), _LOOKING):
            raise AlreadyRunning
        yield


def is_locked() -> bool:
    """Return whether a stack runs, starts or stops at this moment."""
    try:
        with only_one():
            return False
    except AlreadyRunning:
        return True


def _is_at(path: Path, lock: IO[str]) -> bool:
    """Return whether a lock is still the one that others will find: a purge removes it with its folder."""
    return path.exists() and os.path.samestat(path.stat(), os.fstat(lock.fileno()))


def _takes(lock: IO[str]) -> bool:
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise WorkshopError(
            f"The folder {state_folder.state_dir()} is on a disk without file locks ({error.strerror}), such "
            "as a network drive.",
            "set WORKSHOP_STATE to a folder on a disk of this computer",
        ) from error
    return True
