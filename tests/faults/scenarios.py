"""Four faults one by one, for the design of 2018 and for the course: the same sends, exact counts of both."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.table import Table

from tests.faults.course import Course
from tests.faults.fleet import Control
from tests.faults.report import console
from tests.faults.result import Result
from tests.faults.run import Run
from tests.faults.stage import stage
from tests.faults.timetable import Fault, Timetable, draw
from tests.integration.machine import Machine

_PACE = 20
_TENTH = 10


@dataclass(frozen=True)
class Scenario:
    """All tasks are sent at once; a fault strikes when workers have taken a tenth of them."""

    name: str
    tasks: int
    fault: str = ""
    duplicates: int = 0

    def timetable(self, seed: int) -> Timetable:
        """Return what happens."""
        plan = draw(seed, self.tasks, {}, self.duplicates, [])
        faults = [Fault(self.fault, self.tasks // _TENTH, 0.5)] if self.fault else []
        return replace(plan, faults=faults)


SCENARIOS = [
    Scenario("PostgreSQL restarted", 600, "database restarted"),
    Scenario("RabbitMQ killed", 1500, "broker killed"),
    Scenario("a worker killed", 900, "worker killed"),
    Scenario("100 tasks sent twice", 100, duplicates=100),
]


def compare(seed: int, logs: Path | None) -> bool:
    """Run all scenarios for both, show the table, and return whether the course lost nothing."""
    table = Table(title=f"One fault at a time, seed {seed}")
    table.add_column("what happened")
    table.add_column("to")
    for name in ("accepted", "in flight", "rows", "lost", "stored twice"):
        table.add_column(name, justify="right")
    good = True
    for make in (partial(Control, pace=_PACE), Course):
        for scenario, result in _results(make, seed, logs):
            table.add_row(scenario.name, *_row(result))
            good = good and (result.good or result.subject != Course.name)
    console.print(table)
    return good


def _row(result: Result) -> list[str]:
    count = result.tally
    in_flight = result.faults[0].in_flight if result.faults else ""
    numbers = (count.accepted, in_flight, count.rows, len(count.lost), count.twice)
    return [result.subject, *map(str, numbers)]


def _results(
    make: Callable[[Machine], Course | Control], seed: int, logs: Path | None
) -> Iterator[tuple[Scenario, Result]]:
    plans = [scenario.timetable(seed * 100 + number) for number, scenario in enumerate(SCENARIOS)]
    known = {task.id for plan in plans for task in plan.tasks}
    with stage(make, _PACE, logs) as scene:
        for scenario, plan in zip(SCENARIOS, plans, strict=True):
            console.print(f"{scene.subject.name}: {scenario.name}")
            yield scenario, Run(scene, plan, scenario.tasks, console.print).go(known)
