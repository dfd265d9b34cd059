"""Sends thousands of tasks while everything breaks, and counts: ``python -m tests.faults.chaos``.

Exit code 0 means that nothing was lost or stored twice, that all malformed messages were refused, and that
none of them stopped a worker; with ``--control``, that the design of 2018 did lose tasks.
"""

import json
import signal
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from tests.faults import malformed, timetable
from tests.faults.aftermath import poison
from tests.faults.course import Course
from tests.faults.fleet import Control
from tests.faults.report import console, show
from tests.faults.result import Result
from tests.faults.run import Run
from tests.faults.scenarios import compare
from tests.faults.stage import stage

WINDOW = 300
"""Tasks that wait in the queue while the producer keeps it filled."""


@click.command()
@click.option("--tasks", default=10_000, show_default=True, help="How many tasks to send.")
@click.option("--seed", default=1, show_default=True, help="Draws tasks, faults and malformed messages.")
@click.option("--few", is_flag=True, help="Six faults.")
@click.option("--control", is_flag=True, help="Test the design of 2018 with Celery's defaults instead.")
@click.option("--mild", is_flag=True, help="Leave out the four messages that kill every worker of Celery.")
@click.option("--table", is_flag=True, help="Four faults one by one, the design of 2018 beside the course.")
@click.option("--pace", default=45.0, show_default=True, help="Milliseconds that each task waits.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the result there too.")
@click.option("--logs", type=click.Path(path_type=Path), help="Leave the services' logs there.")
def main(tasks: int, seed: int, table: bool, file: Path | None, **options: Any) -> None:
    """Break a private stack while it works, and count what became of every task."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if table:
        sys.exit(not compare(seed, options["logs"]))
    result = run(tasks, seed, **options)
    show(result, seed)
    if file:
        file.write_text(json.dumps(asdict(result) | {"good": result.good}, indent=1))
    sys.exit(not (result.tally.lost if options["control"] else result.good))


def run(
    tasks: int, seed: int, few: bool, control: bool, mild: bool, pace: float, logs: Path | None
) -> Result:
    """Make one run on a stack of its own."""
    faults = timetable.FEW if few else timetable.ALL
    numbers = [] if control else list(range(len(malformed.NAMES)))[malformed.KILLERS if mild else 0 :]
    plan = timetable.draw(seed, tasks, faults, 20 if few else 100, numbers)
    make = partial(Control, pace=pace) if control else Course
    console.print("Starting a stack of its own ...")
    with stage(make, pace, logs) as scene:
        whole = Run(scene, plan, min(WINDOW, tasks // 20), console.print)
        result = whole.go({task.id for task in plan.tasks})
        if control and not result.stuck:
            result.poisoned = poison(scene, seed)
    return result


if __name__ == "__main__":
    main()
