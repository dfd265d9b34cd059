"""The design of 2018, written anew after its README, on today's libraries: what all others are compared with.

Celery with its defaults: a message is acknowledged before its task runs, four of them wait in each process,
no publish is confirmed. The worker has two processes and logs each task, as it did in the containers of 2018.
Each process writes rows over one connection, each in a transaction. No guarantee was added, and no speed.
"""

import os
from functools import cache
from typing import Any

import psycopg
from celery import Celery, Task

from benchmarks.programs.point import STATEMENT, row

application = Celery("tasks", broker=os.environ["BENCH_BROKER_URL"])


@cache
def _database() -> psycopg.Connection:
    """Connect once in each process."""
    return psycopg.connect(os.environ["BENCH_DATABASE_URL"].replace("+psycopg", ""))


class TaskError(Exception):
    """A task failed."""


class ServiceError(Exception):
    """A service did not answer; here all services do."""


class AppBaseTask(Task):
    """The base class of the task, whose methods were empty."""

    abstract = True

    def on_retry(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Do nothing."""

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Do nothing."""


def geoprocess(x: int, y: int) -> None:
    """Write the square around a point."""
    _database().execute(STATEMENT, row(x, y, "2018"))
    _database().commit()


@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5)
def do_task(self: AppBaseTask, x: int, y: int) -> None:
    """Do one simple piece of geoprocessing."""
    try:
        geoprocess(x, y)
    except ServiceError as error:
        self.retry(countdown=10, exc=error)
    except Exception as error:
        raise TaskError(error) from error


def send_all(points: list[tuple[int, int]]) -> None:
    """Put a task for each point on the queue."""
    for x, y in points:
        do_task.delay(x, y)
