"""Challenge 1, put 2,500 tasks on the queue: its check. All texts, such as hints, are in ``texts.toml``."""

import json
import sys
from typing import Any

import sqlalchemy as sa
from celery import Task

from backstage.challenges import checking, health, outcome, progress
from backstage.challenges.program import TASK
from backstage.challenges.verdict import PASSED, Verdict, phrase, say
from workshop import db
from workshop.database import execute
from workshop.delivery.record import Published, Run, in_notebook
from workshop.delivery.sender import STARTED
from workshop.grid import WIDTH, check_point

TASKS = 2500


hint, solution = progress.help_with(1)


def check() -> Verdict:
    """Look at what this notebook sent and what became of it, and say what is right or wrong."""
    return checking.conclude(1, _judge)


def _judge() -> Verdict:
    """Judge the latest run; but who was right before may go on trying things."""
    candidates = checking.runs_of(1)
    verdicts = []
    for run in reversed(candidates):
        verdicts.append(verdict := _judge_run(run))
        if verdict.kind == PASSED:
            return verdict
    named_wrong = verdicts and verdicts[0].code in ("C1-WRONG-NAME", "C1-DEFINED-HERE")
    if not named_wrong and (rows := _direct_rows(candidates[-1:])):
        return say("C1-CALLED-DIRECTLY", rows=rows)
    return verdicts[0] if verdicts else say("C1-NOT-ATTEMPTED")


def _judge_run(run: Run) -> Verdict:
    return _stopped(run) or _sent(run.tasks) or _points(run.tasks) or _done(run.tasks)


def _stopped(run: Run) -> Verdict | None:
    sent = sum(task.confirmed for task in run.tasks)
    if run.error.startswith("NotImplementedError"):
        return say("C1-WAITED", sent=sent)
    unsent = [task for task in run.every if task.unsent]
    if unsent and "serializable" in run.error:
        argument, value = _unsendable(unsent[-1])
        return say("C1-NOT-JSON", argument=argument, value=value)
    return say("C1-CELL-STOPPED", sent=sent, error=run.error) if run.error else None


def _unsendable(task: Published) -> tuple[str, str]:
    """Return name and text of the argument that is no number; the record keeps such values as text."""
    texts = [(name, value) for name, value in zip("xy", task.point, strict=False) if isinstance(value, str)]
    return texts[0] if texts else (phrase("x-or-y"), json.dumps(task.point))


def _sent(tasks: list[Published]) -> Verdict | None:
    if wrong := [task.name for task in tasks if task.name != TASK]:
        code = "C1-DEFINED-HERE" if _is_defined_here(wrong[0]) else "C1-WRONG-NAME"
        known = sorted({name for report in health.reports().values() for name in report["tasks"]})
        return say(code, sent=len(wrong), name=wrong[0], known=", ".join(known), task=TASK)
    if odd := [task for task in tasks if not task.is_point]:
        arguments = json.dumps([*odd[0].args, *([odd[0].kwargs] if odd[0].kwargs else [])])[:80]
        return say("C1-ARGUMENTS", sent=len(tasks), wrong=len(odd), arguments=arguments)
    if len(tasks) != (number := checking.wanted(TASKS)):
        return say("C1-TOO-FEW" if len(tasks) < number else "C1-TOO-MANY", sent=len(tasks), wanted=number)
    return None


def _is_defined_here(name: str) -> bool:
    """Return whether a cell of this notebook defines the task."""
    own = vars(sys.modules["__main__"]).values()
    tasks = [each for each in own if isinstance(each, Task) and each.name == name]
    return any(task.run.__module__ == "__main__" for task in tasks)


def _points(tasks: list[Published]) -> Verdict | None:
    points = [task.point for task in tasks]
    off = [(x, y) for x, y in points if not _on_grid(x, y)]
    different = min(len({str(value) for value in axis}) for axis in zip(*points, strict=True))
    if different < len(points) / 2:
        return say("C1-ONE-POINT", sent=len(points), different=different)
    if off and all(_on_grid(y, x) for x, y in points):
        return say("C1-SWAPPED", sent=len(points), off=len(off))
    if off:
        return say("C1-OUT-OF-RANGE", sent=len(points), off=len(off), x=off[0][0], y=off[0][1])
    return say("C1-HALF-GRID") if max(y for _, y in points) < WIDTH else None


def _on_grid(x: Any, y: Any) -> bool:
    try:
        check_point(x, y)
    except ValueError:
        return False
    return True


def _done(tasks: list[Published]) -> Verdict:
    now = outcome.settle(tasks)
    if without_row := outcome.failed(now):
        error = outcome.most_common_error(now.failures) or phrase("no-row")
        return say("C1-FAILED", sent=len(tasks), failed=len(without_row), error=error)
    return outcome.running(1, now) or say("C1-PASSED", sent=len(tasks), done=len(now.rows))


def _direct_rows(latest: list[Run]) -> int:
    """Return how many rows were written without a worker after the latest run."""
    square = db.GridSquare
    known = [run.at for run in latest] + ([STARTED] if in_notebook() else [])
    after = sa.cast(max(known), sa.DateTime(timezone=True)) if known else sa.text("now() - interval '1 hour'")
    count = sa.select(sa.func.count()).where(square.worker == "direct", square.processed_at > after)
    return execute(count).scalar_one()
