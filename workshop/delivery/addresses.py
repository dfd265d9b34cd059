"""Finds out which part of a broker's or a database's address is wrong, by trying it.

Client libraries answer a wrong address with a long traceback, or not at all. These functions answer within
seconds, name one part, and never show a password.
"""

import re
import socket
from threading import Thread
from typing import Any

import sqlalchemy as sa
from kombu import Connection

from workshop.delivery.url import BROKER, DATABASE, Kind, Trouble, parts_of

__all__ = ["Trouble", "broker_trouble", "database_trouble"]

PATIENCE = 3
"""Seconds within which an address must answer."""


def broker_trouble(url: object) -> Trouble | None:
    """Log in to RabbitMQ and return which part of its address is wrong; None if none is."""
    return _trouble(url, BROKER)


def database_trouble(url: object) -> Trouble | None:
    """Log in to PostgreSQL, look for the course's tables, and return what is wrong; None if nothing is."""
    return _trouble(url, DATABASE)


def _trouble(url: object, kind: Kind) -> Trouble | None:
    try:
        parts = parts_of(url, kind)
        _reach(parts, kind)
        (_log_in_to_broker if kind is BROKER else _log_in_to_database)(str(url), parts)
    except Trouble as trouble:
        return trouble
    return None


def _reach(parts: dict[str, Any], kind: Kind) -> None:
    outcome: list[OSError] = []

    def connect() -> None:
        try:
            socket.create_connection((parts["host"], parts["port"]), timeout=PATIENCE).close()
        except OSError as error:
            outcome.append(error)

    attempt = Thread(target=connect, daemon=True)  # the search for a name has no time limit of its own
    attempt.start()
    attempt.join(PATIENCE)
    if not outcome and not attempt.is_alive():
        return
    match outcome:
        case [ConnectionRefusedError()]:
            text = f"Nothing listens at the {kind.what}'s port {parts['port']} on {parts['host']}."
            raise Trouble("port", text)
        case [socket.gaierror()]:
            reason = "is not known"
        case [error] if not isinstance(error, TimeoutError):
            reason = f"can't be reached: {error.strerror}"
        case _:
            reason = f"does not answer at port {parts['port']}"
    raise Trouble("host", f'The {kind.what}\'s host "{parts["host"]}" {reason}.')


def _log_in_to_broker(url: str, parts: dict[str, Any]) -> None:
    try:
        with Connection(url, connect_timeout=PATIENCE) as connection:
            connection.transport.establish_connection().close()
    except Exception as error:  # the library has many, and other programs may answer anything
        code = getattr(error, "reply_code", None)
        if code == 403:
            text = f'RabbitMQ refuses the user "{parts["user"]}" with this password.'
            raise Trouble("user or password", text) from error
        if code == 530:
            name = parts["virtual host"] or "/"
            text = f'RabbitMQ has no virtual host "{name}", or not for user "{parts["user"]}".'
            raise Trouble("virtual host", text) from error
        if isinstance(error, TimeoutError):
            text = f"RabbitMQ at port {parts['port']} takes the call, but says nothing for {PATIENCE} s."
            raise Trouble("port", text) from error
        text = f"What listens at the broker's port {parts['port']} does not answer as RabbitMQ does."
        raise Trouble("port", text) from error


def _log_in_to_database(url: str, parts: dict[str, Any]) -> None:
    name, user = parts["database"], parts["user"]
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"connect_timeout": PATIENCE})
    try:
        with engine.connect() as connection:
            table = connection.scalar(sa.text("SELECT to_regclass('geopython.grid_squares')"))
    except sa.exc.SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error)
        if "FATAL" not in said:
            text = f"What listens at the database's port {parts['port']} does not answer as PostgreSQL does."
            raise Trouble("port", text) from error
        if re.search(r'database "[^"]*"', said) and "pg_hba" not in said:
            text = f'PostgreSQL has no database "{name}", or not for user "{user}".'
            raise Trouble("database", text) from error
        text = f'PostgreSQL refuses the user "{user}" with this password.'
        raise Trouble("user or password", text) from error
    if table is None:
        raise Trouble("database", f'The database "{name}" has no table geopython.grid_squares.')
