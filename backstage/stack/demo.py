"""The main job of the course without a browser: 2,500 tasks, a map and a table. ``workshop demo`` runs it."""

import subprocess
import sys
from collections.abc import Callable
from uuid import uuid4

import click

from backstage.stack.environment import of_child
from workshop import live, maps, settings, state_folder
from workshop.delivery.record import Published, runs
from workshop.errors import WorkshopError


def run(say: Callable[[str], None]) -> None:
    """Send the tasks at full speed, without faults, wait for them, and write ``demo.html``.

    Parameters
    ----------
    say : callable
        Shows a line.

    Raises
    ------
    workshop.errors.WorkshopError
        If no task was sent, or one did not become a row.
    """
    settings.check()
    with settings.changed(fault_rate=0, pace=0):
        tasks = send("workshop.demo")
        end = live.watch(tasks)
    squares = maps.read_squares(live.task_ids(tasks))
    target = state_folder.ROOT / "demo.html"
    maps.squares_map(squares).save(target)
    say(maps.count_by_nation(squares).to_string())
    say(f"{end.sent:,} tasks, {len(squares):,} rows, {end.failed:,} failed. The map: {target}")
    if len(squares) != end.sent:
        raise WorkshopError("Not every task became a row.", "workshop doctor")


def send(module: str, *arguments: str) -> list[Published]:
    """Run a producer as it is saved now, in a process of its own, and return what it sent.

    Parameters
    ----------
    module : str
        The producer, such as ``workshop.demo``.
    *arguments : str
        What its command line has besides.

    Raises
    ------
    click.ClickException
        If it broke, or sent nothing.
    """
    source = f"make demo {uuid4().hex[:8]}"  # a notebook may send at the same time
    producer = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=state_folder.ROOT,
        env=of_child({"WORKSHOP_SOURCE": source}),
        capture_output=True,
        text=True,
    )
    tasks = next((run.tasks for run in runs() if run.source == source), [])
    if producer.returncode or not tasks:
        error = producer.stderr.strip().rpartition("\n")[2] if producer.returncode else ""
        reason = error or "it has no loop yet: that is challenge 1"
        raise click.ClickException(  # not yet: exit code 1
            f"{module.replace('.', '/')}.py sent {len(tasks):,} tasks: {reason}. "
            "Next: workshop reset 2 has it solved"
        )
    return tasks
