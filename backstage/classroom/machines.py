"""The machines of a rehearsal: a state folder and a supervised worker each, as a joined machine has them."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from backstage.classroom.card import Card
from backstage.stack.environment import of_child
from backstage.stack.process import kill_session
from backstage.stack.status import running, until
from workshop import settings, state_folder
from workshop.errors import WorkshopError

_SIDE_BY_SIDE = 4
"""How many start at the same time: each takes some seconds of a core."""

_PATIENCE, _STOP_PATIENCE = 60, 30
_FOLDER = "rehearsal"


def start(cards: list[Card], leader: int, say: Callable[[str], None]) -> None:
    """Start a machine for each card, some side by side, and wait until all are ready.

    Parameters
    ----------
    cards : list of Card
        Their cards.
    leader : int
        The number of a process, with which they end.
    say : callable
        Shows a line.

    Raises
    ------
    WorkshopError
        If one does not become ready.
    """
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for number, name in enumerate(pool.map(lambda card: _start(card, leader), cards), start=1):
            say(f"{name} is ready ({number} of {len(cards)})")


def _start(card: Card, leader: int) -> str:
    """Start the worker of a machine, which works for the central of its card; return the machine's name."""
    state = state_folder.state_dir() / _FOLDER / card.machine
    state_folder.claim(state)
    addresses = {"broker_url": card.broker.url, "database_url": card.database.url, "machine": card.machine}
    state_folder.write(str(state / "joined.json"), addresses)
    own = {
        "WORKSHOP_STATE": str(state),
        "WORKSHOP_PORTS": "any",
        "WORKSHOP_PROCESSES": "1",
        "WORKSHOP_PACE": str(settings.pace()),
        "WORKSHOP_LEADER": str(leader),
    }
    done = subprocess.run(
        [sys.executable, "-m", "backstage", "up", "--detach", "worker"],
        cwd=state_folder.ROOT,
        env=of_child(own, another_stack=True),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode or not until(lambda: _is_ready(card.machine), _PATIENCE):
        raise WorkshopError(f"{card.machine} did not start.\n{done.stderr or done.stdout}")
    return card.machine


def _is_ready(name: str) -> bool:
    stack = running(f"{_FOLDER}/{name}/stack.json")
    return stack is not None and stack["services"]["worker1"]["state"] == "ready"


def alive() -> list[bool]:
    """Return for each machine that was started whether its supervisor runs."""
    return [running(file) is not None for file in _stacks()]


def end() -> None:
    """End all machines and remove their folders."""
    for how in (_ask, kill_session):
        for stack in filter(None, map(running, _stacks())):
            how(stack["pid"])
        until(lambda: not any(alive()), _STOP_PATIENCE)
    shutil.rmtree(state_folder.state_dir() / _FOLDER, ignore_errors=True)


def _ask(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _stacks() -> list[str]:
    """Return the files in which the machines say what runs there."""
    found = sorted((state_folder.state_dir() / _FOLDER).glob("machine*"))
    return [f"{_FOLDER}/{path.name}/stack.json" for path in found]
