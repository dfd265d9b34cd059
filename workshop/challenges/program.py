"""Looks at the attendee's program from outside, so that a mistake in it breaks nothing here.

`read_task` reads ``tasks.py`` as text; `ask` imports it in a process of its own.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workshop.machine import ROOT
from workshop.stack.environment import of_child

TASKS = ROOT / "workshop" / "tasks.py"
TASK = "workshop.tasks.do_task"


@dataclass(frozen=True)
class Clause:
    """One ``except`` clause of the task.

    Attributes
    ----------
    line : int
        Where it stands.
    catches : tuple of str
        The names of its exceptions; empty for a bare ``except``.
    """

    line: int
    catches: tuple[str, ...]

    @property
    def is_broad(self) -> bool:
        """Whether it catches everything."""
        return not self.catches or not {"Exception", "BaseException"}.isdisjoint(self.catches)

    @property
    def catches_service_error(self) -> bool:
        """Whether it names the recoverable error."""
        return "ServiceError" in self.catches


@dataclass(frozen=True)
class TaskCode:
    """What ``do_task`` is made of, as saved.

    Attributes
    ----------
    clauses : list of Clause
        Its ``except`` clauses, in the file's order.
    calls : set of str
        The last names of all that it calls, such as ``retry`` or ``sleep``.
    options : set of str
        The names of the decorator's options, such as ``autoretry_for``.
    """

    clauses: list[Clause] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    options: set[str] = field(default_factory=set)

    @property
    def retries(self) -> bool:
        """Whether it asks for retries in one way or another."""
        return "retry" in self.calls or "autoretry_for" in self.options

    @property
    def attempted(self) -> bool:
        """Whether someone worked on the recoverable error."""
        return self.retries or any(clause.catches_service_error for clause in self.clauses)

    @property
    def broad_line(self) -> int:
        """The line of the first clause that catches everything; 0 if there is none."""
        return next((clause.line for clause in self.clauses if clause.is_broad), 0)


def read_task() -> TaskCode:
    """Return what ``do_task`` in ``tasks.py`` is made of; nothing where there is none."""
    for node in ast.walk(ast.parse(TASKS.read_bytes())):
        if isinstance(node, ast.FunctionDef) and node.name == "do_task":
            body = [each for statement in node.body for each in ast.walk(statement)]
            decorators = [each for each in node.decorator_list if isinstance(each, ast.Call)]
            return TaskCode(
                [_clause(each) for each in body if isinstance(each, ast.ExceptHandler)],
                {name for each in body if isinstance(each, ast.Call) for name in _names(each.func)},
                {option.arg for each in decorators for option in each.keywords if option.arg},
            )
    return TaskCode()


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
        [sys.executable, "-m", "workshop.challenges.fresh"],
        input=json.dumps({"points": points, "fault_rate": fault_rate}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=of_child(),
    )
    try:
        return json.loads(answer.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return {"problem": (answer.stderr.strip().splitlines() or ["it ended without an answer"])[-1]}


def _clause(node: ast.ExceptHandler) -> Clause:
    if node.type is None:
        return Clause(node.lineno, ())
    types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return Clause(node.lineno, tuple(name for each in types for name in _names(each)))


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
