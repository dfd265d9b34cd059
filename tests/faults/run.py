"""One run: sends by the timetable, strikes when tasks are in flight, waits for the end, counts."""

import math
import time
from collections.abc import Callable
from contextlib import closing

from tests.faults import malformed
from tests.faults.ends import OUTAGES, Ends
from tests.faults.events import Arrivals
from tests.faults.fleet import WORKERS
from tests.faults.gauge import Gauge
from tests.faults.producer import Producer
from tests.faults.progress import Progress, until
from tests.faults.result import Result, Struck
from tests.faults.strikes import Scene, strike
from tests.faults.tally import tally
from tests.faults.timetable import Fault, Timetable

Say = Callable[[str], None]

_SETTLING = 10
"""Seconds to wait, at most, until the tasks that a fault set back have ended."""
_AFTERWARDS = 3
_RESERVE = 0.03
"""The share of tasks that is sent after the last fault."""
_SERVICES = {
    "broker killed": "rabbitmq",
    "broker restarted": "rabbitmq",
    "database killed": "postgis",
    "database crashed": "postgis",
    "database restarted": "postgis",
}


class Run:
    """One timetable against one subject."""

    def __init__(self, scene: Scene, timetable: Timetable, window: int, say: Say) -> None:
        self._scene, self._subject, self._timetable, self._say = scene, scene.subject, timetable, say
        own, self._senders = (
            Gauge(scene.machine, self._subject.count, self._subject.queue) for _ in range(2)
        )
        send = malformed.sender(
            scene.machine.amqp, self._subject.exchange, self._subject.key, self._subject.task
        )
        self._window, self._last = window, (1 - _RESERVE) * len(timetable.tasks)
        self._producer = Producer(timetable, self._subject.send, send, self._senders.waiting, window)
        self._arrivals = Arrivals(scene.machine.stack()["broker_url"], self._subject.events)
        self._progress = Progress(own, self._producer, self._subject, self._arrivals)
        self._struck: list[Struck] = []
        self._ends = Ends(self._subject)

    def go(self, known: set[str]) -> Result:
        """Run, and return what happened."""
        stuck = ""
        self._began = time.monotonic()
        with (
            closing(self._progress),
            closing(self._senders),
            self._arrivals.listening(),
            self._producer.running(),
        ):
            try:
                for fault, enough in zip(self._timetable.faults, self._enough(), strict=True):
                    self._producer.hold_at = enough
                    self._meet(fault)
                self._producer.hold_at = math.inf
                self._until_ended()
            except TimeoutError as error:
                stuck = str(error)
        seconds = time.monotonic() - self._began
        self._ends.look()
        again = self._arrivals.redelivered([each.moment for each in self._struck], self._producer.sent_twice)
        for each, count in zip(self._struck, again, strict=True):
            each.redelivered = count
        return Result(
            self._subject.name,
            seconds,
            tally(self._scene.machine, self._subject, self._producer, known),
            self._struck,
            self._ends.unexplained,
            self._ends.after_outage,
            dict(self._producer.raised),
            self._producer.longest,
            stuck,
        )

    def _enough(self) -> list[float]:
        """Return how many tasks are enough until the next fault can strike, for each fault."""
        return [*(fault.due + self._window for fault in self._timetable.faults), self._last][1:]

    def _meet(self, fault: Fault) -> None:
        """Strike when the fault is due and workers hold tasks, and wait until everything runs again."""
        until(
            lambda: self._progress.taken() >= fault.due and self._subject.ready(), f"{fault.due} tasks taken"
        )
        held = self._progress.until_held()
        moment = time.monotonic()
        struck = Struck(fault.kind, "", moment - self._began, held, moment=moment)
        self._struck.append(struck)
        before = self._processes()
        self._ends.look()
        struck.detail = strike(fault, self._scene)
        taken = self._progress.taken()
        hit = _SERVICES.get(fault.kind, struck.detail)
        until(
            lambda: self._running(before.get(hit)) and self._progress.taken() >= taken + 5,
            f"tasks going on after '{fault.kind}'",
        )
        struck.back = time.monotonic() - moment
        self._settle()
        if fault.kind in OUTAGES:  # a worker may end a moment after it connected anew
            time.sleep(_AFTERWARDS)
            until(lambda: self._running(None), f"all workers after '{fault.kind}'")
        self._ends.look(fault.kind, struck.detail)
        self._say(f"{struck.at:6.1f} s  {struck.kind} ({struck.detail}), back after {struck.back:.1f} s")

    def _settle(self) -> None:
        """Let the tasks that the fault set back end, so that the next fault is not charged for them."""
        ids = self._arrivals.latest()
        end = time.monotonic() + (_SETTLING if self._subject.refuses else 1)
        while time.monotonic() < end and self._progress.without_row(ids) != 0:
            time.sleep(0.1)

    def _running(self, gone: int | None) -> bool:
        """Return whether everything is ready, and the process that was hit is no longer `gone`."""
        services = self._scene.machine.stack()["services"].values()
        ready = all(each["state"] == "ready" for each in services) and self._subject.ready()
        all_listen = self._progress.consumers() == WORKERS
        return ready and all_listen and gone not in self._processes().values()

    def _processes(self) -> dict[str, int]:
        services = self._scene.machine.stack()["services"].items()
        return {name: each["pid"] for name, each in services} | self._subject.workers()

    def _until_ended(self) -> None:
        """Wait until everything sent has ended, or nothing changed for the subject's patience."""
        seen, since = None, time.monotonic()
        wanted = len(self._timetable.tasks) + sum(s.kind == "malformed" for s in self._timetable.sendings)
        while time.monotonic() - since < self._subject.patience:
            self._progress.read()
            now = self._progress.numbers()
            if (
                self._producer.done.is_set()
                and self._progress.ended() >= wanted
                and not self._progress.waiting
            ):
                return
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.1)
