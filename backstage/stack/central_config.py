"""What a central is told before it starts: for whom it opens, on which address, until when.

A stack whose state folder has the file ``central.json`` is a central: other machines use its broker and its
database. Without that file a stack is for this machine alone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workshop import json_files, state_folder

FILE = "central.json"


def central_folder() -> Path:
    """Return the state folder of the central that this machine runs for challenge 3 or for a class."""
    return state_folder.state_dir() / "central"


@dataclass(frozen=True)
class CentralConfig:
    """For whom a central opens.

    Attributes
    ----------
    address : str
        The IPv4 address of this machine at which the other machines reach it.
    until : datetime
        When the machines' accounts end (UTC).
    machines : dict of int to str
        The password of each machine's accounts, by its number.
    flower : bool
        Whether Flower shows itself at that address too.
    with_stack : bool
        Whether the central ends with the stack of this machine, as one that a notebook started does.
    ports : dict of str to int
        The ports that it had before: the cards name them, so a start after a crash takes them again.
    """

    address: str
    until: datetime
    machines: dict[int, str]
    flower: bool = False
    with_stack: bool = False
    ports: dict[str, int] | None = None

    @classmethod
    def read(cls, state: Path) -> "CentralConfig | None":
        """Return for whom the stack in a state folder opens; None if it is for this machine alone."""
        content = json_files.read(state / FILE)
        if not content:
            return None
        machines = {each["number"]: each["password"] for each in content["machines"]}
        return cls(**content | {"until": datetime.fromisoformat(content["until"]), "machines": machines})

    @property
    def accounts(self) -> dict[str, str]:
        """The password of each account, by its name."""
        return {machine_called(number): password for number, password in self.machines.items()}

    @property
    def expired(self) -> bool:
        """Whether the accounts have ended."""
        return datetime.now(UTC) > self.until

    def as_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        machines = [{"number": number, "password": word} for number, word in self.machines.items()]
        return vars(self) | {"until": self.until.isoformat(), "machines": machines}


def machine_called(number: int) -> str:
    """Return what a machine is called at a central, such as ``machine07``."""
    return f"machine{number:02}"
