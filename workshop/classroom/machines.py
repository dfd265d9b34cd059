"""The machines of a rehearsal: a state folder and a supervised worker each, as a joined machine has them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop import machine, settings
from workshop.classroom.card import Card
from workshop.classroom.wires import Wires
from workshop.errors import WorkshopError
from workshop.stack.environment import of_child
from workshop.stack.process import born, kill_session
from workshop.stack.running import until

SIDE_BY_SIDE = 4
"""How many start at the same time: each takes some seconds of a core."""

_PATIENCE = 120
_STOP_PATIENCE = 30


def folder() -> Path:
    """Return the folder of all machines of a rehearsal."""
    return machine.state_dir() / "rehearsal"


@dataclass(frozen=True)
class Machine:
    """One machine.

    Attributes
    ----------
    name : str
        As the central calls it, such as ``machine07``.
    state : pathlib.Path
        Its own state folder.
    """

    name: str
    state: Path

    def start(self, card: Card, leader: int, prefix: Iterable[str] = ()) -> None:
        """Start its worker, which works for the central of the card and ends with the process `leader`.

        Parameters
        ----------
        card : Card
            Its card.
        leader : int
            The number of a process.
        prefix : iterable of str
            What goes before the command, such as one that enters a network namespace.
        """
        machine.claim(self.state)
        addresses = {"broker_url": card.broker.url, "database_url": card.database.url, "machine": self.name}
        machine.write(str(self.state / "joined.json"), addresses)
        own = {
            "WORKSHOP_STATE": str(self.state),
            "WORKSHOP_PORTS": "any",
            "WORKSHOP_PROCESSES": "1",
            "WORKSHOP_PACE": str(settings.pace()),
            "WORKSHOP_LEADER": str(leader),
        }
        with (self.state / "stack.log").open("wb") as log:
            process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "workshop", "up", "worker"],
                cwd=machine.ROOT,
                env=of_child(own, another_stack=True),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        note = {"pid": process.pid, "born": born(process.pid)}
        machine.write(str(self.state / "process.json"), note)

    @property
    def is_ready(self) -> bool:
        """Whether its worker takes tasks."""
        services = machine.read(str(self.state / "stack.json")).get("services", {})
        return self.lives and services.get("worker1", {}).get("state") == "ready"

    @property
    def lives(self) -> bool:
        """Whether its supervisor runs."""
        note = self._note()
        return bool(note) and born(note["pid"]) == note["born"]

    def stop(self) -> None:
        """Ask it to end."""
        if self.lives:
            with suppress(ProcessLookupError):
                os.kill(self._note()["pid"], signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; its worker ends with it."""
        if self.lives:
            kill_session(self._note()["pid"])

    def last_line(self) -> str:
        """Return the last that it said."""
        with suppress(OSError, IndexError):
            return (self.state / "stack.log").read_text(errors="replace").splitlines()[-1]
        return ""

    def _note(self) -> dict[str, Any]:
        return machine.read(str(self.state / "process.json"))


def start(cards: list[Card], leader: int, wires: Wires | None, say: Callable[[str], None]) -> list[Machine]:
    """Start a machine for each card, some side by side, and return them when all are ready.

    Raises
    ------
    WorkshopError
        If one does not become ready.
    """
    every: list[Machine] = []
    shown: set[str] = set()
    cards = list(cards)
    end = time.monotonic() + _PATIENCE
    while len(shown) < len(every) or cards:
        for each in [each for each in every if each.is_ready and each.name not in shown]:
            shown.add(each.name)
            end = time.monotonic() + _PATIENCE
            say(f"{each.name} is ready ({len(shown)} of {len(every) + len(cards)})")
        while cards and len(every) - len(shown) < SIDE_BY_SIDE:
            card = cards.pop(0)
            every.append(Machine(card.machine, folder() / card.machine))
            if wires:
                wires.plug_in(card.number)
            every[-1].start(card, leader, wires.prefix(card.number) if wires else ())
        gone = [each for each in every if not each.lives]
        if gone or time.monotonic() > end:
            slow = (gone or [each for each in every if not each.is_ready])[0]
            raise WorkshopError(f"{slow.name} did not start. It said last: {slow.last_line()}")
        time.sleep(0.1)
    return every


def there() -> list[Machine]:
    """Return the machines that were started, whether they live or not."""
    found = sorted(folder().glob("machine*")) if folder().exists() else []
    return [Machine(path.name, path) for path in found]


def end() -> None:
    """End all machines and remove their folders."""
    for each in there():
        each.stop()
    until(lambda: not any(each.lives for each in there()), _STOP_PATIENCE)
    for each in there():
        each.kill()
    shutil.rmtree(folder(), ignore_errors=True)
