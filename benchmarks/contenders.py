"""Who is measured: a producer's program, and the command of the worker that serves it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from backstage.stack import plan, workers
from backstage.stack.site import Site
from workshop import settings

BASELINE = "2018 design"
"""All figures are compared with those of this one, in the same round."""


@dataclass(frozen=True)
class Contender:
    """One thing to measure.

    Attributes
    ----------
    name : str
        Its name in tables.
    program : str
        The module of `benchmarks.programs` that sends the points.
    worker : callable, optional
        Site and the worker's number to its command; None if the program does all itself.
    workers : int
        How many of them run.
    flower : bool
        Whether Flower watches.
    environment : dict of str to str
        What producer and worker are told besides where the services are.
    about : str
        What a reader has to know of it.
    """

    name: str
    program: str
    worker: Callable[[Site, int], list[str]] | None
    about: str
    workers: int = 1
    flower: bool = False
    environment: dict[str, str] = field(default_factory=dict)


def _module(*words: str) -> Callable[[Site, int], list[str]]:
    """Return a worker's command: a module of Python with its arguments."""
    return lambda site, number: [sys.executable, "-m", *words]


def _course(site: Site, number: int) -> list[str]:
    return workers.worker(number, 2).command(site)


def _watched(site: Site, number: int) -> list[str]:
    """Return the command with the events that a worker sends where the stack has Flower."""
    return [*_course(site, number), "--task-events"]


def _fast(site: Site, number: int) -> list[str]:
    with settings.changed(profile=workers.FAST):
        return workers.worker(number, plan.usual_processes()).command(site)


_dramatiq = _module("dramatiq", "benchmarks.programs.with_dramatiq", "--processes", "2", "--threads", "8")

CONTENDERS = (
    Contender(
        BASELINE,
        "design_2018",
        _module("celery", "-A", "benchmarks.programs.design_2018", "worker", "-c", "2", "-l", "INFO"),
        "Celery's defaults: acknowledged before it runs, no confirms; two processes",
    ),
    Contender("course", "course", _course, "as an attendee meets it; two processes, all guarantees"),
    Contender("course, Flower", "course", _watched, "the same while Flower watches", flower=True),
    Contender("course, fast", "course", _fast, "for bulk work: one worker of 8 threads"),
    Contender("course, 2 fast", "course", _fast, "two of them, one for each core", workers=2),
    Contender("course, blocks", "blocks", _course, "100 squares in a message; each counts as a task"),
    Contender(
        "dramatiq", "with_dramatiq", _dramatiq, "2 processes of 8 threads, late acknowledgement, no confirms"
    ),
    Contender(
        "dramatiq, confirms",
        "with_dramatiq",
        _dramatiq,
        "the same, and each message is confirmed",
        environment={"BENCH_CONFIRMS": "1"},
    ),
    Contender(
        "taskiq",
        "with_taskiq",
        _module("taskiq", "worker", "benchmarks.programs.with_taskiq:broker", "--workers", "2"),
        "2 processes of coroutines with threads, late acknowledgement, each message confirmed",
    ),
    Contender(
        "procrastinate",
        "with_procrastinate",
        _module(
            "procrastinate", "--app=benchmarks.programs.with_procrastinate.app", "worker", "--concurrency=8"
        ),
        "2 processes of 8 threads; the queue is a table of PostgreSQL",
        workers=2,
    ),
    Contender("Pool(2), no queue", "with_pool", None, "multiprocessing.Pool, points one at a time"),
)

LONG = (BASELINE, "course", "course, fast", "course, blocks", "Pool(2), no queue")
"""Who is measured with ten times as many tasks, too."""

LARGE = 250_000
"""How many tasks the course shows once that it bears."""
