"""One session of one contender: a full queue is drained, then points are sent to workers that are at work.

A run ends with its last row, at the time that PostgreSQL wrote into it: all use the clock of this machine.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

from backstage.stack import workers
from backstage.stack.site import Site
from backstage.stack.status import until
from benchmarks import stack
from benchmarks.contenders import Contender
from benchmarks.usage import memory, of_services, processor_time, trees
from workshop.errors import WorkshopError

_SETTLE = 0.5
"""Seconds before and after a run: acknowledgements and events after the last row belong to the work."""

_PATIENCE = 60
"""Seconds without a new row after which something is broken."""

_ROWS = """
    SELECT count(*),
           extract(epoch FROM min(processed_at))::float,
           extract(epoch FROM max(processed_at))::float
    FROM geopython.grid_squares
"""


def measure(site: Site, contender: Contender, runs: list[int], seed: int) -> Iterator[dict[str, Any]]:
    """Start a contender's workers, and measure what they do.

    Parameters
    ----------
    site : Site
        The servers, which nobody else uses.
    contender : Contender
        Who is measured.
    runs : list of int
        How many tasks each run sends. As many as the first has wait in the queue when the workers start.
    seed : int
        Draws the points.

    Yields
    ------
    dict
        The figures of each run: rates are tasks per second, times seconds, memory MiB, and processor time
        seconds per task.
    """
    with ExitStack() as ends:
        database = ends.enter_context(stack.database(site))
        if contender.flower:
            ends.enter_context(_flower(site))
        found: dict[str, Any] = {}
        running: list[int] = []
        if contender.worker:
            _empty(database)
            with _producer(site, contender, runs[0], seed) as producer:
                sent = _said(producer)
            begun = time.time()
            for number in range(1, contender.workers + 1):
                command, log = contender.worker(site, number), f"worker{number}"
                worker = ends.enter_context(stack.program(site, command, contender.environment, log))
                running.append(worker.pid)
            first, last, _ = _wait(database, runs[0], running)
            found = {
                "enqueue alone": runs[0] / sent["seconds"],
                "start-up": first - begun,
                "drain": (runs[0] - 1) / (last - first),
            }
        for tasks in runs:
            yield found | _end_to_end(site, contender, tasks, seed, database, running)


def _end_to_end(
    site: Site, contender: Contender, tasks: int, seed: int, database: psycopg.Connection, running: list[int]
) -> dict[str, Any]:
    """Measure one run, from the first point that is sent to the last row."""
    _empty(database)
    time.sleep(_SETTLE)
    before = _used(running)
    with _producer(site, contender, tasks, seed) as producer:
        _, last, most = _wait(database, tasks, running or [producer.pid])
        sent = _said(producer)
    time.sleep(_SETTLE)
    after = _used(running)
    used = {name: (after[name] - before[name]) / tasks for name in after}
    used |= {"producer": sent["processor"] / tasks} if running else {"worker": sent["processor"] / tasks}
    return {
        "tasks": tasks,
        "end to end": tasks / (last - sent["began"]),
        "enqueue": tasks / sent["seconds"] if running else None,
        "memory": most,
    } | used


def _empty(database: psycopg.Connection) -> None:
    database.execute("TRUNCATE geopython.grid_squares, geopython.task_log")


def _producer(site: Site, contender: Contender, tasks: int, seed: int) -> Any:
    command = [sys.executable, "-m", "benchmarks.producer", contender.program, str(tasks), str(seed)]
    return stack.program(site, command, contender.environment, "producer", stdout=subprocess.PIPE)


def _said(producer: subprocess.Popen) -> dict[str, float]:
    """Wait until a producer has ended, and return what it printed."""
    text, _ = producer.communicate()
    if producer.returncode:
        raise WorkshopError(f"Its producer ended with code {producer.returncode}.")
    return json.loads(text.splitlines()[-1])


def _wait(database: psycopg.Connection, tasks: int, running: list[int]) -> tuple[float, float, float]:
    """Wait for all rows; return when the first and the last were written, and the most memory meanwhile."""
    most, before, since = 0.0, 0, time.monotonic()
    while True:
        [(rows, first, last)] = database.execute(_ROWS).fetchall()
        most = max(most, memory(trees(running)))
        if rows >= tasks:
            break
        if rows > before:
            before, since = rows, time.monotonic()
        if time.monotonic() - since > _PATIENCE:
            raise WorkshopError(f"There are {rows:,} rows of {tasks:,}, and no more for {_PATIENCE} s.")
        time.sleep(max(0.2, tasks / 100_000))  # counting takes time, too
    return first, last, most


def _used(running: list[int]) -> dict[str, float]:
    """Return the seconds of processor time of the workers and of the servers until now."""
    return {"worker": processor_time(trees(running))} | of_services(processor_time)


@contextmanager
def _flower(site: Site) -> Iterator[None]:
    service = workers.flower()
    with stack.program(site, service.command(site), service.environment(site), "flower"):
        if not until(lambda: not service.trouble(site), 60):
            raise WorkshopError("Flower does not answer.")
        yield
