"""Finds out which part of a broker's or a database's address is wrong, by trying it.

Client libraries answer a wrong address with a long traceback, or not at all. These functions answer within
seconds, name one part, and never show a password.
"""

import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from amqp.exceptions import AMQPError
from kombu import Connection

PATIENCE = 3
"""Seconds within which an address must answer."""


class Trouble(Exception):
    """One part of an address is wrong.

    Parameters
    ----------
    part : str
        ``scheme``, ``user``, ``password``, ``user or password`` (a server does not tell which), ``host``,
        ``port``, ``virtual host``, ``database``; ``address`` if it can't be taken apart. Or what is wrong
        there though the address is right: ``connections``, as no more are let in.
    text : str
        What was seen, in a sentence without the password.
    on_the_way : bool
        Whether the network is at fault, not the server: no answer at all, or no way to it.
    """

    def __init__(self, part: str, text: str, on_the_way: bool = False) -> None:
        super().__init__(text)
        self.part, self.text, self.on_the_way = part, text, on_the_way


@dataclass(frozen=True)
class Kind:
    """What is different between the address of a broker and that of a database."""

    what: str
    schemes: tuple[str, ...]
    port: int
    name: str


BROKER = Kind("broker", ("amqp", "pyamqp"), 5672, "virtual host")
DATABASE = Kind("database", ("postgresql+psycopg", "postgresql"), 5432, "database")


def parts_of(url: object, kind: Kind) -> dict[str, Any]:
    """Return the parts of an address but the password, by name; none if it can't be taken apart."""
    with suppress(Trouble):
        return _parts_of(url, kind)
    return {}


def log_in(url: object, patience: float) -> Any:
    """Log in to RabbitMQ, and return the connection.

    Parameters
    ----------
    url : str
        The broker's address, right or wrong.
    patience : float
        Seconds within which it must answer.

    Returns
    -------
    amqp.Connection
        Who reads from it or writes to it waits for `PATIENCE` seconds at most.

    Raises
    ------
    Trouble
        If one part of the address is wrong.
    """
    parts = _parts_of(url, BROKER)
    _reach(parts, BROKER, patience)
    silence = {"read_timeout": PATIENCE, "write_timeout": PATIENCE}
    broker = Connection(url, connect_timeout=patience, transport_options=silence)
    try:
        return broker.transport.establish_connection()
    except Exception as error:  # the library has many, and other programs may answer anything
        raise Trouble(*_why_no_broker(error, parts)) from error


def broker_trouble(url: object) -> Trouble | None:
    """Log in to RabbitMQ and return which part of its address is wrong; None if none is."""
    try:
        with suppress(AMQPError, OSError):  # by then it has let this machine in
            log_in(url, PATIENCE).close()
    except Trouble as trouble:
        return trouble
    return None


def database_trouble(url: object) -> Trouble | None:
    """Log in to PostgreSQL, look for the course's tables, and return what is wrong; None if nothing is."""
    try:
        parts = _parts_of(url, DATABASE)
        _reach(parts, DATABASE, PATIENCE)
        _look_into_database(str(url), parts)
    except Trouble as trouble:
        return trouble
    return None


def _parts_of(url: object, kind: Kind) -> dict[str, Any]:
    its = f"The {kind.what}'s address"
    if not isinstance(url, str):
        raise Trouble("address", f"{its} is not text, but {type(url).__name__}.")
    try:
        split = urlsplit(url)
    except ValueError as error:
        raise Trouble("host", f"{its} has a bracket in its host that is not closed.") from error
    if split.scheme not in kind.schemes:
        raise Trouble("scheme", f'{its} has the scheme "{split.scheme}", not "{kind.schemes[0]}".')
    if not split.netloc:
        raise Trouble("address", f'{its} has no "//" after its scheme.')
    if "@" not in split.netloc:
        raise Trouble("address", f'{its} has no "@" between the password and the host.')
    for part, value in ("user", split.username), ("password", split.password), ("host", split.hostname):
        if not value:
            raise Trouble(part, f"{its} has no {part}.")
    try:
        port = split.port or kind.port
    except ValueError as error:
        raise Trouble("port", f"{its} has a port that is not a number up to 65535.") from error
    user, name = unquote(split.username or ""), unquote(split.path.removeprefix("/"))
    return {"scheme": split.scheme, "user": user, "host": split.hostname, "port": port, kind.name: name}


def _reach(parts: dict[str, Any], kind: Kind, patience: float) -> None:
    outcome: list[OSError] = []

    def connect() -> None:
        try:
            socket.create_connection((parts["host"], parts["port"]), timeout=patience).close()
        except OSError as error:
            outcome.append(error)

    attempt = Thread(target=connect, daemon=True)  # the search for a name has no time limit of its own
    attempt.start()
    attempt.join(patience)
    if not outcome and not attempt.is_alive():
        return
    host = f'The {kind.what}\'s host "{parts["host"]}"'
    match outcome:
        case [ConnectionRefusedError()]:
            text = f"Nothing listens at the {kind.what}'s port {parts['port']} on {parts['host']}."
            raise Trouble("port", text)
        case [socket.gaierror()]:
            raise Trouble("host", f"{host} is not known.")
        case [] | [TimeoutError()]:
            text = f"{host} does not answer at port {parts['port']} within {patience:.1g} s."
        case [error]:
            text = f"{host} can't be reached: {error.strerror}."
    raise Trouble("host", text, on_the_way=True)


def _why_no_broker(error: Exception, parts: dict[str, Any]) -> tuple[str, str]:
    code, user, port = getattr(error, "reply_code", None), parts["user"], parts["port"]
    if code == 403:
        return "user or password", f'RabbitMQ refuses the user "{user}" with this password.'
    if code == 530 and "limit" in str(error):
        return "connections", f'RabbitMQ lets no more connections in for the user "{user}".'
    if code == 530:
        name = parts["virtual host"] or "/"
        return "virtual host", f'RabbitMQ has no virtual host "{name}", or not for user "{user}".'
    if isinstance(error, TimeoutError | BlockingIOError):
        return "port", f"RabbitMQ at port {port} takes the call, but says nothing for {PATIENCE} s."
    return "port", f"What listens at the broker's port {port} does not answer as RabbitMQ does."


def _look_into_database(url: str, parts: dict[str, Any]) -> None:
    tables = "SELECT t FROM unnest(array['grid_squares', 'task_log', 'uk_boundary']) AS t"
    try:
        with psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=PATIENCE) as connection:
            found = connection.execute(f"{tables} WHERE to_regclass('geopython.' || t) IS NULL")
            missing = [name for (name,) in found]
    except psycopg.Error as error:
        raise Trouble(*_why_no_database(str(error), parts)) from error
    if missing:
        names = " and no geopython.".join(missing)
        raise Trouble("database", f'The database "{parts["database"]}" has no table geopython.{names}.')


def _why_no_database(said: str, parts: dict[str, Any]) -> tuple[str, str]:
    name, user, port = parts["database"], parts["user"], parts["port"]
    if full := re.search("sorry, too many clients|remaining connection slots|too many connections", said):
        whose = f'for the user "{user}"' if "for role" in said else "at all"
        why = said[full.start() :].strip()
        return "connections", f"PostgreSQL lets no more connections in {whose}: {why}."
    if "permission denied" in said:
        text = f'The user "{user}" may not look into the schema geopython of the database "{name}".'
        return "database", text
    if "FATAL" not in said:
        return "port", f"What listens at the database's port {port} does not answer as PostgreSQL does."
    # A central lets its machines into its one database only, whose name theirs begin with.
    another = "-" in user and not user.startswith(f"{name}-") if "pg_hba" in said else 'database "' in said
    if another:
        return "database", f'PostgreSQL has no database "{name}", or not for user "{user}".'
    return "user or password", f'PostgreSQL refuses the user "{user}" with this password.'
