"""A central and machines that join it with their codes, each behind a cable of its own if root runs this."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_for
from tests.integration.machine import ROOT, Machine
from workshop.classroom import central, fed
from workshop.classroom.card import Card
from workshop.classroom.wires import Wires, wires


class Guest(Machine):
    """A machine with its own services, which joins with a card's code; with a cable if `net` is there."""

    net: Wires | None = None
    card: Card

    def popen(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        prefix = self.net.prefix(self.card.number) if self.net else []
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", "workshop", *arguments],
            env=self.environment | environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def cut(self) -> None:
        assert self.net
        self.net.cut(self.card.number)

    def heal(self) -> None:
        assert self.net
        self.net.heal(self.card.number)


class Class:
    """A class that works."""

    def __init__(self, at: Machine, guests: list[Guest]) -> None:
        self.at, self.guests = at, guests

    def done(self) -> int:
        return self.at.sql("SELECT count(*) FROM geopython.grid_squares")[0][0]

    def done_since(self, moment: Any) -> int:
        return self.at.sql("SELECT count(*) FROM geopython.grid_squares WHERE processed_at > %s", moment)[0][
            0
        ]

    def done_by(self, guest: Guest) -> int:
        return self.shares().get(guest.card.machine, 0)

    def now(self) -> Any:
        return self.at.sql("SELECT clock_timestamp()")[0][0]

    def shares(self) -> dict[str, int]:
        """Return how many squares each machine did."""
        return dict(self.at.sql("SELECT machine, count(*) FROM geopython.grid_squares GROUP BY 1 ORDER BY 1"))

    def twice(self) -> int:
        """Return how many squares have more than one row."""
        return self.at.sql("SELECT count(*) - count(DISTINCT grid_ref) FROM geopython.grid_squares")[0][0]

    def balanced(self, seconds: float = 40) -> fed.Balance:
        """Return the ledger once nothing is on its way."""
        found: list[fed.Balance] = []

        def over() -> bool:
            found[:] = [fed.balance()]
            return found[0].waiting == 0 and found[0].held == {}

        wait_for(over, seconds, f"a ledger with nothing on its way: {found}")
        return found[0]


@contextmanager
def class_of(number: int, folder: Path, pace: int = 0) -> Iterator[Class]:
    """Open a central, start machines with one worker process each, and let them join with their codes."""
    net = wires()
    state = folder / "instructor"
    guests: list[Guest] = []
    supervisors: list[subprocess.Popen[str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKSHOP_STATE", str(state))
        patch.setenv("WORKSHOP_PORTS", "any")
        try:
            opened = central.start(machines=number, address=net.address if net else "127.0.0.1")
            for card in opened:
                guest = Guest(folder / card.machine)
                guest.net, guest.card = net, card
                if net:
                    net.plug_in(card.number)
                guests.append(guest)
                own = {"WORKSHOP_PROCESSES": "1", "WORKSHOP_PACE": str(pace)}
                supervisors.append(guest.popen("up", "worker", **own))  # ready only once it has joined
            for guest in guests:
                card, began = guest.card, time.monotonic()
                wait_for((guest.state / "stack.json").exists, 60, "a supervisor")
                shown = guest.workshop("join", card.code)
                assert (
                    f"Joined as {card.machine}. This machine's worker waits for tasks at {card.host}" in shown
                )
                print(f"{card.machine} joined after {time.monotonic() - began:.0f} s")
            yield Class(Machine(state / "central"), guests)
        finally:
            for supervisor in supervisors:
                supervisor.terminate()
            for supervisor, guest in zip(supervisors, guests, strict=True):
                supervisor.communicate(timeout=90)
                guest.workshop("down", "--purge")
            if net:
                net.remove()
            central.stop()
            Machine(state).workshop("down", "--purge")
