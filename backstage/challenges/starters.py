"""Makes starters from the solved course: what stands between marks becomes something to do.

In Python files and code cells a region begins with a line ``###`` and ``BEGIN SOLUTION 2: what to do``, and
ends with ``###`` and ``END SOLUTION``. In Markdown cells both marks are HTML comments. Regions of the
challenges before a level keep their lines and lose the marks; from the level on a TODO takes their place.
"""

import json
import re
import textwrap
from dataclasses import dataclass
from typing import Any

from backstage.challenges.files import NOTE, Files
from backstage.stack.texts import refusal

CHALLENGES = (1, 2, 3)

_FAULT_RATE = {2: 0.1}
_MARK = re.compile(r"^[ \t]*(?:###|<!--)\s*(?:BEGIN|END) SOLUTION\b.*", re.MULTILINE)
_REGION = re.compile(
    r"^(?P<indent>[ \t]*)(?:###|<!--) BEGIN SOLUTION (?P<challenge>\d+)"
    r"(?:: (?P<todo>[^\n]*?))?(?: -->)?\s*?\n"
    r"(?P<lines>.*?)"
    r"^(?P<end>[ \t]*)(?:### END SOLUTION|<!-- END SOLUTION -->)\s*?(?:\n|\Z)",
    re.MULTILINE | re.DOTALL,
)


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


def course(marked: Files, level: Level) -> Files:
    """Return all files of the course as they are at a level.

    Raises
    ------
    WorkshopError
        If the marks in a file are wrong.
    """
    note = json.dumps(level.note(), indent=1) + "\n"
    return {path: transform(path, data, level) for path, data in marked.items()} | {NOTE: note.encode()}


def transform(path: str, data: bytes, level: Level) -> bytes:
    """Return the content of a file at a level; only code and notebooks have marks."""
    if re.fullmatch(r"workshop/[^/]+\.py", path):
        return solved_before(level.first_open, data.decode(), path).encode()
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
        source = solved_before(level.first_open, "".join(cell["source"]), _place(name, cell), todo=code)
        if source or code:
            empty: dict[str, Any] = {"outputs": [], "execution_count": None} if code else {}
            cells.append(cell | {"source": source.splitlines(keepends=True)} | empty)
    metadata = notebook["metadata"] | {"workshop": {"challenge": level.challenge}}
    return notebook | {"cells": cells, "metadata": metadata}


def solved_before(first_open: int, text: str, name: str = "", todo: bool = True) -> str:
    """Return a text in which the challenges from `first_open` on are to do.

    Parameters
    ----------
    first_open : int
        The first challenge that is not solved.
    text : str
        The marked text.
    name : str
        Where the text is from, for errors.
    todo : bool
        Whether a line says what is to do; Markdown has none.

    Raises
    ------
    WorkshopError
        If a mark is wrong.
    """

    def at_this_level(region: re.Match[str]) -> str:
        if int(region["challenge"]) < first_open:
            return region["lines"]
        what = region["todo"] if todo else None
        return f"{region['indent']}# TODO - challenge {region['challenge']}: {what}\n" if what else ""

    _regions(text, name)
    made = _REGION.sub(at_this_level, text)
    return made if text.endswith("\n") else made.rstrip("\n")


def solutions(path: str, data: bytes, challenge: int) -> list[str]:
    """Return the solution of a challenge in a file: one dedented text for each region."""
    texts = [(path, data.decode())]
    if path.endswith(".ipynb"):
        cells = [cell for cell in json.loads(data)["cells"] if cell["cell_type"] == "code"]
        texts = [(_place(path, cell), "".join(cell["source"])) for cell in cells]
    found = [region for name, text in texts for region in _regions(text, name)]
    wanted = [region["lines"] for region in found if int(region["challenge"]) == challenge]
    return [textwrap.dedent(lines).strip("\n") for lines in wanted]


def _regions(text: str, name: str) -> list[re.Match[str]]:
    """Return the marked regions of a text, each of whose marks must begin or end one."""
    found = list(_REGION.finditer(text))
    edges = {edge for region in found for edge in (region.start(), region.start("end"))}
    for mark in _MARK.finditer(text):
        if mark.start() not in edges:
            line = text.count("\n", 0, mark.start()) + 1
            raise refusal("wrong-mark", name=name, line=line, mark=mark[0].strip())
    return found


def _place(name: str, cell: dict[str, Any]) -> str:
    return f"{name}, cell {cell.get('id', '?')}"
