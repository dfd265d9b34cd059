"""A stack that several files break, one after the other."""

from collections.abc import Iterator

import pytest

from backstage.classroom.clearing import forget_settings
from tests.integration.machine import Machine
from tests.integration.own_stack import own_stack
from tests.servers import HASTE, at, empty


@pytest.fixture(scope="session")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Database, broker and worker, whose retries come soon."""
    with own_stack(tmp_path_factory.mktemp("breakable"), WORKSHOP_HASTE=HASTE) as machine:
        yield machine


@pytest.fixture(scope="module")
def machine(breakable: Machine) -> Iterator[Machine]:
    """The same, whole and empty, and used by this process."""
    with at(breakable.state):
        yield breakable
        forget_settings()
        empty(breakable)
