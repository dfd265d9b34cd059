"""The control as the subject of a run: plain `celery worker` processes, started again whenever one ends.

So the comparison is fair: the course's workers are started again too.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import Signals

from tests.faults import control
from tests.faults.timetable import Task
from tests.integration.machine import ROOT, Machine
from workshop.stack.process import kill_session

WORKERS, PROCESSES = 3, 2


class Control:
    """What a run must know of the code that it compares with; see `tests.faults.course.Course`."""

    name = "Celery's defaults, logic of 2018"
    parts = ("postgis", "rabbitmq")
    table = control.TABLE
    count = f"SELECT count(DISTINCT task_id) FROM {table}"
    queue = exchange = key = "celery"
    events = "celeryev"
    task = control.do_task.name
    refuses = False
    patience = 20

    def __init__(self, machine: Machine, pace: float) -> None:
        self._machine = machine
        self._pace = pace
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ends = {name: (0, "") for name in self._names()}
        self._over = threading.Event()

    @contextmanager
    def working(self, addresses: dict[str, str]) -> Iterator[None]:
        """Make the table, and run the workers until the context ends."""
        self._machine.sql(control.CREATE)
        self._addresses = {f"CONTROL_{name.upper()}": url for name, url in addresses.items()}
        control.application.conf.broker_url = addresses["broker_url"]
        keeping = threading.Thread(target=self._keep, name="control", daemon=True)
        keeping.start()
        try:
            yield
        finally:
            self._over.set()
            keeping.join(5)
            for process in self._processes.values():
                kill_session(process.pid)
                process.wait()

    def send(self, task: Task) -> None:
        """Send a task as the demo of 2018 did."""
        control.do_task.apply_async((task.x, task.y), task_id=task.id)

    def workers(self) -> dict[str, int]:
        """Return the processes of the workers that live, by name."""
        return {name: each.pid for name, each in self._processes.items() if each.poll() is None}

    def ready(self) -> bool:
        """Return whether all workers answer."""
        return len(self._ask("ping")) == WORKERS

    def ends(self) -> dict[str, tuple[int, str]]:
        """Return how often each worker ended, and how it ended last."""
        return dict(self._ends)

    def in_flight(self, without_row: Callable[[], int]) -> int:
        """Return how many tasks the workers say they hold; here, many without a row are lost."""
        return sum(len(held) for kind in ("active", "reserved") for held in self._ask(kind).values())

    def _ask(self, what: str) -> dict:
        inspect = control.application.control.inspect(timeout=1, limit=WORKERS)
        try:
            return getattr(inspect, what)() or {}
        except Exception:  # the broker is away
            return {}

    def _keep(self) -> None:
        while not self._over.wait(0.2):
            for name in self._names():
                process = self._processes.get(name)
                if process is None or process.poll() is not None:
                    if process is not None:
                        kill_session(process.pid)
                        self._ends[name] = (self._ends[name][0] + 1, _how(process.returncode))
                    self._processes[name] = self._start(name)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        arguments = ("worker", "-n", f"{name}@control", "-c", str(PROCESSES), "-E", "--loglevel=WARNING")
        with (self._machine.state / "logs" / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tests.faults.control", *arguments],
                cwd=ROOT,
                env=os.environ | self._addresses | {"CONTROL_PACE": str(self._pace)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def _names() -> list[str]:
        return [f"worker{number}" for number in range(1, WORKERS + 1)]


def _how(code: int) -> str:
    return f"it was ended by {Signals(-code).name}" if code < 0 else f"it ended with exit code {code}"
