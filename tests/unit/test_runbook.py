"""The runbook's timetable adds up, and agrees with what each notebook says of itself."""

import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
RUNBOOK = (NOTEBOOKS / "instructor" / "runbook.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d):(\d\d) \| (\d+) \| (.+?) \| (core|stretch|break) \|", re.MULTILINE)

Slot = tuple[int, int, str, str]


def timetable(title: str) -> list[Slot]:
    """Return from, minutes, name and kind of each slot."""
    section = RUNBOOK.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [(int(h) * 60 + int(m), int(n), name, kind) for h, m, n, name, kind in ROW.findall(section)]


@pytest.mark.parametrize(
    ("title", "minutes"), [("Ninety minutes", 90), ("A hundred and eighty minutes", 180)]
)
def test_slots_follow_each_other_and_add_up(title: str, minutes: int) -> None:
    slots = timetable(title)
    ends = [start + length for start, length, *_ in slots]
    assert [start for start, *_ in slots] == [0, *ends[:-1]]
    assert ends[-1] == minutes


def core(title: str) -> dict[str, int]:
    return {name: minutes for _, minutes, name, kind in timetable(title) if kind == "core"}


def test_the_core_takes_ninety_minutes_in_both() -> None:
    assert core("Ninety minutes") == core("A hundred and eighty minutes")
    assert sum(core("Ninety minutes").values()) == 90


def test_each_notebook_has_the_minutes_that_it_names() -> None:
    given = {name: minutes for _, minutes, name, _ in timetable("A hundred and eighty minutes")}
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        said = re.search(r"\*\*Minutes:\*\* (\d+)", nbformat.read(path, as_version=4).cells[0].source)
        assert said is not None
        assert given[f"notebook {path.stem[:2]}"] == int(said[1])


def test_its_commands_exist() -> None:
    from workshop.cli import main

    for line in sorted(set(re.findall(r"\bworkshop ([a-z]+)(?: ([a-z]+)\b(?! and))?", RUNBOOK))):
        command = main.commands.get(line[0])
        assert command is not None, line
        sub = getattr(command, "commands", {})
        assert not sub or not line[1] or line[1] in sub, line
