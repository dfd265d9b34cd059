"""Challenge 5, do a whole tile with fewer messages: its check; hints are in ``texts.toml``.

No verdict hangs on a time: how many times as fast it was depends on the machine, and is only told.
"""

import sqlalchemy as sa

from backstage.challenges import checking, outcome, progress
from backstage.challenges.verdict import Verdict, phrase, say
from workshop import db, grid
from workshop.database import among, execute
from workshop.delivery.record import Published, Run, uuids

TILE, SQUARES = "SK", 10_000
FEWEST, MOST = 20, 1_000
"""Messages: with fewer some processes have nothing to do, with more the way of a message costs most."""

ONE_EACH = 500
"""Tasks of one square each, to compare with."""

hint, solution = progress.help_with(5)


def check(guess: object = None) -> Verdict:
    """Look at the latest run for the tile and at its rows, and say what is right or wrong.

    Parameters
    ----------
    guess : number, optional
        How many times as many squares a second there would be.
    """
    return checking.conclude(5, lambda: _judge(guess))


def _judge(guess: object) -> Verdict:
    candidates = checking.runs_of(5)
    tries = [run for run in candidates if sum(map(_is_in_tile, run.tasks)) > len(run.tasks) / 2]
    if not tries:
        return say("C5-NOT-ATTEMPTED")
    if not (guess is None or checking.is_count(guess)):
        return say("C5-GUESS", guess=repr(guess)[:60])
    number = checking.wanted(ONE_EACH)
    one_each = [run for run in candidates if {task.squares for task in run.tasks} == {1}]
    if not (before := checking.latest(one_each, number)):
        return say("C5-NOT-MEASURED", wanted=number)
    verdict = _judge_run(tries[-1], before)
    return verdict if guess is None else verdict.noting(phrase("guess", guess=guess))


def _is_in_tile(task: Published) -> bool:
    try:
        return grid.reference(*task.point[:2]).startswith(TILE)
    except (TypeError, ValueError):
        return False


def _judge_run(run: Run, before: Run) -> Verdict:
    if (sent := len(run.tasks)) > MOST:
        return say("C5-TOO-FINE", sent=sent, most=MOST)
    now = outcome.settle(run.tasks)
    if without_row := outcome.failed(now):
        error = outcome.most_common_error(now.failures) or phrase("no-row")
        return say("C5-FAILED", sent=sent, failed=len(without_row), error=error)
    if still := outcome.running(5, now):
        return still
    rows, squares, rate = _done(run)
    if squares < SQUARES:
        return say("C5-GAPS", sent=sent, squares=squares, wanted=SQUARES)
    if rows > squares:
        return say("C5-TOO-MUCH", sent=sent, squares=squares, more=rows - squares)
    if sent < FEWEST:
        return say("C5-TOO-COARSE", sent=sent, fewest=FEWEST)
    return say("C5-PASSED", sent=sent, squares=squares, rate=rate, times=rate / _done(before)[2])


def _done(run: Run) -> tuple[int, int, float]:
    """Return how many rows a run has, how many squares of the tile, and its rows a second."""
    row = db.GridSquare
    squares = sa.func.count(row.grid_ref.distinct()).filter(row.grid_ref.startswith(TILE))
    span = sa.func.max(row.processed_at) - sa.func.min(row.processed_at)
    columns = sa.func.count(), squares, sa.extract("epoch", span)
    found = sa.select(*columns).where(among(row.task_id, uuids(task.id for task in run.tasks)))
    rows, in_tile, seconds = execute(found).one()
    return rows, in_tile, rows / max(float(seconds), 1e-3)
