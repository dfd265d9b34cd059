"""Empties the central of this machine between two groups; accounts, cards and joined machines stay."""

import psycopg
from kombu import Connection
from psycopg import sql

from workshop import machine
from workshop.classroom import fill
from workshop.classroom.central import site
from workshop.delivery.topology import DEAD, SQUARES

_TABLES = {"grid_squares": "squares", "task_log": "log lines"}
_QUEUES = {SQUARES.name: "messages waiting", DEAD.name: "dead letters"}


def holdings() -> dict[str, int]:
    """Return how much the central holds, such as ``{"squares": 2500}``; see `clear`."""
    with psycopg.connect(_plain(site().database_url), connect_timeout=5) as database:
        found = {what: _count(database, table) for table, what in _TABLES.items()}
    with Connection(site().broker_url, connect_timeout=5) as broker, broker.channel() as channel:
        for queue, what in _QUEUES.items():
            found[what] = channel.queue_declare(queue, passive=True).message_count
    return found


def clear() -> None:
    """Empty the central's queues and tables, as between two groups, and forget what was fed.

    A task that a machine holds at this moment still gives its row. Rows are deleted, not truncated: a
    machine that keeps the table busy can't hold this up.

    Raises
    ------
    workshop.stack.running.NotRunning
        If no central runs here.
    """
    with Connection(site().broker_url, connect_timeout=5) as broker, broker.channel() as channel:
        for queue in _QUEUES:
            channel.queue_purge(queue)
    with psycopg.connect(_plain(site().database_url), connect_timeout=5, autocommit=True) as database:
        for table in _TABLES:
            name = sql.Identifier("geopython", table)
            database.execute(sql.SQL("DELETE FROM {}").format(name))
            database.execute(sql.SQL("VACUUM {}").format(name))
    (machine.state_dir() / fill.FILE).unlink(missing_ok=True)


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


def _count(database: psycopg.Connection, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("geopython", table))
    row = database.execute(query).fetchone()
    return row[0] if row else 0
