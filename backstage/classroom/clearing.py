"""Empties what services hold: this machine's own, as a reset does, or those of the central that it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from amqp.exceptions import AMQPError
from kombu import Connection

from backstage.stack.outage import unanswered
from backstage.stack.site import Site
from backstage.stack.status import running_site, statuses, until
from backstage.stack.texts import refusal
from workshop import state_folder
from workshop.delivery.configuration import DEAD, SQUARES
from workshop.delivery.record import FILE

_TABLES = {
    "geopython.grid_squares": "squares",
    "geopython.task_log": "log lines",
    "geopython.nation_counts": "counts by the clock",
    "geopython.verdicts": "verdicts that machines shared",
}
_QUEUES = {SQUARES: "messages waiting", DEAD: "dead letters"}

_PATIENCE = "-c lock_timeout=5s"

_THERE = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL"

_HOLDERS = """
    SELECT DISTINCT application_name, pid, usename, xact_start
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE relation = ANY(%s::regclass[]) AND granted AND mode <> 'AccessShareLock' AND pid <> pg_backend_pid()
"""
"""Who holds more of some tables than what reading takes."""


def own() -> Site | None:
    """Return where this machine's own services are; None if RabbitMQ or PostGIS does not run."""
    return running_site() if {"rabbitmq", "postgis"} <= statuses().keys() else None


def holdings(site: Site) -> dict[str, int]:
    """Return how much of what services hold, such as ``{"squares": 2500}``.

    Parameters
    ----------
    site : Site
        Where they are.

    Raises
    ------
    WorkshopError
        If one does not answer, or if another program's transaction would keep `clear` from its work.
    """
    with _held(site) as (database, channel, tables):
        found = {
            _TABLES[table]: database.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            for table in tables
        }
        for queue, what in _QUEUES.items():
            found[what] = queue(channel).queue_declare(passive=True).message_count
    return found


def clear(site: Site) -> None:
    """Empty tables and queues, and forget what was sent or fed.

    Of this machine's own services all is emptied, or nothing; their workers must have stopped. At a central
    others are at work: who keeps a table busy can't hold this up, and a task that a machine holds at this
    moment still gives its row. Accounts, cards and joined machines stay.

    Parameters
    ----------
    site : Site
        Where the services are.

    Raises
    ------
    WorkshopError
        If one does not answer, or if another program's transaction keeps the tables.
    """
    with _held(site) as (database, channel, tables):
        if site.central:
            database.execute("DROP TABLE IF EXISTS geopython.fill_tasks")  # a feeding that goes on notices it
        else:
            # What a stopped worker gives back counts as consumed until RabbitMQ has noticed its end.
            until(lambda: SQUARES(channel).queue_declare(passive=True).consumer_count == 0, seconds=10)
        for table in tables:
            database.execute(f"DELETE FROM {table}")
        for queue in _QUEUES:  # last, as no rollback brings messages back
            queue(channel).purge()
    if not site.central:
        (state_folder.state_dir() / FILE).unlink(missing_ok=True)


@contextmanager
def _held(site: Site) -> Iterator[tuple[psycopg.Connection, Any, list[str]]]:
    """Yield a transaction in which nobody else writes to the tables, a channel, and which tables there are.

    At a central nothing is locked: others are at work there.
    """
    url = site.database_url.replace("+psycopg", "")
    try:
        with (
            psycopg.connect(url, connect_timeout=5, options=_PATIENCE) as database,
            Connection(site.broker_url, connect_timeout=5) as broker,
            broker.channel() as channel,
        ):
            tables = [name for (name,) in database.execute(_THERE, [[*_TABLES]])]
            if not site.central:
                _lock(database, tables)
            yield database, channel, tables
    except (psycopg.Error, AMQPError, OSError) as error:
        raise unanswered("A service", error, "workshop status") from error


def _lock(database: psycopg.Connection, tables: list[str]) -> None:
    try:
        database.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE")
    except psycopg.errors.LockNotAvailable:
        database.rollback()
        holders = database.execute(_HOLDERS, [tables]).fetchall()
        named = "\n".join(
            f"    {name or 'a program without a name'}, process {pid}, user {user}"
            f"{f', since {since:%H:%M:%S}' if since else ''}"
            for name, pid, user, since in holders
        )
        raise refusal("tables-held", holders=named) from None


def forget_settings() -> None:
    """Take back what was changed on this machine: settings, such as how many workers, and tries to join."""
    for name in ("join.json", "settings.json"):
        (state_folder.state_dir() / name).unlink(missing_ok=True)
