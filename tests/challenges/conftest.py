"""One attendee for all tests of challenges: one start of the services, in a course of its own."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.challenges.attendee import Attendee, attend, leave


@pytest.fixture(scope="session")
def one_attendee(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attendee]:
    """An attendee whose services run, Flower too, and no kernel yet."""
    attendee = attend(tmp_path_factory.mktemp("attendee"), "flower")
    try:
        yield attendee
    finally:
        leave(attendee)


@pytest.fixture(scope="module")
def unwatched(one_attendee: Attendee) -> Iterator[Attendee]:
    """An attendee whose saves nobody notices: the supervisor is stopped meanwhile."""
    supervisor = one_attendee.machine.stack()["pid"]
    os.kill(supervisor, signal.SIGSTOP)
    try:
        yield one_attendee
    finally:
        os.kill(supervisor, signal.SIGCONT)
        one_attendee.save("tasks.py", one_attendee.original("tasks.py"))
