"""Takes the address of a broker or a database apart, and says which part is missing or malformed."""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit


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
        self.part = part
        self.text = text
        self.on_the_way = on_the_way


@dataclass(frozen=True)
class Kind:
    """What is different between the address of a broker and that of a database."""

    what: str
    program: str
    schemes: tuple[str, ...]
    port: int
    name: str


BROKER = Kind("broker", "RabbitMQ", ("amqp", "pyamqp"), 5672, "virtual host")
DATABASE = Kind("database", "PostgreSQL", ("postgresql+psycopg", "postgresql"), 5432, "database")


def broker_parts(url: object) -> dict[str, Any]:
    """Return the parts of a broker's address but the password, by name; none if it can't be taken apart."""
    with suppress(Trouble):
        return parts_of(url, BROKER)
    return {}


def database_parts(url: object) -> dict[str, Any]:
    """Return the parts of a database's address but the password, by name; none if it can't be taken apart."""
    with suppress(Trouble):
        return parts_of(url, DATABASE)
    return {}


def parts_of(url: object, kind: Kind) -> dict[str, Any]:
    """Return the parts of an address but the password, by name.

    Raises
    ------
    Trouble
        If a part is missing or malformed.
    """
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


def _place(place: str, kind: Kind) -> tuple[str, int, str]:
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
