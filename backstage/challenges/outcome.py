"""Waits for the tasks of a run, and tells from the ledger what became of them."""

import re
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

from backstage.challenges.verdict import Verdict, phrase
from workshop.delivery.ledger import FAR, Ledger, LogLine, follow
from workshop.delivery.record import Published

PATIENCE = 20
"""Seconds without any change after which a check stops waiting."""


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
    looks = follow(tasks, PATIENCE)
    now, began = next(looks), time.monotonic()
    first = _ended(now)
    with tqdm(bar_format="{desc}", leave=False, file=sys.stdout, mininterval=0, disable=over(now)) as line:
        while not over(now) and next(looks, None):
            line.set_description_str(_in_words(now, _ended(now) - first, time.monotonic() - began))
    return now


def lost(now: Ledger) -> set[str]:
    """Return the tasks that ended without a row and without a failure; at a central queue nobody can tell."""
    return {task.id for task in (*now.missing, *now.unknown)} - now.failed


def failed(now: Ledger) -> set[str]:
    """Return the tasks that ended without a row, whether someone noticed or not."""
    return now.failed | lost(now)


def over(now: Ledger) -> bool:
    """Return whether no task is left to wait for; those due far in the future are not waited for."""
    left = now.open.keys() - lost(now)
    return not left or (left <= now.held.keys() and now.soonest > FAR)


def running(challenge: int, now: Ledger) -> Verdict | None:
    """Return that the tasks of a run have not ended, and nothing moves; None if they have.

    Parameters
    ----------
    challenge : int
        A number from 1 to 5.
    now : Ledger
        Where the tasks are.
    """
    if over(now):
        return None
    waiting = min(now.waiting, len(now.open))  # others' tasks are in the queue, too
    numbers = {"waiting": waiting, "sent": len(now.published), "held": len(now.held)}
    return Verdict(f"C{challenge}-RUNNING", phrase("running", **numbers), numbers)


def most_common_error(lines: Sequence[LogLine]) -> str:
    """Return the text of the error that occurs most often, without the point it names."""
    kinds = Counter(line.error_type for line in lines)
    error = max(lines, key=lambda line: kinds[line.error_type]).error if lines else ""
    return re.sub(r" for \(.*", "", error)


def _ended(now: Ledger) -> int:
    """Return how many tasks will not change any more."""
    return len(now.rows) + len(failed(now))


def _in_words(now: Ledger, done: int, seconds: float) -> str:
    left = len(now.published) - _ended(now)
    if now.paused:
        return phrase("still-paused", left=left, seconds=now.paused)
    guess = max([left * seconds / done if done else 0, *now.held.values()])
    return phrase("still-running-about" if guess else "still-running", left=left, seconds=guess)
