"""What all checks share: the environment first, then the run that counts, then the verdict."""

import math
from collections.abc import Callable, Sequence
from numbers import Number
from pathlib import Path
from typing import Any

from backstage.challenges import health, progress
from backstage.challenges.source import notebook_of
from backstage.challenges.verdict import PASSED, RUNNING, Verdict
from workshop import settings
from workshop.delivery import publisher
from workshop.delivery.record import Run, in_notebook, own_runs, runs


def conclude(challenge: int, judge: Callable[[], Verdict]) -> Verdict:
    """Look at the environment, then judge the answer, and note a pass.

    Parameters
    ----------
    challenge : int
        A number from 1 to 5.
    judge : callable
        Returns the verdict on the answer.
    """
    publisher.flush()
    verdict = health.trouble(challenge) or judge()
    if verdict.kind == RUNNING:
        verdict = health.trouble(challenge) or verdict
    if verdict.kind == PASSED:
        progress.note(challenge, "passed")
    return verdict.noting(*health.notes())


def wanted(tasks: int) -> int:
    """Return how many tasks a challenge wants: so many, or fewer where ``WORKSHOP_TASKS`` says so."""
    return min(tasks, settings.get("tasks") or tasks)


def runs_of(challenge: int) -> list[Run]:
    """Return the runs to judge: a notebook's own since its kernel started, else those of the challenge's."""
    if in_notebook():
        return own_runs()
    return [run for run in runs() if run.source in (Path(notebook_of(challenge)).stem, "notebook", "demo")]


def latest(candidates: Sequence[Run], tasks: int) -> Run | None:
    """Return the latest run with at least so many tasks; None if there is none."""
    return next((run for run in reversed(candidates) if len(run.tasks) >= tasks), None)


def is_count(value: Any) -> bool:
    """Return whether something is a number from 0 up, of Python or of NumPy; yes and no are none."""
    is_number = isinstance(value, Number) and not isinstance(value, bool | complex)
    return is_number and 0 <= value < math.inf
