"""A central and machines that join it with their codes, each behind a cable of its own if root runs this."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from backstage.classroom import audit, central
from backstage.classroom.card import Card
from tests.classroom.cables import Cables, cables
from tests.classroom.opened import Central
from tests.conftest import wait_for
from tests.integration.machine import Machine
from tests.integration.odd_machine import OddMachine


@dataclass
class Class:
    """A class that works."""

    at: Machine
    cards: list[Card]
    net: Cables | None

    def done(self) -> int:
        return sum(self.shares().values())

    def done_by(self, card: Card) -> int:
        return self.shares().get(card.machine, 0)

    def shares(self) -> dict[str, int]:
        """Return how many squares each machine did."""
        return dict(self.at.sql("SELECT machine, count(*) FROM geopython.grid_squares GROUP BY 1 ORDER BY 1"))

    def twice(self) -> int:
        """Return how many squares have more than one row."""
        return self.at.sql("SELECT count(*) - count(DISTINCT grid_ref) FROM geopython.grid_squares")[0][0]

    def balanced(self, seconds: float) -> audit.Audit:
        """Return the audit once it balances."""
        found: list[audit.Audit] = []

        def over() -> bool:
            found[:] = [audit.audit()]
            return found[0].balanced

        wait_for(over, seconds, f"an audit that balances: {found}")
        return found[0]


@contextmanager
def class_of(number: int, folder: Path, pace: int) -> Iterator[Class]:
    """Open a central, start machines with one worker process each, and let them join with their codes."""
    instructor = Machine(folder / "instructor")
    guests: list[tuple[OddMachine, subprocess.Popen[str]]] = []
    with cables(number) as net, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKSHOP_STATE", str(instructor.state))
        patch.setenv("WORKSHOP_PORTS", "any")
        try:
            opened = central.start(machines=number, address=net.address if net else "127.0.0.1")
            for card in opened:
                before = tuple(net.prefix(card.number)) if net else ()
                guest = OddMachine(folder / card.machine, before=before)
                own = {"WORKSHOP_PROCESSES": "1", "WORKSHOP_PACE": str(pace)}
                guests.append((guest, guest.popen("up", "worker", **own)))  # ready only once it has joined
            for card, (guest, _) in zip(opened, guests, strict=True):
                wait_for((guest.state / "stack.json").exists, 60, "a supervisor")
                shown = guest.workshop("join", card.code)
                assert (
                    f"Joined as {card.machine}. This machine's worker waits for tasks at {card.host}" in shown
                )
            yield Class(Central(instructor.state), opened, net)
        finally:
            for _, supervisor in guests:
                supervisor.terminate()
            for guest, supervisor in guests:
                supervisor.communicate(timeout=360)
                guest.workshop("down", "--purge")
            central.stop()
            instructor.workshop("down", "--purge")
