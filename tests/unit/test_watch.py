"""Saved files are noticed, each save of them, and what is no program is not looked at."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backstage.stack import watch


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of one file, saved at the beginning of a second."""
    monkeypatch.setattr(watch, "CODE", tmp_path)
    monkeypatch.setattr(watch, "ROOT", tmp_path)
    monkeypatch.setattr(watch, "_LOOK", 0.01)
    save(tmp_path / "tasks.py", "x = 1", 1_000_000_000)
    return tmp_path


def save(path: Path, text: str, nanoseconds: int) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(nanoseconds, nanoseconds))


async def begun() -> None:
    """Let the first look be taken: some turns of the loop, no time."""
    for _ in range(5):
        await asyncio.sleep(0)


async def noticed(changes: AsyncIterator[str]) -> str:
    return await asyncio.wait_for(anext(changes), 5)


def test_two_saves_within_one_second_are_two(code: Path) -> None:
    async def look() -> None:
        changes = watch.code_changes()
        first = asyncio.create_task(noticed(changes))
        await begun()
        save(code / "tasks.py", "x = 2", 1_300_000_000)
        assert await first == "tasks.py"
        save(code / "tasks.py", "x = 3", 1_600_000_000)
        assert await noticed(changes) == "tasks.py"

    asyncio.run(look())


def test_a_file_that_goes_is_a_change(code: Path) -> None:
    async def look() -> None:
        changes = watch.code_changes()
        gone = asyncio.create_task(noticed(changes))
        await begun()
        (code / "tasks.py").unlink()
        assert await gone == "tasks.py"

    asyncio.run(look())


@pytest.mark.parametrize("name", [".ipynb_checkpoints/tasks-checkpoint.py", ".tasks.draft.py", "notes.txt"])
def test_what_is_no_program_is_not_looked_at(code: Path, name: str) -> None:
    before = watch._saved()
    save(code / name, "def (", 2_000_000_000)
    assert watch._saved() == before
    assert watch.syntax_error() is None
