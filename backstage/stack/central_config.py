"""What a central of this machine is to be: for whom it opens, at which address, until when.

A central is a virtual host, a database and accounts on the servers of this stack, all with its id in their
names. What is wanted stands in ``central.json``; `backstage.stack.accounts` and `backstage.stack.roles` make
it so, whenever a server has started, and when it changes.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workshop import state_folder

FILE = "central.json"
HOST = "127.0.0.1"


def new_id() -> str:
    """Return what the names of a new central begin with, such as ``c7f3``: two bytes in hexadecimal."""
    return f"c{secrets.token_hex(2)[1:]}"


@dataclass(frozen=True)
class CentralConfig:
    """For whom a central opens.

    Attributes
    ----------
    id : str
        The name of its virtual host and its database, and what its accounts begin with.
    until : datetime
        When the machines' accounts end (UTC).
    passwords : list of str
        The password of each machine's accounts, machine01's first; none once the central is closed.
    address : str
        The IPv4 address of this machine at which the other machines reach it; 127.0.0.1 if none do.
    flower : str
        The password of Flower's pages at that address; empty if there are none.
    fleeting : bool
        Whether its squares go with it: it is a rehearsal, and there was no class before whose squares wait.
    ports : dict of str to int
        The ports that the cards name: a new start takes them again.
    """

    id: str
    until: datetime
    passwords: list[str]
    address: str = HOST
    flower: str = ""
    fleeting: bool = False
    ports: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls) -> "CentralConfig | None":
        """Return what the state folder says of a central, open or closed; None if there never was one."""
        content = state_folder.read(FILE)
        if not content:
            return None
        del content["folder"]
        return cls(**content | {"until": datetime.fromisoformat(content["until"])})

    def write(self) -> None:
        """Write it into the state folder."""
        state_folder.write(FILE, vars(self) | {"until": self.until.isoformat()} | state_folder.here())

    @property
    def expired(self) -> bool:
        """Whether the accounts have ended."""
        return datetime.now(UTC) > self.until

    @property
    def accounts(self) -> dict[str, str]:
        """The password of each account that is good now, by its name."""
        good = enumerate([] if self.expired else self.passwords, start=1)
        return {f"{self.id}-{machine_called(number)}": password for number, password in good}


def opened() -> CentralConfig | None:
    """Return the central that is open now; None if there is none."""
    central = CentralConfig.read()
    return central if central and central.accounts else None


def open_to_others() -> str:
    """Return the address at which other machines may be at work for an open central; empty if none are."""
    central = opened()
    return central.address if central and central.address != HOST else ""


def machine_called(number: int) -> str:
    """Return what people call a machine at a central, such as ``machine07``."""
    return f"machine{number:02}"


def machine_of(account: str) -> str:
    """Return what people call whom an account belongs to: ``machine07`` of ``c7f3-machine07``."""
    return account.rpartition("-")[2]
