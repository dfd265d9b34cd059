"""Empties what services hold: this machine's own, as a reset does, or those of the central that it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from amqp.exceptions import AMQPError
from kombu import Connection

from backstage.stack.site import Site
from backstage.stack.status import running_site, statuses, until
from workshop import state_folder
from workshop.delivery.configuration import DEAD, SQUARES
from workshop.delivery.record import FILE
from workshop.errors import WorkshopError

_TABLES = {"grid_squares": "squares", "task_log": "log lines", "nation_counts": "counts by the clock"}
_QUEUES = {SQUARES: "messages waiting", DEAD: "dead letters"}

_PATIENCE = "-c lock_timeout=5s"

_HOLDERS = """
    SELECT DISTINCT application_name, pid, usename, xact_start
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE relation = ANY(SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)
        AND granted AND mode <> 'AccessShareLock' AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
        AND (coalesce(state, '') NOT IN ('active', 'idle') OR now() - xact_start > '5 s')
"""
"""Who holds more than what reading takes, and not for a moment, as a worker does.

PostgreSQL shows state and time to the same user only, and both tables as they are one after the other: who is
idle by then holds nothing.
"""


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
    with _connected(site) as (database, broker), broker.channel() as channel:
        found = {
            _TABLES[name]: database.execute(f"SELECT count(*) FROM geopython.{name}").fetchall()[0][0]
            for name in _tables(database, site)
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
    with _connected(site) as (database, broker), broker.channel() as channel:
        tables = [f"geopython.{name}" for name in _tables(database, site)]
        if site.central:
            database.execute("DROP TABLE IF EXISTS geopython.fill_tasks")  # a feeding that goes on notices it
        else:
            _lock(database, tables, site)
            # What a stopped worker gives back counts as consumed until RabbitMQ has noticed its end.
            until(lambda: SQUARES(channel).queue_declare(passive=True).consumer_count == 0, seconds=10)
        for table in tables:
            database.execute(f"DELETE FROM {table}")
        for queue in _QUEUES:  # last, as no rollback brings messages back
            queue(channel).purge()
    if not site.central:
        (state_folder.state_dir() / FILE).unlink(missing_ok=True)


def _lock(database: psycopg.Connection, tables: list[str], site: Site) -> None:
    try:
        database.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE")
    except psycopg.errors.LockNotAvailable:
        database.rollback()
        _tables(database, site)  # by now it names who came in between
        raise


@contextmanager
def _connected(site: Site) -> Iterator[tuple[psycopg.Connection, Connection]]:
    """Yield a transaction of the database, and the broker."""
    url = site.database_url.replace("+psycopg", "")
    try:
        with (
            psycopg.connect(url, connect_timeout=5, options=_PATIENCE) as database,
            Connection(site.broker_url, connect_timeout=5) as broker,
        ):
            yield database, broker
    except (psycopg.Error, AMQPError, OSError) as error:
        raise WorkshopError(f"A service does not answer: {error}.", "workshop status") from error


def _tables(database: psycopg.Connection, site: Site) -> list[str]:
    """Return which of the tables there are; refuse if others keep them from being emptied.

    Only reading them keeps nothing. At a central nobody can: its machines may read and add rows only.
    """
    holders = database.execute(_HOLDERS, [[f"geopython.{name}" for name in _TABLES]]).fetchall()
    if holders and not site.central:
        named = "\n".join(
            f"    {name or 'a program without a name'}, process {pid}, user {user}"
            f"{f', since {since:%H:%M:%S}' if since else ''}"
            for name, pid, user, since in holders
        )
        raise WorkshopError(
            f"The tables can't be emptied, as others have open transactions in them:\n{named}\n"
            "Nothing was changed.",
            "end the edit session or close the table in QGIS, or end that program, then the same again",
        )
    query = "SELECT to_regclass('geopython.' || %s) IS NOT NULL"
    return [name for name in _TABLES if database.execute(query, [name]).fetchone() == (True,)]


def forget_settings() -> None:
    """Take back what was changed on this machine: settings, such as how many workers, and tries to join."""
    for name in ("join.json", "settings.json"):
        (state_folder.state_dir() / name).unlink(missing_ok=True)
