"""Measures how many machines a central serves: the work that each task and each machine costs it.

``python -m benchmarks.central`` starts a central of its own, and several machines as processes, feeds them
squares, and prints for each number of machines what RabbitMQ and PostgreSQL used. The machines share the
processors with the central here, so tasks per second are those of this computer, not of a class; the
central's seconds of processor time per task are the same in both, and the last table is computed from them.
"""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress

import click
import psutil
from pandas import DataFrame
from sqlalchemy import create_engine, text

CORES = 2
"""Of the central."""

PROCESSES = 4
"""Of a laptop's worker."""

_PROGRAMS = {"beam.smp": "rabbitmq", "postgres": "postgis"}


def of_services(leader: int, figure: Callable[[psutil.Process], float]) -> dict[str, float]:
    """Return the sum of a figure over the processes of each service of the central."""
    found = dict.fromkeys(_PROGRAMS.values(), 0.0)
    for process in psutil.Process(leader).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name() in _PROGRAMS:
                found[_PROGRAMS[process.name()]] += figure(process)
    return found


def processor_time(process: psutil.Process) -> float:
    """Return the seconds of processor time of a process, with those of its children that have ended."""
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def memory(process: psutil.Process) -> float:
    """Return the MiB of a process, shared pages divided among those who share them."""
    return process.memory_full_info().pss / 2**20


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
    from backstage.classroom import central, fill, rehearsal
    from backstage.stack import control, shutdown
    from backstage.stack.status import running

    control.up_detached(("postgis", "rabbitmq"), lambda line: None)
    stack = running()
    assert stack is not None
    try:
        empty = of_services(stack["pid"], memory)
        rehearsal.rehearse(number, lambda line: None)
        joined = of_services(stack["pid"], memory)
        before, began = of_services(stack["pid"], processor_time), time.perf_counter()
        fill.fill(tasks=tasks)
        while rows(central.site().database_url) < tasks:
            time.sleep(0.2)
        seconds = time.perf_counter() - began
        after = of_services(stack["pid"], processor_time)
        used = {name: after[name] - before[name] for name in after}
        return {
            "machines": number,
            "tasks/s here": tasks / seconds,
            "rabbitmq ms/task": 1000 * used["rabbitmq"] / tasks,
            "postgis ms/task": 1000 * used["postgis"] / tasks,
            "rabbitmq MiB/machine": (joined["rabbitmq"] - empty["rabbitmq"]) / number,
            "postgis MiB/machine": (joined["postgis"] - empty["postgis"]) / number,
        }
    finally:
        rehearsal.stop(lambda line: None)
        shutdown.down(lambda line: None)


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
