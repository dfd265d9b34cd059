"""Empties what services hold: this machine's own, as a reset does, or those of the central that it runs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psycopg
from amqp.exceptions import AMQPError, NotFound
from kombu import Connection

from backstage.stack.status import running, until
from workshop import settings, state_folder
from workshop.delivery.recorder import FILE
from workshop.delivery.topology import DEAD, SQUARES
from workshop.errors import WorkshopError

_TABLES = {"grid_squares": "squares", "task_log": "log lines", "nation_counts": "counts by the clock"}
_QUEUES = {SQUARES.name: "messages waiting", DEAD.name: "dead letters"}


_PATIENCE = "-c lock_timeout=5s"

_HOLDERS = """
    SELECT DISTINCT application_name, pid, usename, xact_start
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE relation = ANY(SELECT to_regclass('geopython.' || name) FROM unnest(%s::text[]) AS name)
        AND granted AND mode <> 'AccessShareLock' AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
        AND (coalesce(state, '') <> 'active' OR now() - xact_start > %s::interval)
"""
"""Who holds more than what reading takes. PostgreSQL shows state and time to the same user only."""


def holdings() -> dict[str, int] | None:
    """Return how much of what the services hold, such as ``{"squares": 2500}``; None if none runs.

    Raises
    ------
    WorkshopError
        If a service does not answer,
        or if another program's transaction would keep the tables from being emptied.
    """
    if running() is None:
        return None
    found: dict[str, int] = {}
    with _answering():
        if url := _address("postgis"):
            with psycopg.connect(url, connect_timeout=5, options=_PATIENCE) as database:
                _refuse_if_held(database, longer_than="5 s")
                found |= _rows(database)
        if url := _address("rabbitmq"):
            with Connection(url, connect_timeout=5) as broker:
                found |= _messages(broker)
    return found


def clear() -> None:
    """Empty tables, queues and the record of what was sent, all of it or nothing. The workers must be paused.

    Programs that only read the tables can't hold this up. A worker that stopped gave back the tasks that
    it held; they count as consumed until RabbitMQ has noticed, so this waits until nobody consumes.

    Raises
    ------
    WorkshopError
        If a service does not answer,
        or if another program's transaction keeps the tables.
    """
    with _answering(), ExitStack() as transaction:
        if url := _address("postgis"):
            connection = psycopg.connect(url, connect_timeout=5, options=_PATIENCE)
            _empty(transaction.enter_context(connection))
        if url := _address("rabbitmq"):
            with Connection(url, connect_timeout=5) as broker:
                until(lambda: _length(broker, SQUARES.name)[1] == 0, seconds=10)
                _purge(broker)
    (state_folder.state_dir() / FILE).unlink(missing_ok=True)


def central_holdings() -> dict[str, int]:
    """Return how much the central of this machine holds, such as ``{"squares": 2500}``.

    Raises
    ------
    WorkshopError
        If no central runs here.
    """
    with _central() as (database, broker):
        return _rows(database) | _messages(broker)


def clear_central() -> None:
    """Empty the central's queues and tables, as between two groups, and forget what was fed.

    Accounts, cards and joined machines stay. A task that a machine holds at this moment still gives its row.
    Rows are deleted, not truncated: a machine that keeps the table busy can't hold this up.

    Raises
    ------
    WorkshopError
        If no central runs here.
    """
    with _central() as (database, broker):
        database.execute("DROP TABLE IF EXISTS geopython.fill_tasks")  # a feeding that goes on notices it
        _purge(broker)
        for table in _existing(database):
            database.execute(f"DELETE FROM geopython.{table}")
            database.execute(f"VACUUM geopython.{table}")


@contextmanager
def _central() -> Iterator[tuple[psycopg.Connection, Connection]]:
    from backstage.classroom.central import site  # slow to import

    address = site().database_url.replace("+psycopg", "")
    with (
        psycopg.connect(address, connect_timeout=5, autocommit=True) as database,
        Connection(site().broker_url, connect_timeout=5) as broker,
    ):
        yield database, broker


def _empty(database: psycopg.Connection) -> None:
    tables = [f"geopython.{table}" for table in _existing(database)]
    if not tables:
        return
    try:
        database.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE")
    except psycopg.errors.LockNotAvailable:
        database.rollback()
        _refuse_if_held(database)
        raise
    for table in tables:
        database.execute(f"DELETE FROM {table}")


def _refuse_if_held(database: psycopg.Connection, longer_than: str = "0 s") -> None:
    """Name the programs whose open transactions keep the tables; a worker's statement takes no time."""
    holders = database.execute(_HOLDERS, [list(_TABLES), longer_than]).fetchall()
    if not holders:
        return
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


def leave_central() -> bool:
    """Send this machine's tasks and rows to its own services again; return whether they went to a central.

    A worker that runs ends what it does for the central there.
    """
    joined = settings.joined()
    (state_folder.state_dir() / "joined.json").unlink(missing_ok=True)
    return joined


def forget_settings() -> None:
    """Take back what was changed on this machine: settings, a pause of the workers, tries to join."""
    for name in ("join.json", "settings.json"):
        (state_folder.state_dir() / name).unlink(missing_ok=True)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, AMQPError, OSError) as error:
        raise WorkshopError(f"A service does not answer: {error}.", "workshop status") from error


def _address(service: str) -> str | None:
    """Return where a service of this machine is; None if the stack was started without it."""
    stack = running() or {"services": {}}
    if service not in stack["services"]:
        return None
    if (state := stack["services"][service]["state"]) != "ready":
        raise WorkshopError(
            f"{service} is {state}.", "workshop status, or workshop down, then the same again"
        )
    return stack["broker_url"] if service == "rabbitmq" else stack["database_url"].replace("+psycopg", "")


def _existing(database: psycopg.Connection) -> list[str]:
    query = "SELECT to_regclass('geopython.' || %s) IS NOT NULL"
    return [table for table in _TABLES if database.execute(query, [table]).fetchone() == (True,)]


def _rows(database: psycopg.Connection) -> dict[str, int]:
    query = "SELECT count(*) FROM geopython."
    return {_TABLES[table]: database.execute(query + table).fetchall()[0][0] for table in _existing(database)}


def _messages(broker: Connection) -> dict[str, int]:
    return {what: _length(broker, queue)[0] for queue, what in _QUEUES.items()}


def _purge(broker: Connection) -> None:
    for queue in _QUEUES:
        with suppress(NotFound), broker.channel() as channel:
            channel.queue_purge(queue)


def _length(broker: Connection, queue: str) -> tuple[int, int]:
    """Return how many messages wait in a queue and how many consumers it has."""
    try:
        with broker.channel() as channel:
            found = channel.queue_declare(queue, passive=True)
            return found.message_count, found.consumer_count
    except NotFound:
        return 0, 0
