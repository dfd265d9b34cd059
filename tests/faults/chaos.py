"""Sends thousands of tasks while everything breaks, and counts: ``python -m tests.faults.chaos``.

Exit code 0 means that nothing was lost or stored twice, that all malformed messages were refused, and that
none of them stopped a worker.
"""

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import click

from tests.faults import timetable
from tests.faults.report import console, show
from tests.faults.run import Run
from tests.faults.stage import stage
from tests.faults.tally import Result
from tests.messages import MALFORMED

WINDOW = 300
"""Tasks that wait in the queue while the producer keeps it filled."""


@click.command()
@click.option("--tasks", default=10_000, show_default=True, help="How many tasks to send.")
@click.option("--seed", default=1, show_default=True, help="Draws tasks, faults and malformed messages.")
@click.option("--few", is_flag=True, help="Six faults.")
@click.option("--pace", default=45.0, show_default=True, help="Milliseconds that each task waits.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the result there too.")
@click.option("--logs", type=click.Path(path_type=Path), help="Leave the services' logs there.")
def main(tasks: int, seed: int, few: bool, pace: float, file: Path | None, logs: Path | None) -> None:
    """Break a private stack while it works, and count what became of every task."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    result = run(tasks, seed, few, pace, logs)
    show(result, seed)
    if file:
        file.write_text(json.dumps(asdict(result) | {"good": result.good}, indent=1))
    sys.exit(not result.good)


def run(tasks: int, seed: int, few: bool, pace: float, logs: Path | None) -> Result:
    """Make one run on a stack of its own."""
    faults = timetable.FEW if few else timetable.ALL
    plan = timetable.draw(seed, tasks, faults, 20 if few else 100, len(MALFORMED))
    console.print("Starting a stack of its own ...")
    with stage(pace, logs) as scene:
        return Run(scene, plan, min(WINDOW, tasks // 20), console.print).go()


if __name__ == "__main__":
    main()
