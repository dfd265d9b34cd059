"""Measures the choice of the queue: classic or quorum, and how many messages a worker takes ahead.

``python -m benchmarks.queue_choice`` starts a database and a RabbitMQ of its own, from the programs that
``workshop up`` would take (``CONDA_PREFIX`` names another RabbitMQ), or measures with the one that is named.

The columns: *lost* is tasks with neither a row nor a dead letter. *gap* is the longest time without a row;
*idle* leaves out the time in which each task that was left waited for its own retry. A poison task kills
the process that runs it.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from pandas import DataFrame

from benchmarks.broker import Broker
from benchmarks.queue_runs import GUESTS, Bench, Case
from workshop.stack.running import running_site

_RUN = {"WORKSHOP_FAULT_RATE": "0.15", "WORKSHOP_PACE": "20"}
_QUEUES: dict[str, dict[str, str]] = {
    "classic, prefetch 1": {},
    "classic, prefetch 4": {"BENCH_PREFETCH": "4"},
    "quorum, prefetch 1": {"BENCH_TYPE": "quorum"},
}


def cases(sizes: list[int]) -> Iterator[Case]:
    """Yield what is measured: challenge 2's run in each size, a poison task, and a guest's worker."""
    for size in sizes:
        for name, environment in _QUEUES.items():
            yield Case(name, size, environment=_RUN | environment)
    none = {"WORKSHOP_FAULT_RATE": "0", "WORKSHOP_PACE": "20"}
    for name in ("classic, prefetch 1", "quorum, prefetch 1"):
        yield Case(f"{name}, poison", 100, environment=none | _QUEUES[name], poison=True)
    for guest in GUESTS:
        yield Case(f"classic, guest, {guest}", 300, 5, _RUN | {"BENCH_GUEST": guest})


@contextmanager
def stack(*names: str) -> Iterator[None]:
    """Start services of the course, privately; `workshop.stack.running` finds them."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ |= {"WORKSHOP_STATE": f"{folder}/state", "WORKSHOP_PORTS": "any"}
        command = [sys.executable, "-m", "workshop"]
        subprocess.run([*command, "up", "--detach", *names], check=True, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            subprocess.run([*command, "down", "--purge"], check=True, stdout=subprocess.DEVNULL)


@click.command()
@click.option("--broker", help="An AMQP address with an administrator; by default a RabbitMQ is started.")
@click.option("--management", help="The address of its HTTP interface.")
@click.option("--size", multiple=True, default=[500, 2500], help="How many tasks; may be repeated.")
@click.option("--only", default="", help="Only cases whose name contains this.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the figures to this file too.")
def main(broker: str | None, management: str | None, size: list[int], only: str, target: Path | None) -> None:
    """Measure all cases one after the other, and print a table."""
    with stack("postgis", *([] if broker else ["rabbitmq"])):
        site = running_site()
        assert site is not None
        where = Broker(broker or site.broker_url, management or site.management_url)
        bench, results = Bench(where, site.database_url), []
        for case in cases(list(size)):
            if only in case.name:
                results.append(bench.measure(case))
                click.echo(f"{case.name}, {case.tasks} tasks: {results[-1]}")
        click.echo(f"RabbitMQ {where.version()}\n{DataFrame(results).to_string(index=False)}")
        if target:
            target.write_text(json.dumps({"version": where.version(), "results": results}, indent=1))


if __name__ == "__main__":
    main()
