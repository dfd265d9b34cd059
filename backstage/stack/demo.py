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
    changed = {name: state_folder.read("settings.json").get(name) for name in ("fault_rate", "pace")}
    settings.change(fault_rate=0, pace=0)
    try:
        end, problem, tasks = _send_and_watch()
    finally:
        settings.change(**changed)
    if problem or not end.sent:
        reason = problem or "it has no loop yet: that is challenge 1"
        raise click.ClickException(  # not yet: exit code 1
            f"workshop/demo.py sent {end.sent:,} tasks: {reason}. Next: workshop reset 2 has it solved"
        )
    squares = maps.read_squares(live.task_ids(tasks))
    target = state_folder.ROOT / "demo.html"
    maps.squares_map(squares).save(target)
    say(maps.count_by_nation(squares).to_string())
    say(f"{end.sent:,} tasks, {len(squares):,} rows, {end.failed:,} failed. The map: {target}")
    if len(squares) != end.sent:
        raise WorkshopError("Not every task became a row.", "workshop doctor")


def _send_and_watch() -> tuple[live.Progress, str, list[Published]]:
    """Return how the run ended, what ended the producer before its time, and what it sent."""
    source = f"make demo {uuid4().hex[:8]}"  # a notebook may send at the same time

    def sent() -> list[Published]:
        return next((run.tasks for run in runs() if run.source == source), [])

    producer = subprocess.Popen(
        [sys.executable, "-m", "workshop.demo"],
        cwd=state_folder.ROOT,
        env=of_child({"WORKSHOP_SOURCE": source}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        end = live.watch(run=sent, still_sending=lambda: producer.poll() is None)
    finally:
        producer.kill()
        _, errors = producer.communicate()
    return end, errors.strip().splitlines()[-1] if producer.returncode else "", sent()
