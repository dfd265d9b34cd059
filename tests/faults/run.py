"""One run: sends by the timetable, strikes when tasks are in flight, waits for the end, counts.

A worker of Celery 5.7 can end by itself when its broker was away (celery#9250); its supervisor starts it
again. An end at any other time is the work of a message.
"""

import math
import time
from collections.abc import Callable, Collection
from contextlib import closing
from functools import partial

from tests.faults import malformed
from tests.faults.gauge import Gauge
from tests.faults.producer import Producer
from tests.faults.stage import WORKERS
from tests.faults.strikes import Scene, strike
from tests.faults.tally import Result, Struck, tally
from tests.faults.timetable import Fault, Task, Timetable

RECOVERY = 300
"""Seconds until a run that stands still is given up."""

_MOST = 6
"""Tasks that workers hold at most: three of two processes, each fetching one."""
_SETTLING = 10
"""Seconds to wait, at most, until the tasks that a fault set back have ended."""
_AFTERWARDS = 3
_PATIENCE = 100
_RESERVE = 0.03
"""The share of tasks that is sent after the last fault."""
_OUTAGES = ("broker killed", "broker restarted", "network cut", "frozen")
"""Faults after which workers connect to the broker anew."""
_SERVICES = {
    "broker killed": "rabbitmq",
    "broker restarted": "rabbitmq",
    "database killed": "postgis",
    "database crashed": "postgis",
}


class Run:
    """One timetable."""

    def __init__(self, scene: Scene, timetable: Timetable, window: int, say: Callable[[str], None]) -> None:
        self._scene, self._timetable, self._window, self._say = scene, timetable, window, say
        self._gauge, self._senders = Gauge(scene.machine), Gauge(scene.machine)
        self._producer = Producer(
            timetable, _send, partial(malformed.send, scene.machine), self._senders.waiting, window
        )
        self._rows = self._dead = self._waiting = 0
        self._struck: list[Struck] = []
        self._ended: list[str] = []
        self._ended_after_outage: list[str] = []
        self._restarts = {name: each["restarts"] for name, each in scene.workers().items()}

    def go(self) -> Result:
        """Run, and return what happened."""
        stuck = ""
        self._began = time.monotonic()
        with closing(self._gauge), closing(self._senders), self._producer.running():
            try:
                for fault, enough in zip(self._timetable.faults, self._enough(), strict=True):
                    self._producer.hold_at = enough
                    self._meet(fault)
                self._producer.hold_at = math.inf
                self._until_ended()
            except TimeoutError as error:
                stuck = str(error)
        seconds = time.monotonic() - self._began
        self._look_for_ends()
        return Result(
            seconds,
            tally(self._scene.machine, self._producer, {task.id for task in self._timetable.tasks}),
            self._struck,
            self._ended,
            self._ended_after_outage,
            dict(self._producer.raised),
            self._producer.longest,
            stuck,
        )

    def _enough(self) -> list[float]:
        """Return how many tasks are enough until the next fault can strike, for each fault."""
        last = (1 - _RESERVE) * len(self._timetable.tasks)
        return [*(fault.due + self._window for fault in self._timetable.faults), last][1:]

    def _meet(self, fault: Fault) -> None:
        """Strike when the fault is due and workers hold tasks, and wait until everything runs again."""
        until(lambda: self._taken() >= fault.due and self._all_ready(), f"{fault.due} tasks taken")
        held = self._until_held()
        struck = Struck(fault.kind, "", time.monotonic() - self._began, len(held))
        self._struck.append(struck)
        before = self._processes()
        self._look_for_ends()
        struck.detail = strike(fault, self._scene)
        taken = self._taken()
        hit = before.get(_SERVICES.get(fault.kind, struck.detail))
        until(
            lambda: self._all_ready(gone=hit) and self._taken() >= taken + 5,
            f"tasks going on after '{fault.kind}'",
        )
        struck.back = time.monotonic() - self._began - struck.at
        self._settle(held)
        if fault.kind in _OUTAGES:  # a worker may end a moment after it connected anew
            time.sleep(_AFTERWARDS)
            until(self._all_ready, f"all workers after '{fault.kind}'")
        self._look_for_ends(fault.kind, struck.detail)
        hit = f"{struck.kind} ({struck.detail}), {struck.in_flight} tasks in flight"
        self._say(f"{struck.at:6.1f} s  {hit}, back after {struck.back:.1f} s")

    def _until_held(self) -> set[str]:
        """Wait a moment for many tasks at workers, then be content with fewer, never none."""
        held: set[str] = set()
        tries = 0

        def enough() -> bool:
            nonlocal held, tries
            held, tries = self._gauge.held(), tries + 1
            return len(held) >= max(1, _MOST - tries // 10)

        until(enough, "tasks in flight", pause=0.03)
        return held

    def _settle(self, held: Collection[str]) -> None:
        """Let the tasks that the fault set back end, so that the next fault is not charged for them."""
        end = time.monotonic() + _SETTLING
        while time.monotonic() < end and self._gauge.rows_of(held) != len(held):
            time.sleep(0.1)

    def _read(self) -> None:
        """Read all numbers; those of a service that is away stay as they were."""
        rows, dead, waiting = self._gauge.rows(), self._gauge.dead(), self._gauge.waiting()
        self._rows = self._rows if rows is None else rows
        self._dead = self._dead if dead is None else dead
        self._waiting = self._waiting if waiting is None else waiting

    def _taken(self) -> int:
        """Return how many tasks have left the queue."""
        self._read()
        return len(self._producer.accepted) - self._waiting

    def _all_ready(self, gone: int | None = None) -> bool:
        """Return whether everything is ready, and the process that was hit is no longer `gone`."""
        services = self._scene.machine.stack()["services"].values()
        ready = all(each["state"] == "ready" for each in services)
        return ready and self._gauge.consumers() == WORKERS and gone not in self._processes().values()

    def _processes(self) -> dict[str, int]:
        services = self._scene.machine.stack()["services"].items()
        return {name: each["pid"] for name, each in services}

    def _look_for_ends(self, fault: str = "", killed: str = "") -> None:
        """Note which workers ended since the last look without having been killed by the timetable."""
        for name, worker in self._scene.workers().items():
            count, self._restarts[name] = worker["restarts"] - self._restarts[name], worker["restarts"]
            if (others := count - (name == killed)) > 0:
                found = self._ended_after_outage if fault in _OUTAGES else self._ended
                found.append(
                    f"{name}, {others} times, {f'after {fault!r}, ' if fault else ''}{worker['message']}"
                )

    def _until_ended(self) -> None:
        """Wait until everything sent has ended, or nothing changed for a while."""
        seen, since = None, time.monotonic()
        tasks, letters = len(self._timetable.tasks), len(malformed.NAMES)  # one may be in `dead` twice
        while time.monotonic() - since < _PATIENCE:
            self._read()
            ended = self._rows >= tasks and self._dead >= letters and not self._waiting
            if self._producer.done.is_set() and ended:
                return
            now = (len(self._producer.accepted), self._waiting, self._rows, self._dead)
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.1)


def _send(task: Task) -> None:
    """Send a task as an attendee's program does, which is imported while its services run."""
    from workshop.tasks import do_task

    do_task.apply_async((task.x, task.y), task_id=task.id)


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
