"""Only one stack of this course runs at a time: whoever starts, runs or stops it holds its lock."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from backstage.stack.texts import refusal
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
    path = state_folder.state_dir() / "lock"
    lock = FileLock(path, _LOOKING, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise AlreadyRunning from None
    except OSError as error:
        raise refusal("no-locks", folder=path.parent, reason=error.strerror) from error
    try:
        yield
    finally:
        lock.release()
