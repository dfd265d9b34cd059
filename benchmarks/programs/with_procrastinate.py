"""The same with procrastinate, whose queue is a table of PostgreSQL; RabbitMQ has no part in it."""

import os

from procrastinate import App, PsycopgConnector
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector

from benchmarks.programs.point import store

_URL = os.environ["BENCH_DATABASE_URL"].replace("+psycopg", "")

app = App(connector=PsycopgConnector(conninfo=_URL))


@app.task
def do_task(x: int, y: int) -> None:
    """Write the square around a point; procrastinate runs this in a thread."""
    store(x, y, "procrastinate")


def prepare() -> None:
    """Make the tables of procrastinate, unless they are there."""
    with app.replace_connector(SyncPsycopgConnector(conninfo=_URL)) as sender, sender.open():
        if not sender.check_connection():
            sender.schema_manager.apply_schema()


def send_all(points: list[tuple[int, int]]) -> None:
    """Put a task for each point on the queue."""
    with app.replace_connector(SyncPsycopgConnector(conninfo=_URL)) as sender, sender.open():
        for x, y in points:
            do_task.defer(x=x, y=y)
