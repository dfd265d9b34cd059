"""Measures how many machines a central serves: the work that each task and each machine costs it.

``python -m benchmarks.central`` starts a central of its own, and several machines as processes, feeds them
squares, and prints for each number of machines what RabbitMQ and PostgreSQL used. The machines share the
processors with the central here, so tasks per second are those of this computer, not of a class; the
central's seconds of processor time per task are the same in both, and the last table is computed from them.
"""

import time

import click
from pandas import DataFrame

from backstage.classroom import central, fill, rehearsal
from benchmarks import stack
from benchmarks.usage import memory, of_services, processor_time

CORES = 2
"""Of the central."""

PROCESSES = 4
"""Of a laptop's worker."""


def quiet(line: str) -> None:
    """Show no progress."""


def measure(number: int, tasks: int) -> dict[str, float]:
    """Return what `tasks` tasks, done by a number of machines, cost the central."""
    with stack.servers():
        empty = of_services(memory)
        try:
            rehearsal.rehearse(number, quiet)
            joined = of_services(memory)
            before, began = of_services(processor_time), time.perf_counter()
            fill.fill(tasks=tasks)
            with stack.database(central.site()) as database:
                while database.execute("SELECT count(*) FROM geopython.grid_squares").fetchall() < [(tasks,)]:
                    time.sleep(0.2)
            seconds = time.perf_counter() - began
            after = of_services(processor_time)
        finally:
            rehearsal.stop(quiet)
    used = {name: after[name] - before[name] for name in after}
    return {
        "machines": number,
        "tasks/s here": tasks / seconds,
        "rabbitmq ms/task": 1000 * used["rabbitmq"] / tasks,
        "postgis ms/task": 1000 * used["postgis"] / tasks,
        "rabbitmq MiB/machine": (joined["rabbitmq"] - empty["rabbitmq"]) / number,
        "postgis MiB/machine": (joined["postgis"] - empty["postgis"]) / number,
    }


@click.command()
@click.option("--machines", "numbers", multiple=True, type=int, default=(1, 4, 8), show_default=True)
@click.option("--tasks", default=4000, show_default=True)
def main(numbers: tuple[int, ...], tasks: int) -> None:
    """Measure, and compute how far it goes."""
    table = DataFrame([measure(number, tasks) for number in numbers]).set_index("machines")
    click.echo(table.round(2).to_string())
    cost = (table["rabbitmq ms/task"] + table["postgis ms/task"]).max() / 1000
    most = CORES / cost
    click.echo(f"\nA central on {CORES} cores bears about {most:,.0f} tasks per second. It keeps up with")
    for number in (10, 30, 50, 200):
        least = number * PROCESSES / most * 1000
        click.echo(f"{number:>4} machines of {PROCESSES} processes, with tasks of {least:.0f} ms or more")


if __name__ == "__main__":
    main()
