"""Makes starters from the solved course: what stands between marks becomes something to do.

In Python files and code cells a region begins with a line ``###`` and ``BEGIN SOLUTION 2: what to do``, and
ends with ``###`` and ``END SOLUTION``. In Markdown cells both marks are HTML comments. Regions of the
challenges before a level keep their lines and lose the marks; from the level on a TODO takes their place.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backstage.challenges.files import NOTE, File, Files
from workshop.errors import WorkshopError

CHALLENGES = (1, 2, 3)

_FAULT_RATE = {2: 0.1}
_MARK = re.compile(r"\s*(?:###|<!--)\s*(BEGIN|END) SOLUTION\b")
_BEGIN = re.compile(r"(\s*)(?:###|<!--) BEGIN SOLUTION (\d+)(?::\s*(.*?))?\s*(?:-->)?\s*")
_END = re.compile(r"\s*(?:### END SOLUTION|<!-- END SOLUTION -->)\s*")


@dataclass(frozen=True)
class Level:
    """How far the course is solved.

    Attributes
    ----------
    challenge : int
        The challenge to work on: those before it are solved.
    solved : bool
        Whether this one is solved too.
    """

    challenge: int
    solved: bool = False

    @property
    def first_open(self) -> int:
        """The first challenge that is not solved."""
        return self.challenge + self.solved

    def note(self) -> dict[str, Any]:
        """Return what `NOTE` says of the folder: challenge, fault rate, and whether it is solved."""
        rate = _FAULT_RATE.get(self.challenge)
        note = {"challenge": self.challenge, "fault_rate": rate, "solved": self.solved}
        return {key: value for key, value in note.items() if value}


@dataclass(frozen=True)
class Region:
    """Lines of a text: outside all marks (challenge 0), or between the marks of one challenge."""

    challenge: int
    indent: str
    todo: str
    lines: list[str]


def course(marked: Files, level: Level) -> Files:
    """Return all files of the course as they are at a level.

    Raises
    ------
    WorkshopError
        If the marks in a file are wrong.
    """
    note = json.dumps(level.note(), indent=1) + "\n"
    return {path: File(transform(path, file.data, level), file.mode) for path, file in marked.items()} | {
        NOTE: File(note.encode())
    }


def transform(path: str, data: bytes, level: Level) -> bytes:
    """Return the content of a file at a level; only code and notebooks have marks."""
    if re.fullmatch(r"workshop/[^/]+\.py", path):
        return starter(data.decode(), level.first_open, path).encode()
    if path.startswith("notebooks/") and path.endswith(".ipynb"):
        notebook = notebook_starter(json.loads(data), level, path)
        # As nbformat.write does it; to import nbformat takes longer than all the rest of a reset.
        return (json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
    return data


def notebook_starter(notebook: dict[str, Any], level: Level, name: str) -> dict[str, Any]:
    """Return a notebook at a level, without outputs, as a new object."""
    cells = []
    for cell in notebook["cells"]:
        code = cell["cell_type"] == "code"
        source = starter("".join(cell["source"]), level.first_open, _place(name, cell), todo=code)
        if source or code:
            empty: dict[str, Any] = {"outputs": [], "execution_count": None} if code else {}
            cells.append(cell | {"source": source.splitlines(keepends=True)} | empty)
    metadata = notebook["metadata"] | {"workshop": {"challenge": level.challenge}}
    return notebook | {"cells": cells, "metadata": metadata}


def starter(text: str, first_open: int, name: str = "", todo: bool = True) -> str:
    """Return a text in which the challenges from `first_open` on are to do.

    Parameters
    ----------
    text : str
        The marked text.
    first_open : int
        The first challenge that is not solved.
    name : str
        Where the text is from, for errors.
    todo : bool
        Whether a line says what is to do; Markdown has none.

    Raises
    ------
    WorkshopError
        If a region has no end, no beginning, or another one inside.
    """
    made: list[str] = []
    for region in regions(text, name):
        if region.challenge < first_open:
            made += region.lines
        elif todo and region.todo:
            made.append(f"{region.indent}# TODO - challenge {region.challenge}: {region.todo}\n")
    joined = "".join(made)
    return joined if text.endswith("\n") else joined.rstrip("\n")


def solutions(path: str, data: bytes, challenge: int) -> list[str]:
    """Return the solution of a challenge in a file: one dedented text for each region."""
    texts = [(path, data.decode())]
    if path.endswith(".ipynb"):
        cells = [cell for cell in json.loads(data)["cells"] if cell["cell_type"] == "code"]
        texts = [(_place(path, cell), "".join(cell["source"])) for cell in cells]
    found = [region for name, text in texts for region in regions(text, name)]
    wanted = ["".join(region.lines) for region in found if region.challenge == challenge]
    return [textwrap.dedent(lines).strip("\n") for lines in wanted]


def regions(text: str, name: str) -> Iterator[Region]:
    """Yield the parts of a text in their order."""
    part = Region(0, "", "", [])
    begun = 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if not _MARK.match(line):
            part.lines.append(line)
            continue
        here = f"{name}, line {number}"
        begin, end = _BEGIN.fullmatch(line), _END.fullmatch(line)
        if not begin and not end:
            raise WorkshopError(f"{here}: this is no mark of a solution: {line.strip()}")
        if begin and part.challenge:
            raise WorkshopError(f"{here}: a solution begins inside the one that began in line {begun}")
        if end and not part.challenge:
            raise WorkshopError(f"{here}: a solution ends that did not begin")
        yield part
        begun = number
        part = Region(int(begin[2]), begin[1], begin[3] or "", []) if begin else Region(0, "", "", [])
    if part.challenge:
        raise WorkshopError(f"{name}, line {begun}: this solution has no end")
    yield part


def _place(name: str, cell: dict[str, Any]) -> str:
    return f"{name}, cell {cell.get('id', '?')}"
