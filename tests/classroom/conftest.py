"""Courses to try the commands on."""

from pathlib import Path

import pytest

from tests.classroom.course import Course, copy_parts


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
