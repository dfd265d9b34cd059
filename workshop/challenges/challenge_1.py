"""Challenge 1: put 2,500 tasks on the queue. Its check, its hints, and all its texts."""

import json
import sys

import sqlalchemy as sa
from celery import Task

from workshop import db
from workshop.challenges import guide
from workshop.challenges.checking import conclude, mention, running, runs_of, wanted
from workshop.challenges.outcome import most_common_error, settle
from workshop.challenges.program import TASK
from workshop.challenges.verdict import PASSED, Verdict, say
from workshop.connection import execute
from workshop.delivery.record import Published, Run
from workshop.delivery.recorder import STARTED, in_notebook
from workshop.delivery.report import ask_workers
from workshop.grid import HEIGHT, WIDTH
from workshop.settings import broker_url

NOTEBOOK = "01-enqueue"

TEXTS = {
    "C1-PASSED": "{sent:,} tasks sent, {done:,} rows, 0 failed. Well done!",
    "C1-NOT-ATTEMPTED": (
        "No task was sent from this notebook since its kernel started.\n"
        "Next: write the loop in the cell with the TODO, run the cell, then check again"
    ),
    "C1-CALLED-DIRECTLY": (
        "{rows} rows were written by this program itself, and no message was sent. "
        "do_task(x, y) runs the task here and now.\n"
        "Next: put the task on the queue with its method delay"
    ),
    "C1-CELL-STOPPED": (
        "The cell stopped after {sent} tasks: {error}.\nNext: mend the line that the error names, and run the cell again"
    ),
    "C1-WAITED": (
        "The cell waited for a result after {sent} task(s). There is no result backend: the row is the result.\n"
        "Next: send the tasks without asking for what they return"
    ),
    "C1-NOT-JSON": (
        "Argument {argument} is {value}, and a message can't carry it. JSON carries numbers and text.\n"
        "Next: send x and y as plain numbers"
    ),
    "C1-DEFINED-HERE": (
        "You sent {sent} tasks named {name}, a task that this notebook defines. The worker does not know it.\n"
        "Next: send the task of workshop/tasks.py: from workshop.tasks import do_task"
    ),
    "C1-WRONG-NAME": ("You sent {sent} tasks named {name}. The worker knows {known}.\nNext: send {task}"),
    "C1-ARGUMENTS": (
        "{wrong} of {sent:,} tasks were sent with the arguments {arguments}, and do_task takes two: x and y.\n"
        "Next: hand both to each task, first x, then y"
    ),
    "C1-TOO-FEW": "{sent:,} tasks were sent, and {wanted:,} are wanted.\nNext: let the loop run {wanted:,} times",
    "C1-TOO-MANY": "{sent:,} tasks were sent, and {wanted:,} are wanted.\nNext: let the loop run {wanted:,} times",
    "C1-ONE-POINT": (
        "{sent:,} tasks were sent, but they have only {different} different points.\n"
        "Next: get x and y anew for each task, inside the loop"
    ),
    "C1-SWAPPED": (
        "{off} of {sent:,} points are off the grid, and all would be on it with x and y swapped.\n"
        "Next: x comes first, then y"
    ),
    "C1-OUT-OF-RANGE": (
        "{off} of {sent:,} points are off the grid, such as x = {x}, y = {y}.\n"
        "Next: use get_random_x() for x (below 700,000 m) and get_random_y() for y (below 1,300,000 m)"
    ),
    "C1-HALF-GRID": (
        "No point lies north of y = 700,000 m, so half of the map stays empty.\nNext: use get_random_y() for y"
    ),
    "C1-FAILED": "{failed} of {sent:,} tasks failed: {error}.\nNext: Flower shows each failure; mend the arguments",
}

HINTS = (
    "A loop repeats what is inside it. You want something to happen 2,500 times, each time with a new point.",
    "range(2500) counts for a loop. Inside the loop, two functions of workshop/demo.py give you x and y.",
    "A task has a method delay. It takes the same arguments as the task, and puts a message on the queue.",
    "Four lines: for ... in range(...), x = ..., y = ..., and last do_task.delay with both. The last three are indented.",
)


def check() -> Verdict:
    """Look at what this notebook sent and what became of it, and say what is right or wrong."""
    return conclude(1, _judge)


def hint() -> guide.Text:
    """Return the next hint."""
    return guide.next_hint(1, HINTS)


def solution() -> guide.Text:
    """Return the solution."""
    return guide.solution(1)


def _judge() -> Verdict:
    """Judge the latest run; but who was right before may go on trying things."""
    candidates = runs_of(NOTEBOOK)
    verdicts = []
    for run in reversed(candidates):
        verdicts.append(verdict := _judge_run(run))
        if verdict.kind == PASSED:
            return verdict.noting(*mention(candidates, run))
    named_wrong = verdicts and verdicts[0].code in ("C1-WRONG-NAME", "C1-DEFINED-HERE")
    if not named_wrong and (rows := _direct_rows(candidates[-1:])):
        return say(TEXTS, "C1-CALLED-DIRECTLY", rows=rows)
    return verdicts[0] if verdicts else say(TEXTS, "C1-NOT-ATTEMPTED")


def _judge_run(run: Run) -> Verdict:
    return _stopped(run) or _sent(run.tasks) or _points(run.tasks) or _done(run.tasks)


def _stopped(run: Run) -> Verdict | None:
    sent = sum(task.confirmed for task in run.tasks)
    if run.error.startswith("NotImplementedError"):
        return say(TEXTS, "C1-WAITED", sent=sent)
    if run.unsent and "serializable" in run.error:
        argument, value = _unsendable(run.unsent[-1])
        return say(TEXTS, "C1-NOT-JSON", argument=argument, value=value)
    if run.error:
        return say(TEXTS, "C1-CELL-STOPPED", sent=sent, error=run.error)
    return None


def _unsendable(task: Published) -> tuple[str, str]:
    """Return name and text of the argument that is no number; the record keeps such values as text."""
    for name, value in zip("xy", task.point, strict=False):
        if isinstance(value, str):
            return name, value
    return "x or y", json.dumps(task.point)


def _sent(tasks: list[Published]) -> Verdict | None:
    wrong = [task.name for task in tasks if task.name != TASK]
    if wrong:
        code = "C1-DEFINED-HERE" if _is_defined_here(wrong[0]) else "C1-WRONG-NAME"
        known = sorted({name for report in ask_workers(broker_url()).values() for name in report["tasks"]})
        names = {"name": wrong[0], "known": ", ".join(known), "task": TASK}
        return say(TEXTS, code, sent=len(wrong), **names)
    if odd := [task for task in tasks if not task.is_point]:
        arguments = json.dumps([*odd[0].args, *([odd[0].kwargs] if odd[0].kwargs else [])])[:80]
        return say(TEXTS, "C1-ARGUMENTS", sent=len(tasks), wrong=len(odd), arguments=arguments)
    if len(tasks) != wanted():
        code = "C1-TOO-FEW" if len(tasks) < wanted() else "C1-TOO-MANY"
        return say(TEXTS, code, sent=len(tasks), wanted=wanted())
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
        return say(TEXTS, "C1-ONE-POINT", sent=len(points), different=different)
    if off and all(_on_grid(y, x) for x, y in points):
        return say(TEXTS, "C1-SWAPPED", sent=len(points), off=len(off))
    if off:
        return say(TEXTS, "C1-OUT-OF-RANGE", sent=len(points), off=len(off), x=off[0][0], y=off[0][1])
    if max(y for _, y in points) < WIDTH:
        return say(TEXTS, "C1-HALF-GRID")
    return None


def _on_grid(x: object, y: object) -> bool:
    numbers = isinstance(x, int | float) and isinstance(y, int | float)
    return numbers and 0 <= x < WIDTH and 0 <= y < HEIGHT  # type: ignore[operator]


def _done(tasks: list[Published]) -> Verdict:
    now = settle(tasks)
    failed = len(now.failures) + len(now.dead) + len(now.missing)
    if failed:
        error = most_common_error(now.failures) or "they ended without a row"
        return say(TEXTS, "C1-FAILED", sent=now.sent, failed=failed, error=error)
    if not now.over:
        return running(1, now)
    return say(TEXTS, "C1-PASSED", sent=now.sent, done=len(now.rows))


def _direct_rows(latest: list[Run]) -> int:
    """Return how many rows were written without a worker after the latest run."""
    square = db.GridSquare
    known = [run.at for run in latest] + ([STARTED] if in_notebook() else [])
    after = sa.cast(max(known), sa.DateTime(timezone=True)) if known else sa.text("now() - interval '1 hour'")
    count = sa.select(sa.func.count()).where(square.worker == "direct", square.processed_at > after)
    return execute(count).scalar_one()
