"""Finds out which part of a broker's or a database's address is wrong, by trying it.

Client libraries answer a wrong address with a long traceback, or not at all. These functions answer within
seconds, name one part, and never show a password. What each sign means is in the table beside this file.
"""

import re
import socket
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from amqp.exceptions import AMQPError
from kombu import Connection

PATIENCE = 3
"""Seconds within which an address must answer."""

_CAUSES: dict[str, list[dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)

_MISSING = """
    SELECT t FROM unnest(array['grid_squares', 'task_log', 'uk_boundary']) AS t
    WHERE to_regclass('geopython.' || t) IS NULL
"""


class Trouble(Exception):
    """One part of an address is wrong.

    Parameters
    ----------
    part : str
        ``user or password`` (a server does not tell which), ``host``, ``port``, ``virtual host``,
        ``database``; ``address`` if it can't be taken apart. Or what is wrong there though the address is
        right: ``connections``, as no more are let in.
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


def parts_of(url: Any, kind: Kind) -> dict[str, Any]:
    """Return the parts of an address but the password, by name; none if it can't be taken apart."""
    with suppress(AttributeError, TypeError, ValueError):  # it is no text, or its port no number
        split = urlsplit(url)
        if split.scheme in kind.schemes and split.username and split.password and split.hostname:
            user, name = unquote(split.username), unquote(split.path.removeprefix("/"))
            return {"user": user, "host": split.hostname, "port": split.port or kind.port, kind.name: name}
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
    known = _reach(url, BROKER, patience)
    silence = {"read_timeout": PATIENCE, "write_timeout": PATIENCE}
    broker = Connection(url, connect_timeout=patience, transport_options=silence)
    try:
        return broker.transport.establish_connection()
    except Exception as error:  # the library has many, and other programs may answer anything
        said = f"{getattr(error, 'reply_code', None)} {type(error).__name__}: {error}"
        raise _trouble("broker", said, known | {"name": known["name"] or "/"}) from error


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
        known = _reach(url, DATABASE, PATIENCE)
        with psycopg.connect(str(url).replace("+psycopg", "", 1), connect_timeout=PATIENCE) as connection:
            missing = [f"geopython.{name}" for (name,) in connection.execute(_MISSING)]
    except Trouble as trouble:
        return trouble
    except psycopg.Error as error:
        # A central lets its machines into its one database only, whose name theirs begin with.
        another = "-" in known["user"] and not known["user"].startswith(f"{known['name']}-")
        return _trouble("database", f"{'another central: ' * another}{error}", known)
    return _trouble("database", f"no table {' and no '.join(missing)}", known) if missing else None


def _reach(url: object, kind: Kind, patience: float) -> dict[str, Any]:
    """See whether something listens at an address; return what sentences about it can name."""
    if not (parts := parts_of(url, kind)):
        shape = f"{kind.schemes[0]}://user:password@host:{kind.port}/name"
        raise Trouble("address", f"The {kind.what}'s address is not like {shape}.")
    outcome: list[Exception] = [TimeoutError()]

    def connect() -> None:
        try:
            socket.create_connection((parts["host"], parts["port"]), timeout=patience).close()
            outcome.clear()
        except (OSError, UnicodeError) as error:
            outcome[0] = error

    attempt = Thread(target=connect, daemon=True)  # the search for a name has no time limit of its own
    attempt.start()
    attempt.join(patience)
    known = parts | {"what": kind.what, "name": parts[kind.name], "patience": patience}
    for error in outcome[:]:
        raise _trouble("way", type(error).__name__, known | {"why": error})
    return known


def _trouble(where: str, said: str, known: dict[str, Any]) -> Trouble:
    """Return what a sign means: the first cause in a table that has it."""
    signs = ((cause, re.search(cause["sign"], said, re.DOTALL)) for cause in _CAUSES[where])
    cause, found = next((cause, found) for cause, found in signs if found)
    text = cause["text"].format(**known, **{name: part.strip() for name, part in found.groupdict().items()})
    return Trouble(cause["part"], text, cause.get("on_the_way", False))
