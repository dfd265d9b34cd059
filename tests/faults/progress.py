"""Where the tasks of a run are at the moment: with the producer, in the queue, at workers, ended."""

import time
from collections.abc import Callable

from tests.faults.course import Course
from tests.faults.events import Arrivals
from tests.faults.fleet import Control
from tests.faults.gauge import Gauge
from tests.faults.producer import Producer

RECOVERY = 90
"""Seconds until a run that stands still is given up."""

_MOST = 6
"""Tasks that the course's workers hold at most: three workers of two processes, each fetching one."""


class Progress:
    """The numbers of one run, as they were read last."""

    def __init__(
        self, gauge: Gauge, producer: Producer, subject: Course | Control, arrivals: Arrivals
    ) -> None:
        self.rows = self.dead = self.waiting = 0
        self._gauge, self._producer, self._subject, self._arrivals = gauge, producer, subject, arrivals
        self._before = gauge.rows() or 0
        self.close, self.consumers = gauge.close, gauge.consumers

    def read(self) -> None:
        """Read all numbers; those of a service that is away stay as they were."""
        if (waiting := self._gauge.waiting()) is not None:
            self.waiting = waiting
        if self._subject.refuses and (dead := self._gauge.dead()) is not None:
            self.dead = dead
        if (rows := self._gauge.rows()) is not None:
            self.rows = rows - self._before

    def numbers(self) -> tuple[int, ...]:
        """Return all numbers, to see whether anything changes."""
        return len(self._producer.accepted), self.waiting, self.rows, self.dead

    def ended(self) -> int:
        """Return how many tasks and malformed messages have a row or a dead letter."""
        return self.rows + self.dead

    def taken(self) -> int:
        """Return how many tasks have left the queue."""
        self.read()
        return len(self._producer.accepted) - self.waiting

    def held(self) -> int:
        """Return how many tasks workers hold: those that arrived at one lately and have no row."""
        self.read()
        return self._subject.in_flight(lambda: self.without_row(self._arrivals.latest()) or 0)

    def without_row(self, ids: list[str]) -> int | None:
        """Return how many of some accepted tasks have no row; None while the database does not answer."""
        wanted = set(ids) & self._producer.accepted
        rows = self._gauge.rows_of(wanted)
        return None if rows is None else len(wanted) - rows

    def until_held(self) -> int:
        """Wait a moment for many tasks at workers, then be content with fewer, never none."""
        held, tries = 0, 0

        def enough() -> bool:
            nonlocal held, tries
            held, tries = self.held(), tries + 1
            if held < 1 and not self.waiting and self._producer.done.is_set():
                raise TimeoutError("All tasks have ended before all faults struck")
            return held >= max(1, _MOST - tries // 10)

        until(enough, "tasks in flight", pause=0.03)
        return held


def until(condition: Callable[[], bool], what: str, pause: float = 0.1) -> None:
    """Wait until a condition holds.

    Raises
    ------
    TimeoutError
        If it does not within `RECOVERY` seconds.
    """
    end = time.monotonic() + RECOVERY
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"Waited {RECOVERY} s in vain for: {what}")
        time.sleep(pause)
