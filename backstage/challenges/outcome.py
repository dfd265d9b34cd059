"""Waits for the tasks of a run, and tells from the ledger what became of them."""

import re
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

from backstage.challenges.verdict import Verdict, phrase
from backstage.stack.status import workers_ready
from workshop.delivery.ledger import Ledger, LogLine, ledger
from workshop.delivery.record import Published

PATIENCE = 20
"""Seconds without any change after which a check stops waiting."""

FAR = 60
"""A retry that is due later than this many seconds is not waited for."""


def settle(tasks: Sequence[Published]) -> Ledger:
    """Wait until the tasks of a run have ended, and say so meanwhile.

    Parameters
    ----------
    tasks : sequence of Published
        The run.

    Returns
    -------
    Ledger
        How they ended; or where they are, if nothing changed for `PATIENCE` seconds.
    """
    now = look(tasks)
    since = began = time.monotonic()
    first = _ended(now)
    with tqdm(bar_format="{desc}", leave=False, file=sys.stdout, mininterval=0, disable=over(now)) as line:
        while not over(now) and time.monotonic() - since < PATIENCE:
            line.set_description_str(_in_words(now, _ended(now) - first, time.monotonic() - began))
            time.sleep(0.3)
            before, now = now, look(tasks)
            if _has_changed(before, now):
                since = time.monotonic()
    return now


def look(tasks: Sequence[Published]) -> Ledger:
    """Return where the tasks of a run are now; what seems lost may be on its way, and is looked for twice."""
    now = ledger(tasks, workers_ready())
    if lost(now):
        time.sleep(0.3)
        now = ledger(tasks, workers_ready())
    return now


def lost(now: Ledger) -> set[str]:
    """Return the tasks that ended without a row and without a failure; at a central queue nobody can tell."""
    return {task.id for task in (*now.missing, *now.unknown)} - {line.task_id for line in now.failures}


def failed(now: Ledger) -> set[str]:
    """Return the tasks that ended without a row, whether someone noticed or not."""
    return {line.task_id for line in now.failures} | now.dead.keys() | lost(now)


def due(now: Ledger) -> dict[str, float]:
    """Return the seconds until each task of a run that a worker has is due; 0 where it may run."""
    open_ = {task.id for task in now.published} - now.rows.keys()
    return {id: seconds for id, seconds in now.held.items() if id in open_}


def over(now: Ledger) -> bool:
    """Return whether no task is left to wait for; those due far in the future are not waited for."""
    return _ended(now) == len(now.published) or (not now.waiting and _soonest(now) > FAR)


def running(challenge: int, now: Ledger) -> Verdict | None:
    """Return that the tasks of a run have not ended, and nothing moves; None if they have.

    Parameters
    ----------
    challenge : int
        A number from 1 to 4.
    now : Ledger
        Where the tasks are.
    """
    if over(now):
        return None
    numbers = {"waiting": now.waiting, "sent": len(now.published), "held": len(due(now))}
    return Verdict(f"C{challenge}-RUNNING", phrase("running", **numbers), numbers)


def most_common_error(lines: Sequence[LogLine]) -> str:
    """Return the text of the error that occurs most often, without the point it names."""
    kinds = Counter(line.error_type for line in lines)
    error = max(lines, key=lambda line: kinds[line.error_type]).error if lines else ""
    return re.sub(r" for \(.*", "", error)


def _ended(now: Ledger) -> int:
    """Return how many tasks will not change any more."""
    return len(failed(now) | now.rows.keys())


def _soonest(now: Ledger) -> float:
    return min(due(now).values(), default=0)


def _has_changed(before: Ledger, now: Ledger) -> bool:
    def numbers(each: Ledger) -> tuple[int, ...]:
        return _ended(each), len(each.log), each.waiting, len(due(each))

    return numbers(before) != numbers(now) or 0 < _soonest(now) <= FAR or now.paused > 0


def _in_words(now: Ledger, done: int, seconds: float) -> str:
    left = len(now.published) - _ended(now)
    if now.paused:
        return phrase("still-paused", left=left, seconds=now.paused)
    guess = max([left * seconds / done if done else 0, *due(now).values()])
    return phrase("still-running-about" if guess else "still-running", left=left, seconds=guess)
