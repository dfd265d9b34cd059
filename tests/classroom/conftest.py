"""Courses to try the commands on, and a central that several files share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.classroom import clearing
from backstage.classroom.card import Card
from backstage.classroom.central import site as central_site
from backstage.classroom.central import start as start_central
from tests.classroom.course import Course, copy_parts
from tests.classroom.opened import Classroom, opened
from tests.integration.machine import Machine
from tests.servers import at


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A repository with two commits of the marked source on main."""
    course = Course(copy_parts(tmp_path_factory.mktemp("origin") / "course"))
    course.git("init", "--quiet", "--initial-branch=main")
    course.git("add", "README.md")
    course.git("commit", "--quiet", "-m", "Begin")
    course.git("add", ".")
    course.git("commit", "--quiet", "-m", "The course")
    return course


@pytest.fixture
def course(origin: Course, tmp_path: Path) -> Course:
    """A clone, in a folder with a space in its name."""
    origin.git("clone", "--quiet", str(origin.root), str(tmp_path / "the course"))
    return Course(tmp_path / "the course")


@pytest.fixture(scope="session")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Classroom]:
    """A central for eight machines, which files use one after the other."""
    with opened(tmp_path_factory.mktemp("classroom"), machines=8) as classroom:
        yield classroom


@pytest.fixture(scope="module")
def central(classroom: Classroom) -> Iterator[Machine]:
    """The same, empty, at the machine that this process uses; its accounts are afterwards as they were."""
    with at(classroom.instructor.state):
        yield classroom.central
        clearing.clear(central_site())
        clearing.forget_settings()
        assert start_central(8, classroom.address) == classroom.cards


@pytest.fixture(scope="module")
def cards(central: Machine, classroom: Classroom) -> list[Card]:
    """The cards of its machines."""
    return classroom.cards
