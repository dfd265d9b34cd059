"""Saved files are noticed, each save of them, and what is no program is not looked at."""

import os
from pathlib import Path

import pytest

from backstage.stack import watch


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of one file, saved at the beginning of a second."""
    monkeypatch.setattr(watch, "CODE", tmp_path)
    monkeypatch.setattr(watch, "ROOT", tmp_path)
    save(tmp_path / "tasks.py", "x = 1", 1_000_000_000)
    return tmp_path


def save(path: Path, text: str, nanoseconds: int) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(nanoseconds, nanoseconds))


def test_two_saves_within_one_second_are_two(code: Path) -> None:
    first = watch.saved()
    save(code / "tasks.py", "x = 2", 1_300_000_000)
    second = watch.saved()
    save(code / "tasks.py", "x = 3", 1_600_000_000)
    assert first != second != watch.saved()


def test_a_file_that_goes_is_a_change(code: Path) -> None:
    assert list(watch.saved()) == [code / "tasks.py"]
    (code / "tasks.py").unlink()
    assert watch.saved() == {}


@pytest.mark.parametrize("name", [".ipynb_checkpoints/tasks-checkpoint.py", ".tasks.draft.py", "notes.txt"])
def test_what_is_no_program_is_not_looked_at(code: Path, name: str) -> None:
    before = watch.saved()
    save(code / name, "def (", 2_000_000_000)
    assert watch.saved() == before
    assert watch.syntax_error() is None
