"""Measures the course beside the design of 2018 and its peers: ``make bench``, or ``python -m benchmarks``.

All take turns, round by round, on one PostgreSQL and one RabbitMQ, which this starts for itself. What was
measured stands in ``speed.json``; ``speed.md`` shows it, and `benchmarks.plot` draws it.
"""

import random
import signal
from pathlib import Path
from typing import Any

import click

from backstage.stack import logs
from backstage.stack.site import Site
from benchmarks import machine, report, stack
from benchmarks.contenders import BASELINE, CONTENDERS, LARGE, LONG, Contender
from benchmarks.measure import measure
from workshop.errors import WorkshopError

_BY_NAME = {each.name: each for each in CONTENDERS}


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often all take their turn.")
@click.option("--tasks", default=2500, show_default=True, help="How many tasks a run sends.")
@click.option("--large", is_flag=True, help=f"Measure {LARGE:,} tasks instead, once, of the course alone.")
@click.option("--only", multiple=True, type=click.Choice([*_BY_NAME]), help="Whom to measure beside 2018.")
@click.option("--results", default=report.RESULTS, type=click.Path(path_type=Path))
def main(rounds: int, tasks: int, large: bool, only: tuple[str, ...], results: Path) -> None:
    """Measure, and write the results into a folder."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with stack.servers() as site:
            about = machine.describe(site)
            if large:
                runs = _session(site, _BY_NAME["course"], [tasks, LARGE], number=1)
            else:
                runs = _rounds(site, rounds, tasks, {BASELINE, *(only or _BY_NAME)})
    except WorkshopError as error:
        raise click.ClickException(str(error)) from error
    report.save(results, "large" if large else "rounds", {"machine": about, "runs": runs})


def _rounds(site: Site, rounds: int, tasks: int, names: set[str]) -> list[dict[str, Any]]:
    """Let all take their turn, in another order each time; the first time with a long run, too."""
    found = []
    for number in range(1, rounds + 1):
        for name in random.Random(number).sample(sorted(names), len(names)):
            sizes = [tasks, 10 * tasks] if name in LONG and number == 1 else [tasks]
            found += _session(site, _BY_NAME[name], sizes, number)
    return found


def _session(site: Site, contender: Contender, sizes: list[int], number: int) -> list[dict[str, Any]]:
    found = []
    try:
        for run in measure(site, contender, sizes, seed=number):
            found.append({"round": number, "contender": contender.name} | run)
            rate = f"{run['tasks']:>7,} tasks {run['end to end']:8,.0f}/s"
            click.echo(f"round {number}  {contender.name:<18} {rate}")
    except WorkshopError as error:
        said = [logs.tail(log) for log in (*logs.of("worker"), *logs.of("producer"))]
        raise WorkshopError("\n".join([f"{contender.name}: {error}", *said])) from error
    return found


if __name__ == "__main__":
    main()
