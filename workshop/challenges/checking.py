"""What all checks share: the environment first, then the runs that count, then the verdict."""

from collections.abc import Callable, Sequence
from datetime import datetime

from workshop import settings
from workshop.challenges import environment, progress
from workshop.challenges.outcome import Outcome
from workshop.challenges.verdict import PASSED, Verdict, say
from workshop.delivery import recorder
from workshop.delivery.record import Run, own_runs, runs

RUNNING = (
    "{waiting} of {sent} tasks wait, {held} are with a worker, and nothing has changed for a while.\n"
    "Next: workshop status, then check again"
)


def conclude(challenge: int, judge: Callable[[], Verdict]) -> Verdict:
    """Look at the environment, then judge the answer, and note a pass.

    Parameters
    ----------
    challenge : int
        A number from 1 to 4.
    judge : callable
        Returns the verdict on the answer.
    """
    verdict = environment.trouble(challenge) or judge()
    if verdict.code.endswith("-RUNNING"):
        verdict = environment.trouble(challenge) or verdict
    if verdict.kind == PASSED:
        progress.note(challenge, "passed")
    return verdict.noting(*environment.notes())


def wanted() -> int:
    """Return how many tasks challenge 1 wants: 2,500, or fewer where ``WORKSHOP_TASKS`` says so."""
    return settings.get("tasks") or 2500


def runs_of(notebook: str) -> list[Run]:
    """Return the runs to judge: in a notebook its own since its kernel started, else those of that notebook.

    Parameters
    ----------
    notebook : str
        The notebook's name, such as ``01-enqueue``.
    """
    if recorder.in_notebook():
        return own_runs()
    return [run for run in runs() if run.source in (notebook, "notebook", "demo")]


def latest_full(candidates: Sequence[Run], tasks: int) -> Run | None:
    """Return the latest run with at least so many tasks; if there is none, the latest."""
    full = [run for run in candidates if len(run.tasks) >= tasks]
    return next(reversed(full or candidates), None)


def mention(candidates: Sequence[Run], judged: Run) -> list[str]:
    """Return a note on the other runs of this notebook, which do not count."""
    others = len(candidates) - 1
    if not others:
        return []
    runs_ = "1 other run was" if others == 1 else f"{others} other runs were"
    at = datetime.fromisoformat(judged.at).astimezone()
    return [f"The run of {at:%H:%M:%S} was judged. {runs_} not counted."]


def running(challenge: int, now: Outcome) -> Verdict:
    """Return that the work is not done yet, and nothing moves."""
    numbers = {"waiting": now.waiting, "sent": now.sent, "held": len(now.held)}
    code = f"C{challenge}-RUNNING"
    return say({code: RUNNING}, code, **numbers)
