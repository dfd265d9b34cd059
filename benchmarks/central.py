"""Measures how many machines a central serves: the work that each task and each machine costs it.

``python -m benchmarks.central`` starts a central of its own, and several machines as processes, feeds them
squares, and prints for each number of machines what RabbitMQ and PostgreSQL used. The machines share the
processors with the central here, so tasks per second are those of this computer, not of a class; the
central's seconds of processor time per task are the same in both, and the last table is computed from them.
"""

import os
import tempfile
import time
from collections.abc import Iterator

import click
import psutil
from pandas import DataFrame
from sqlalchemy import create_engine, text

CORES = 2
"""Of the central."""

PROCESSES = 4
"""Of a laptop's worker."""

_PROGRAMS = {"beam.smp": "rabbitmq", "postgres": "postgis"}


def programs(leader: int) -> Iterator[tuple[str, psutil.Process]]:
    """Yield the processes of the central, each with the service it belongs to."""
    for process in psutil.Process(leader).children(recursive=True):
        if process.name() in _PROGRAMS:
            yield _PROGRAMS[process.name()], process


def processor_time(leader: int) -> dict[str, float]:
    """Return the seconds of processor time of each service so far, with those of sessions that have ended."""
    found = dict.fromkeys(_PROGRAMS.values(), 0.0)
    for name, process in programs(leader):
        times = process.cpu_times()
        found[name] += times.user + times.system + times.children_user + times.children_system
    return found


def memory(leader: int) -> dict[str, float]:
    """Return the MiB of each service, shared pages divided among those who share them."""
    found = dict.fromkeys(_PROGRAMS.values(), 0.0)
    for name, process in programs(leader):
        found[name] += process.memory_full_info().pss / 2**20
    return found


def rows(database_url: str) -> int:
    """Return how many squares there are."""
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            return connection.execute(text("SELECT count(*) FROM geopython.grid_squares")).scalar_one()
    finally:
        engine.dispose()


def measure(number: int, tasks: int) -> dict[str, float]:
    """Return what `tasks` tasks, done by a number of machines, cost the central."""
    from workshop.classroom import central, fill, machines
    from workshop.stack.running import CENTRAL, running

    cards = central.start(machines=number).cards[:number]
    stack = running(CENTRAL)
    assert stack is not None
    try:
        empty = memory(stack["pid"])
        machines.start(cards, os.getpid(), None, lambda line: None)
        joined = memory(stack["pid"])
        before, began = processor_time(stack["pid"]), time.perf_counter()
        fill.fill(tasks=tasks, say=lambda line: None)
        while rows(stack["database_url"]) < tasks:
            time.sleep(0.2)
        seconds = time.perf_counter() - began
        used = {name: after - before[name] for name, after in processor_time(stack["pid"]).items()}
        return {
            "machines": number,
            "tasks/s here": tasks / seconds,
            "rabbitmq ms/task": 1000 * used["rabbitmq"] / tasks,
            "postgis ms/task": 1000 * used["postgis"] / tasks,
            "rabbitmq MiB/machine": (joined["rabbitmq"] - empty["rabbitmq"]) / number,
            "postgis MiB/machine": (joined["postgis"] - empty["postgis"]) / number,
        }
    finally:
        machines.end()
        central.stop()


@click.command()
@click.option("--machines", "numbers", multiple=True, type=int, default=(1, 4, 8), show_default=True)
@click.option("--tasks", default=4000, show_default=True)
def main(numbers: tuple[int, ...], tasks: int) -> None:
    """Measure, and compute how far it goes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["WORKSHOP_PORTS"] = "any"
        found = []
        for number in numbers:
            os.environ["WORKSHOP_STATE"] = f"{folder}/state{number}"
            found.append(measure(number, tasks))
    table = DataFrame(found).set_index("machines")
    click.echo(table.round(2).to_string())
    cost = (table["rabbitmq ms/task"] + table["postgis ms/task"]).max() / 1000
    most = CORES / cost
    click.echo(f"\nA central on {CORES} cores bears about {most:,.0f} tasks per second. It keeps up with")
    for number in (10, 30, 50, 200):
        least = number * PROCESSES / most * 1000
        click.echo(f"{number:>4} machines of {PROCESSES} processes, with tasks of {least:.0f} ms or more")


if __name__ == "__main__":
    main()
