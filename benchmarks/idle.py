"""How long a run of tasks stood still: between rows at all, and while a task was due and nobody took it."""

from collections.abc import Iterable
from itertools import pairwise


def longest_gap(rows: dict[str, float]) -> float:
    """Return the longest time between two rows in seconds.

    Parameters
    ----------
    rows : dict of str to float
        When each task's row was written (seconds since 1970), by the task's id.
    """
    ends = sorted(rows.values())
    return max((after - before for before, after in pairwise(ends)), default=0)


def longest_idle(rows: dict[str, float], retries: Iterable[tuple[str, float, float]], began: float) -> float:
    """Return the longest time in seconds in which nothing ended although a task was due.

    A task that waits for the time of its retry is not due: the pause that it asked for is no idleness.

    Parameters
    ----------
    rows : dict of str to float
        When each task's row was written (seconds since 1970), by the task's id.
    retries : iterable of tuple
        The id, the time and the countdown of each retry.
    began : float
        When the tasks were sent.
    """
    events: list[tuple[float, str, float | None]] = [(at, id, None) for id, at in rows.items()]
    events += [(at, id, at + countdown) for id, at, countdown in retries]
    due = dict.fromkeys(rows, began)
    longest = 0.0
    last = began
    for at, id, again in sorted(events, key=lambda event: event[0]):
        if at - last > longest:  # only then it is worth to look at all tasks
            longest = max(longest, at - max(last, min(due.values())))
        if again is None:
            due.pop(id, None)
        elif id in due:
            due[id] = again
        last = at
    return longest
