"""A central queue and database for challenge 3, as a class has one: a second, private stack on this machine.

It keeps its data in the folder ``central`` below the state folder, and ends with the stack of this machine:
its supervisor watches that stack's process, and ``workshop down`` and ``workshop up`` remove what is left.
Its worker stands for the other machines of a class.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from workshop import machine
from workshop.classroom.card import Broker, Database
from workshop.classroom.join import leave
from workshop.stack import containers
from workshop.stack.condition import StartFailed
from workshop.stack.ending import central_folder, joined_here, remove_central
from workshop.stack.running import CENTRAL, NotRunning, running, until

_PATIENCE = 60


@dataclass(frozen=True, repr=False)
class Central:
    """The parts of both addresses."""

    broker: Broker
    database: Database

    def __repr__(self) -> str:
        """Show the parts as a table."""
        lines = [f"{'':<14}{'broker':<14}database"]
        for part in ("user", "password", "host", "port", "virtual_host", "name"):
            both = (getattr(self.broker, part, ""), getattr(self.database, part, ""))
            lines.append(f"{part:<14}{both[0]:<14}{both[1]}".rstrip())
        return "\n".join(lines)

    def stop(self) -> None:
        """End the central services; see `stop`."""
        stop()


def start() -> Central:
    """Start the central queue and database unless they run, and return the parts of their addresses.

    Raises
    ------
    workshop.stack.running.NotRunning
        If the services of this machine do not run.
    workshop.stack.condition.StartFailed
        If the central services do not start.
    """
    if containers.inside():
        raise StartFailed(
            "A second queue and database on this machine need `workshop up`, but this runs in containers.\n"
            "Next: take the address of your instructor. Or keep your own queue with more workers, in a\n"
            "terminal of your own computer: docker compose up --detach --scale worker=3"
        )
    stack = running()
    if stack is None:
        raise NotRunning("The services are not running. Next: workshop up")
    if running(CENTRAL) is None:
        _start(stack["pid"])
    if not until(_is_ready, _PATIENCE):
        raise StartFailed("The central services are not ready. Next: central.stop(), then start again")
    central = machine.read(CENTRAL)
    broker, database = urlsplit(central["broker_url"]), urlsplit(central["database_url"])
    return Central(
        Broker(*_login(broker), virtual_host=broker.path[1:]),
        Database(*_login(database), name=database.path[1:]),
    )


def stop() -> None:
    """Take this machine back if it joined the central services, then end and remove them."""
    if joined_here():
        leave()
    remove_central(print)


def _start(leader: int) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WORKSHOP_")}
    own = {
        "WORKSHOP_STATE": str(central_folder()),
        "WORKSHOP_PORTS": "any",
        "WORKSHOP_MACHINE": "central",
        "WORKSHOP_PROCESSES": "1",
        "WORKSHOP_FAULT_RATE": "0",
        "WORKSHOP_LEADER": str(leader),
    }
    done = subprocess.run(
        [sys.executable, "-m", "workshop", "up", "--detach", "postgis", "rabbitmq", "worker"],
        cwd=machine.ROOT,
        env=inherited | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StartFailed(f"The central services did not start.\n{done.stderr.removeprefix('Error: ')}")


def _is_ready() -> bool:
    stack = running(CENTRAL)
    return stack is not None and all(
        service["state"] in ("ready", "broken") for service in stack["services"].values()
    )


def _login(address: SplitResult) -> tuple[str, str, str, int]:
    """Return user, password, host and port."""
    assert address.username and address.password and address.hostname and address.port
    return address.username, address.password, address.hostname, address.port
