"""Python is looked at before anything is installed."""

import sys
from pathlib import Path

import pytest

from backstage.stack import binaries
from tests.setup.course import add_program, make_course, make_programs, run

OLD = 'echo "Python 3.10.13"; exit 1'
BROKEN = 'echo "Fatal Python error: init" >&2; echo "ImportError: No module named x" >&2; exit 1'
APT = 'echo "$@" >> apt-get-was-asked'


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return make_course(tmp_path / "the course")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    programs = make_programs(tmp_path / "bin")
    add_program(programs, "apt-get", APT)
    return programs


def refused(course: Path, programs: Path, **changes: str) -> str:
    done = run(course, "sh", "scripts/setup.sh", "no-such-program", path=programs, **changes)
    assert done.returncode != 0
    assert not (course / "apt-get-was-asked").exists() and not (course / ".venv").exists()
    assert "\nNext: make lab PYTHON=" in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("script", "seen"),
    [(OLD, "python3: Python 3.10.13"), (BROKEN, "No module named x"), ("exit 127", "python3: ")],
)
def test_one_that_the_course_cannot_use(course: Path, programs: Path, script: str, seen: str) -> None:
    add_program(programs, "python3", script)
    said = refused(course, programs)
    assert "The course needs Python 3.11 or newer." in said
    assert seen in said


def test_none_at_all(course: Path, programs: Path) -> None:
    assert "python3: not found" in refused(course, programs)


def test_a_newer_one_is_taken_and_named(course: Path, programs: Path) -> None:
    add_program(programs, "python3", OLD)
    add_program(programs, "python3.12", f'exec "{sys.executable}" "$@"')
    done = run(course, path=programs, OFFLINE="nowhere")
    assert "python3: Python 3.10.13. Taking python3.12 instead: Python 3." in done.stdout
    assert "There is no folder nowhere." in done.stderr


def test_the_one_that_a_person_named_is_not_replaced(course: Path, programs: Path) -> None:
    add_program(programs, "old-python", OLD)
    add_program(programs, "python3.12", f'exec "{sys.executable}" "$@"')
    assert "old-python: Python 3.10.13" in refused(course, programs, PYTHON="old-python")


def test_one_that_can_make_no_venv(course: Path, programs: Path) -> None:
    add_program(programs, "python3", f'[ "$2" != venv ] || exit 1; exec "{sys.executable}" "$@"')
    done = run(course, path=programs)
    assert done.returncode == 1
    assert "python3 can't make the folder .venv.\nNext: " in done.stderr


def test_debian_has_a_package_for_its_own_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda name: None)
    package = f"python3.{sys.version_info.minor}-venv"
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert package in binaries.missing_packages()
    monkeypatch.setattr(sys, "base_prefix", "/opt/python")
    assert package not in binaries.missing_packages()
