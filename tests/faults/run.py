"""One run: sends by the timetable, strikes when tasks are in flight, waits for the end, counts."""

import time
from collections.abc import Callable
from contextlib import closing

from tests.faults import malformed
from tests.faults.events import Arrivals
from tests.faults.gauge import Gauge
from tests.faults.producer import Producer
from tests.faults.result import Result, Struck
from tests.faults.strikes import Scene, strike
from tests.faults.tally import tally
from tests.faults.timetable import Fault, Timetable

Say = Callable[[str], None]

_RECOVERY = 90
_HELD = 3
"""Tasks that workers must hold at least when a fault strikes; six is the most that they take."""
_SERVICES = {
    "broker killed": "rabbitmq",
    "broker restarted": "rabbitmq",
    "database killed": "postgis",
    "database crashed": "postgis",
    "database restarted": "postgis",
}


class Run:
    """One timetable against one subject."""

    def __init__(self, scene: Scene, timetable: Timetable, seed: int, window: int, say: Say) -> None:
        self._scene, self._subject, self._timetable, self._say = scene, scene.subject, timetable, say
        self._gauge, self._senders = (
            Gauge(scene.machine, self._subject.count, self._subject.queue) for _ in range(2)
        )
        self._before = self._gauge.rows() or 0
        self._rows = self._dead = self._waiting = 0
        send = malformed.sender(
            scene.machine.amqp, self._subject.exchange, self._subject.key, self._subject.task, seed
        )
        self._producer = Producer(timetable, self._subject.send, send, self._senders.waiting, window)
        self._struck: list[Struck] = []
        self._killed: dict[str, int] = {}

    def go(self, known: set[str]) -> Result:
        """Run, and return what happened."""
        ends, stuck = self._subject.ends(), ""
        self._began = time.monotonic()
        arrivals = Arrivals(self._scene.machine.stack()["broker_url"])
        with closing(self._gauge), closing(self._senders), arrivals.listening(), self._producer.running():
            try:
                for fault in self._timetable.faults:
                    self._meet(fault)
                self._until_ended()
            except TimeoutError as error:
                stuck = str(error)
        seconds = time.monotonic() - self._began
        again = arrivals.redelivered([each.moment for each in self._struck], self._producer.sent_twice)
        for each, count in zip(self._struck, again, strict=True):
            each.redelivered = count
        return Result(
            self._subject.name,
            seconds,
            tally(self._scene.machine, self._subject, self._producer, known),
            self._struck,
            self._unexplained(ends),
            dict(self._producer.raised),
            self._producer.longest,
            stuck,
        )

    def _meet(self, fault: Fault) -> None:
        """Strike when the fault is due and workers hold tasks, and wait until everything runs again."""
        self._until(lambda: self._taken() >= fault.due and self._subject.ready(), f"{fault.due} tasks taken")
        held = 0

        def in_flight() -> bool:
            nonlocal held
            accepted = len(self._producer.accepted)
            self._read()
            refused = min(self._dead, len(self._producer.malformed))
            held = self._subject.in_flight(accepted, self._waiting, self._rows + self._dead - refused)
            return held >= _HELD

        self._until(in_flight, "tasks in flight")
        moment = time.monotonic()
        struck = Struck(fault.kind, "", moment - self._began, held, moment=moment)
        self._struck.append(struck)
        before = self._processes()
        struck.detail = strike(fault, self._scene)
        if fault.kind == "worker killed":
            self._killed[struck.detail] = self._killed.get(struck.detail, 0) + 1
        taken = self._taken()
        hit = _SERVICES.get(fault.kind, struck.detail)
        self._until(
            lambda: self._running(before.get(hit)) and self._taken() >= taken + 5,
            f"tasks going on after '{fault.kind}'",
        )
        struck.back = time.monotonic() - moment
        self._say(f"{struck.at:6.1f} s  {struck.kind} ({struck.detail}), back after {struck.back:.1f} s")

    def _running(self, gone: int | None) -> bool:
        """Return whether everything is ready, and the process that was hit is no longer `gone`."""
        services = self._scene.machine.stack()["services"].values()
        ready = all(each["state"] == "ready" for each in services) and self._subject.ready()
        return ready and gone not in self._processes().values()

    def _processes(self) -> dict[str, int]:
        services = self._scene.machine.stack()["services"].items()
        return {name: each["pid"] for name, each in services} | self._subject.workers()

    def _taken(self) -> int:
        """Return how many tasks have left the queue."""
        self._read()
        return len(self._producer.accepted) - self._waiting

    def _read(self) -> None:
        for name in ("waiting", *(["dead"] if self._subject.refuses else []), "rows"):
            if (now := getattr(self._gauge, name)()) is not None:
                setattr(self, f"_{name}", now - (self._before if name == "rows" else 0))

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _RECOVERY
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"Waited {_RECOVERY} s in vain for: {what}")
            time.sleep(0.1)

    def _until_ended(self) -> None:
        """Wait until everything sent has ended, or nothing changed for the subject's patience."""
        seen, since = None, time.monotonic()
        wanted = len(self._timetable.tasks) + sum(s.kind == "malformed" for s in self._timetable.sendings)
        while time.monotonic() - since < self._subject.patience:
            self._read()
            now = (len(self._producer.accepted), self._waiting, self._rows, self._dead)
            if self._producer.done.is_set() and self._rows + self._dead >= wanted and not self._waiting:
                return
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.1)

    def _unexplained(self, before: dict[str, tuple[int, str]]) -> list[str]:
        """Return which workers ended without having been killed by the timetable, and how."""
        found = []
        for name, (count, message) in self._subject.ends().items():
            others = count - before.get(name, (0, ""))[0] - self._killed.get(name, 0)
            if others > 0:
                found.append(f"{name} ended {others} times: {message}")
        return found
