"""Finds out which part of a broker's or a database's address is wrong, by trying it.

Client libraries answer a wrong address with a long traceback, or not at all. These functions answer within
seconds, name one part, and never show a password.
"""

import re
import socket
from dataclasses import dataclass
from threading import Thread
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from kombu import Connection

PATIENCE = 3
"""Seconds within which an address must answer."""


class Trouble(Exception):
    """One part of an address is wrong.

    Parameters
    ----------
    part : str
        ``scheme``, ``user``, ``password``, ``user or password`` (a server does not tell which), ``host``,
        ``port``, ``virtual host``, ``database``; ``address`` if it can't be taken apart.
    text : str
        What was seen, in a sentence without the password.
    """

    def __init__(self, part: str, text: str) -> None:
        super().__init__(text)
        self.part = part
        self.text = text


@dataclass(frozen=True)
class _Kind:
    """What is different between the address of a broker and that of a database."""

    what: str
    program: str
    schemes: tuple[str, ...]
    port: int
    name: str


_BROKER = _Kind("broker", "RabbitMQ", ("amqp", "pyamqp"), 5672, "virtual host")
_DATABASE = _Kind("database", "PostgreSQL", ("postgresql+psycopg", "postgresql"), 5432, "database")


def broker_trouble(url: object) -> Trouble | None:
    """Log in to RabbitMQ and return which part of its address is wrong; None if none is."""
    return _trouble(url, _BROKER)


def database_trouble(url: object) -> Trouble | None:
    """Log in to PostgreSQL, look for the course's tables, and return what is wrong; None if nothing is."""
    return _trouble(url, _DATABASE)


def broker_parts(url: object) -> dict[str, object]:
    """Return the parts of a broker's address but the password, by name; none if it can't be taken apart."""
    return _shown(url, _BROKER)


def database_parts(url: object) -> dict[str, object]:
    """Return the parts of a database's address but the password, by name; none if it can't be taken apart."""
    return _shown(url, _DATABASE)


def _shown(url: object, kind: _Kind) -> dict[str, object]:
    try:
        return _parts(url, kind)
    except Trouble:
        return {}


def _trouble(url: object, kind: _Kind) -> Trouble | None:
    try:
        parts = _parts(url, kind)
        _reach(parts, kind)
        (_log_in_to_broker if kind is _BROKER else _log_in_to_database)(str(url), parts)
    except Trouble as trouble:
        return trouble
    return None


def _parts(url: object, kind: _Kind) -> dict[str, object]:
    its = f"The {kind.what}'s address"
    if not isinstance(url, str):
        raise Trouble("address", f"{its} is not text, but {type(url).__name__}.")
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[\w+.-]*", scheme):
        raise Trouble("scheme", f'{its} does not begin with a scheme and "://".')
    if scheme not in kind.schemes:
        raise Trouble("scheme", f'{its} has the scheme "{scheme}". That is not one for {kind.program}.')
    login, at, place = rest.rpartition("@")
    if not at:
        raise Trouble("address", f'{its} has no "@" between the password and the host.')
    user, _, password = login.partition(":")
    if not user or not password:
        part = "password" if user else "user"
        raise Trouble(part, f"{its} has no {part}.")
    host, port, name = _place(place, kind)
    return {"scheme": scheme, "user": unquote(user), "host": host, "port": port, kind.name: name}


def _place(place: str, kind: _Kind) -> tuple[str, int, str]:
    try:
        split = urlsplit(f"//{place}")
        host, port = split.hostname, split.port
    except ValueError as error:
        raise Trouble(
            "port", f"The port in the {kind.what}'s address is not a number up to 65535."
        ) from error
    if not host:
        raise Trouble("host", f"The {kind.what}'s address has no host.")
    return host, kind.port if port is None else port, unquote(split.path.removeprefix("/"))


def _reach(parts: dict[str, object], kind: _Kind) -> None:
    host, port = parts["host"], parts["port"]
    outcome: list[OSError] = []

    def connect() -> None:
        try:
            socket.create_connection((str(host), port), timeout=PATIENCE).close()  # type: ignore[arg-type]
        except OSError as error:
            outcome.append(error)

    attempt = Thread(target=connect, daemon=True)  # the search for a name has no time limit of its own
    attempt.start()
    attempt.join(PATIENCE)
    if attempt.is_alive() or outcome and isinstance(outcome[0], TimeoutError):
        raise Trouble("host", f'The {kind.what}\'s host "{host}" does not answer at port {port}.')
    if outcome and isinstance(outcome[0], ConnectionRefusedError):
        raise Trouble("port", f"Nothing listens at the {kind.what}'s port {port} on {host}.")
    if outcome and isinstance(outcome[0], socket.gaierror):
        raise Trouble("host", f'The {kind.what}\'s host "{host}" is not known.')
    if outcome:
        raise Trouble("host", f"The {kind.what}'s host \"{host}\" can't be reached: {outcome[0].strerror}.")


def _log_in_to_broker(url: str, parts: dict[str, object]) -> None:
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
        text = f"What listens at the broker's port {parts['port']} does not answer as RabbitMQ does."
        raise Trouble("port", text) from error


def _log_in_to_database(url: str, parts: dict[str, object]) -> None:
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
