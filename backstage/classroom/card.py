"""A machine's card: where the central is, and who the machine is there, as one code that can be typed.

A code is 40 letters and digits, such as ``A2B3C-...``: 25 bytes in base 32, without 0 and 1; who reads an O
as 0, and an L as 1, may type that. The last two bytes are a checksum, so that a mistake is noticed before
anything is tried. One password serves both the broker and the database: whoever has one may do no more with
the other.
"""

import base64
import binascii
import re
import secrets
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address

from backstage.stack.central_config import machine_called
from backstage.stack.containers import host_of
from workshop.errors import WorkshopError, WrongUse

_NUMBERS = struct.Struct(">HHBI")
"""Both ports, the machine's number, and the end in seconds since 1970."""

_BYTES, _LETTERS = 25, 40


@dataclass(frozen=True)
class _Login:
    user: str
    password: str
    host: str
    port: int

    @property
    def _place(self) -> str:
        return f"{self.user}:{self.password}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Broker(_Login):
    """The parts of the address of the central RabbitMQ."""

    virtual_host: str

    @property
    def url(self) -> str:
        """The address, as Celery takes it."""
        return f"amqp://{self._place}/{self.virtual_host}"


@dataclass(frozen=True)
class Database(_Login):
    """The parts of the address of the central PostGIS."""

    name: str

    @property
    def url(self) -> str:
        """The address, as SQLAlchemy takes it."""
        return f"postgresql+psycopg://{self._place}/{self.name}"


@dataclass(frozen=True, repr=False)
class Card:
    """What one machine needs to join a central.

    Attributes
    ----------
    number : int
        1 to 255; the machine is called ``machine01`` and so on.
    central : str
        The central's id, with which its virtual host, its database and its accounts begin.
    password : str
        16 hexadecimal digits.
    host : str
        The central's IPv4 address.
    broker_port, database_port : int
        Where RabbitMQ and PostGIS listen there.
    until : datetime
        When the card ends (UTC).
    """

    number: int
    central: str
    password: str
    host: str
    broker_port: int
    database_port: int
    until: datetime

    @property
    def machine(self) -> str:
        """What the machine is called, such as ``machine07``."""
        return machine_called(self.number)

    @property
    def account(self) -> str:
        """Whom broker and database know the machine as, such as ``c7f3-machine07``."""
        return f"{self.central}-{self.machine}"

    @property
    def broker(self) -> Broker:
        """The parts of the broker's address."""
        host = host_of("rabbitmq", self.host)
        return Broker(self.account, self.password, host, self.broker_port, self.central)

    @property
    def database(self) -> Database:
        """The parts of the database's address."""
        host = host_of("postgis", self.host)
        return Database(self.account, self.password, host, self.database_port, self.central)

    @property
    def joined(self) -> dict[str, str]:
        """What ``joined.json`` says of a machine that has this card."""
        return {"broker_url": self.broker.url, "database_url": self.database.url, "machine": self.machine}

    @property
    def code(self) -> str:
        """The card as one text, in groups of five."""
        end = int(self.until.timestamp())
        numbers = _NUMBERS.pack(self.broker_port, self.database_port, self.number, end)
        packed = IPv4Address(self.host).packed + numbers + bytes.fromhex(self.central + self.password)
        text = base64.b32encode(packed + _checksum(packed)).decode()
        return "-".join(re.findall(".{5}", text))

    def __repr__(self) -> str:
        """Show the parts of both addresses as a table."""
        lines = [f"{'':<14}{'broker':<20}database"]
        for part in ("user", "password", "host", "port", "virtual_host", "name"):
            both = (getattr(self.broker, part, ""), getattr(self.database, part, ""))
            lines.append(f"{part:<14}{both[0]:<20}{both[1]}".rstrip())
        return "\n".join(lines)


def new_password() -> str:
    """Return a random password of 64 bits: 16 hexadecimal digits."""
    return secrets.token_hex(8)


def read_code(text: str) -> Card:
    """Return the card that a code stands for.

    Parameters
    ----------
    text : str
        The code as it was typed: small letters, spaces and missing hyphens do no harm.

    Raises
    ------
    WrongUse
        If it is no code.
    WorkshopError
        If its card has ended.
    """
    plain = re.sub(r"[\s-]", "", text)
    try:
        packed = base64.b32decode(plain, casefold=True, map01="L")
    except ValueError:
        packed = b""
    if len(packed) != _BYTES or _checksum(packed[:-2]) != packed[-2:]:
        raise WrongUse(
            f"There is a typing mistake in this code. A code has {_LETTERS} letters and digits; "
            f"this one has {len(plain)}.",
            "compare it with your card, and type it once more",
        )
    broker, database, number, end = _NUMBERS.unpack(packed[4:13])
    central, password, until = packed[13:15].hex(), packed[15:23].hex(), datetime.fromtimestamp(end, UTC)
    card = Card(number, central, password, str(IPv4Address(packed[:4])), broker, database, until)
    now = datetime.now(UTC)
    if now > card.until:
        ended, here = (f"{when.astimezone():%d %B %Y, %H:%M}" for when in (card.until, now))
        text = f"The card of {card.machine} ended on {ended}; this machine's clock says {here}."
        raise WorkshopError(text, "set the clock if it is wrong, else ask for a new card")
    return card


def _checksum(packed: bytes) -> bytes:
    return binascii.crc_hqx(packed, 0).to_bytes(2)
