"""Only one stack of this course runs at a time: whoever starts, runs or stops it holds its lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOLCK, ENOSYS, EOPNOTSUPP

from filelock import FileLock, Timeout

from backstage.stack import containers
from workshop import state_folder
from workshop.errors import WorkshopError

_LOOKING = 0.3
"""Seconds in which another program that only looks at the lock has let go of it."""


_NO_LOCKS = (ENOLCK, ENOSYS, EOPNOTSUPP)


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
    path = state_folder.state_dir() / containers.own("lock")
    lock = FileLock(path, _LOOKING, fallback_to_soft=False)
    try:
        lock.acquire()
    except (Timeout, FileNotFoundError):  # held, or removed with its folder meanwhile
        raise AlreadyRunning from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise WorkshopError(
            f"The folder {state_folder.state_dir()} is on a disk without file locks ({error.strerror}), such "
            "as a network drive.",
            "set WORKSHOP_STATE to a folder on a disk of this computer",
        ) from error
    try:
        state_folder.claim(state_folder.state_dir())  # a purge may have removed the folder just now
        yield
    finally:
        lock.release()


def is_locked() -> bool:
    """Return whether a stack runs, starts or stops at this moment."""
    try:
        with only_one():
            return False
    except AlreadyRunning:
        return True
