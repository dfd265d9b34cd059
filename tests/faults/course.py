"""The course's own code as the subject of a run: its workers, under its own supervisor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.faults.timetable import Task
from tests.integration.machine import Machine
from tests.messages import NAME
from workshop.delivery import configuration
from workshop.delivery.topology import ROUTING_KEY, SQUARES, TASKS


class Course:
    """What a run must know of the code that it tests; `tests.faults.fleet.Control` has the same members."""

    name = "this code"
    parts = ("postgis", "rabbitmq", "worker")
    table = "geopython.grid_squares"
    count = f"SELECT count(*) FROM {table}"
    queue = SQUARES.name
    exchange = TASKS.name
    events = configuration.event_exchange
    key = ROUTING_KEY
    task = NAME
    refuses = True
    patience = 25

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    @contextmanager
    def working(self, addresses: dict[str, str]) -> Iterator[None]:
        """Do nothing: the stack runs the workers."""
        yield

    def send(self, task: Task) -> None:
        """Send a task as an attendee's program does, which is imported while its services run."""
        from workshop.tasks import do_task

        do_task.apply_async((task.x, task.y), task_id=task.id)

    def workers(self) -> dict[str, int]:
        """Return the processes of the workers that are ready, by name."""
        return {name: each["pid"] for name, each in self._services() if each["state"] == "ready"}

    def ready(self) -> bool:
        """Return whether all workers are ready."""
        return all(each["state"] == "ready" for _, each in self._services())

    def ends(self) -> dict[str, tuple[int, str]]:
        """Return how often each worker ended by itself, and how it ended last."""
        return {name: (each["restarts"], each["message"]) for name, each in self._services()}

    def in_flight(self, without_row: Callable[[], int]) -> int:
        """Return how many tasks workers hold: those that arrived and have no row, as none is ever lost."""
        return without_row()

    def _services(self) -> list[tuple[str, dict]]:
        services = self._machine.stack()["services"].items()
        return [(name, each) for name, each in services if name.startswith("worker")]
