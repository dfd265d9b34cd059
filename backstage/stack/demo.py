"""The main job of the course without a browser: tasks, a map and a table. ``workshop demo`` runs it."""

import subprocess
import sys
import time
from collections.abc import Callable
from uuid import uuid4

import click

from backstage.stack.environment import of_child
from workshop import live, maps, settings, state_folder
from workshop.delivery.record import Published, runs
from workshop.errors import WorkshopError


def run(say: Callable[[str], None], module: str = "workshop.demo", *part: int) -> None:
    """Send tasks at full speed, without faults, wait for them, and write the map ``demo.html``.

    Parameters
    ----------
    say : callable
        Shows a line.
    module : str
        The producer: ``workshop.demo`` sends 2,500 points, ``workshop.blocks`` all squares of the grid.
    *part : int
        West, south, east and north of a part of the grid, in metres (EPSG:27700), for blocks.

    Raises
    ------
    workshop.errors.WorkshopError
        If a task did not become a row, or a square of a block is not there, or not once.
    """
    settings.check()
    began = time.monotonic()
    with settings.changed(fault_rate=0, pace=0):
        tasks = send(module, *map(str, part))
        end = live.watch(tasks)
    seconds, ids = time.monotonic() - began, live.task_ids(tasks)
    counts, target = maps.count_by_nation(ids), state_folder.ROOT / "demo.html"
    maps.squares_map(ids).save(target)
    squares = counts["squares"].sum()
    say(counts.to_string())
    found = f"{squares:,} squares in {seconds:.0f} s, {squares / seconds:,.0f} a second"
    say(f"{end.sent:,} tasks, {end.done:,} done, {end.failed:,} failed: {found}. The map: {target}")
    if end.done != end.sent:
        raise WorkshopError("Not every task became a row.", "workshop doctor")
    if module == "workshop.blocks" and squares != sum(task.squares for task in tasks):
        raise WorkshopError("Not every square is there once.", "workshop ledger")


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
