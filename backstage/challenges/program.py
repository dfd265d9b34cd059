"""Looks at the attendee's program from outside, so that a mistake in it breaks nothing here.

`read_task` reads ``tasks.py`` as text; `ask` imports it in a process of its own.
"""

import ast
import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from backstage.challenges.verdict import phrase
from backstage.stack import logs
from backstage.stack.environment import of_child
from workshop.state_folder import ROOT

TASKS = ROOT / "workshop" / "tasks.py"
TASK = "workshop.tasks.do_task"


@dataclass(frozen=True)
class TaskCode:
    """What ``do_task`` is made of, as saved.

    Attributes
    ----------
    clauses : list of (int, tuple of str)
        Its ``except`` clauses, in the file's order: the line, and the names of the exceptions; a bare one
        has none.
    words : set of str
        The last names of all that it calls, such as ``retry`` or ``sleep``, and the names of its decorator's
        options, such as ``autoretry_for``.
    """

    clauses: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    @property
    def retries(self) -> bool:
        """Whether it asks for retries in one way or another."""
        return not self.words.isdisjoint({"retry", "autoretry_for"})

    @property
    def attempted(self) -> bool:
        """Whether someone worked on the recoverable error."""
        return self.retries or self.service_line > 0

    @property
    def service_line(self) -> int:
        """The line of the first clause that names the recoverable error; 0 if there is none."""
        return next((line for line, names in self.clauses if "ServiceError" in names), 0)

    @property
    def broad_line(self) -> int:
        """The line of the first clause that catches everything; 0 if there is none."""
        return next((line for line, names in self.clauses if not names or not _BROAD.isdisjoint(names)), 0)

    @property
    def caught(self) -> list[str]:
        """The names of the exceptions that it tells from others."""
        return [name for _, names in self.clauses for name in names if name not in _BROAD]


_BROAD = {"Exception", "BaseException"}


def read_task() -> TaskCode:
    """Return what ``do_task`` in ``tasks.py`` is made of; nothing where there is none."""
    for node in ast.walk(ast.parse(TASKS.read_bytes())):
        if isinstance(node, ast.FunctionDef) and node.name == "do_task":
            body = [each for statement in node.body for each in ast.walk(statement)]
            options = [each.keywords for each in node.decorator_list if isinstance(each, ast.Call)]
            return TaskCode(
                [(each.lineno, _caught_by(each)) for each in body if isinstance(each, ast.ExceptHandler)],
                {_last_name(each.func) for each in body if isinstance(each, ast.Call)}
                | {option.arg for each in options for option in each if option.arg},
            )
    return TaskCode()


def _caught_by(node: ast.ExceptHandler) -> tuple[str, ...]:
    types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type] if node.type else []
    return tuple(map(_last_name, types))


def _last_name(node: ast.AST) -> str:
    """Return how a name ends: ``retry`` for ``self.retry``."""
    return ast.unparse(node).rpartition(".")[2]


def ask(points: list[list[Any]], fault_rate: float) -> dict[str, Any]:
    """Import the program in a process of its own and ask it about points.

    Parameters
    ----------
    points : list of [x, y]
        Eastings and northings in metres (EPSG:27700).
    fault_rate : float
        The share of attempts that meet the artificial fault.

    Returns
    -------
    dict
        ``errors``, how often each point meets the fault; or ``problem``, why the program can't be imported:
        file, line and error.
    """
    answer = subprocess.run(
        [sys.executable, "-m", "backstage.challenges.fresh"],
        input=json.dumps({"points": points, "fault_rate": fault_rate}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=of_child(),
    )
    try:
        return {"errors": json.loads(answer.stdout.splitlines()[-1])}
    except (ValueError, IndexError):  # it ended with a traceback, or the program ended it
        said = (answer.stderr.strip().splitlines() or [phrase("no-answer")])[-1]
        return {"problem": logs.failure(answer.stderr) or said}
