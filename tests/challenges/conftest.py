"""One attendee for all tests of challenges: one start of the services, in a course of its own."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.challenges.attendee import Attendee, attend, leave

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process, one file after the other: they share the attendee."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.xdist_group("challenges"))


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attendee]:
    """An attendee whose services run, Flower too, and no kernel yet."""
    attendee = attend(tmp_path_factory.mktemp("attendee"), "flower")
    try:
        yield attendee
    finally:
        leave(attendee)


@pytest.fixture(scope="module")
def unwatched(services: Attendee) -> Iterator[Attendee]:
    """An attendee whose saves nobody notices: the supervisor is stopped meanwhile."""
    supervisor = services.machine.stack()["pid"]
    os.kill(supervisor, signal.SIGSTOP)
    try:
        yield services
    finally:
        os.kill(supervisor, signal.SIGCONT)
        services.save("tasks.py", services.original("tasks.py"))
