"""What a joined machine needs at its central beyond being let in: a queue, rights, one time, a free card."""

from datetime import UTC, datetime

import sqlalchemy as sa
from kombu import Connection

from backstage.classroom import network
from workshop.delivery.addresses import Trouble, broker_trouble, database_trouble
from workshop.delivery.topology import SQUARES

APART = 60
"""Seconds that this machine's clock may be off: one clock writes the time of a retry, another reads it."""


def now() -> datetime:
    """Return what this machine's clock says (UTC)."""
    return datetime.now(UTC)


def queue_trouble(url: str) -> Trouble | None:
    """Return that a broker has no queue for the course's tasks; None if it has."""
    try:
        with Connection(url, connect_timeout=3) as connection, connection.channel() as channel:
            SQUARES(channel).queue_declare(passive=True)
    except Exception as error:  # the library has many
        if getattr(error, "reply_code", None) != 404:
            return broker_trouble(url) or Trouble("queue", f"RabbitMQ does not show its queue: {error}.")
        return Trouble("queue", f'RabbitMQ has no queue "{SQUARES.name}", where the tasks would wait.')
    return None


def database_use_trouble(url: str) -> Trouble | None:
    """Return what keeps this machine from working with a database that lets it in; None if nothing does."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"connect_timeout": 3})
    try:
        with engine.connect() as connection:
            return _rights(connection) or _clock(connection) or _card_in_use(connection)
    except sa.exc.SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).partition("\n")[0]
        return database_trouble(url) or Trouble("rights", f"PostgreSQL refuses what a task needs: {said}.")


_BOTH = ("SELECT", "INSERT")


def _rights(connection: sa.Connection) -> Trouble | None:
    needed = {"grid_squares": _BOTH, "task_log": _BOTH, "uk_boundary": _BOTH[:1]}
    for table, rights in needed.items():
        for right in rights:
            query = sa.text("SELECT has_any_column_privilege(:table, :right)")
            if not connection.scalar(query, {"table": f"geopython.{table}", "right": right}):
                user = connection.scalar(sa.text("SELECT session_user"))
                return Trouble("rights", f'The user "{user}" has no right to {right} in geopython.{table}.')
    if not connection.scalar(sa.text("SELECT count(*) FROM geopython.uk_boundary")):
        return Trouble("rights", "The table geopython.uk_boundary is empty, so no task can find its nation.")
    return None


def _clock(connection: sa.Connection) -> Trouble | None:
    there: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    here = now()
    seconds = (here - there).total_seconds()
    if abs(seconds) <= APART:
        return None
    off = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the central's"
    times = f"{here:%H:%M:%S} here, {there.astimezone(UTC):%H:%M:%S} there, in UTC"
    return Trouble("clock", f"This machine's clock is {off}: {times}. Retries would come at wrong times.")


_ELSEWHERE = sa.text("""
    SELECT DISTINCT host(client_addr) FROM pg_stat_activity
    WHERE usename = session_user AND client_addr <> inet_client_addr()
""")


def _card_in_use(connection: sa.Connection) -> Trouble | None:
    others = set(connection.scalars(_ELSEWHERE)) - network.own_addresses()
    if not others:
        return None
    user = connection.scalar(sa.text("SELECT session_user"))
    places = " and ".join(sorted(others))
    return Trouble("name", f'Another machine works with the card of "{user}" already, at {places}.')
