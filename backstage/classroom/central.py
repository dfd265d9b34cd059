"""A central queue and database for challenge 3: a second, private stack on this machine, for other machines.

It keeps its data in the folder ``central`` below the state folder, and runs no worker. One that is opened to
the network lives until `stop`. One at 127.0.0.1, as a notebook starts it, ends with the stack of this machine
if that runs: its supervisor watches that stack's process, and ``workshop down`` and ``workshop up`` remove
what is left.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from backstage.classroom import cards_page
from backstage.classroom.card import Card, new_password
from backstage.classroom.join import leave
from backstage.classroom.network import require_own
from backstage.stack import containers
from backstage.stack.central_config import FILE, CentralConfig, central_folder
from backstage.stack.process import run_elsewhere
from backstage.stack.shutdown import joined_here, remove_central
from backstage.stack.site import HOST, Site
from backstage.stack.status import CENTRAL, running
from workshop import state_folder
from workshop.errors import WorkshopError

Say = Callable[[str], None]


def start(
    machines: int = 30, address: str = HOST, hours: float = 12, flower: bool = False, say: Say = print
) -> list[Card]:
    """Start a central, unless it runs as wished, and return its cards.

    Parameters
    ----------
    machines : int
        How many machines may join, 1 to 255. A central that runs takes some more in.
    address : str
        The IPv4 address of this machine at which the others reach it.
    hours : float
        When the cards end, counted from now. A central that runs keeps its end.
    flower : bool
        Whether Flower runs too, to be seen at that address with a password.
    say : callable
        Shows a line.

    Raises
    ------
    WrongUse
        If this machine has no such address.
    WorkshopError
        If the central does not start, or runs otherwise than wished.
    """
    refuse_in_containers()
    require_own(address)
    say(f"Opening at {address} ...")
    before = CentralConfig.read(central_folder())
    if running(CENTRAL) and before:
        _take_in(before, machines, address, flower)
    else:
        _start(_wished(before, machines, address, hours, flower))
    if _keep_ports():
        say("Other ports than before, as those are taken: all machines need new cards.")
    return cards()


def refuse_in_containers() -> None:
    """Raise `WorkshopError` in a container, which can't start further services."""
    if containers.inside():
        raise WorkshopError(
            "A central is a second queue and database on this machine, and containers can't start them.\n",
            "take a card from your instructor, or give your own queue three workers: workshop scale 3",
        )


def cards() -> list[Card]:
    """Return the card of each machine that may join the central of this machine.

    Raises
    ------
    WorkshopError
        If no central runs here.
    """
    opened, stack = _opened()
    ports = stack["ports"]
    return [
        Card(number, password, opened.address, ports["rabbitmq"], ports["postgis"], opened.until)
        for number, password in opened.machines.items()
    ]


def stop() -> bool:
    """Close the central: end its services and remove its accounts.

    The squares stay for the next start; those of a central that ends with this machine's stack are removed.

    Returns
    -------
    bool
        Whether there was one.

    Raises
    ------
    WorkshopError
        If it does not end.
    """
    if joined_here():
        leave()
    config = CentralConfig.read(central_folder())
    if config is None:
        return False
    from backstage.stack.roles import remove_roles

    with suppress(psycopg.Error, WorkshopError):  # the next start removes them too
        remove_roles(site())
    if not remove_central(print, purge=config.with_stack):
        raise WorkshopError("The central may still run.", "workshop class stop again")
    shutil.rmtree(central_folder() / "rabbitmq", ignore_errors=True)
    for name in ("token.json", cards_page.NAME, FILE):  # the last one is what a further `stop` goes by
        (central_folder() / name).unlink(missing_ok=True)
    return True


def site() -> Site:
    """Return the site of the central that runs, with its administrators' addresses.

    Raises
    ------
    WorkshopError
        If no central runs here.
    """
    _, stack = _opened()
    return Site(central_folder(), stack["ports"], state_folder.read("central/token.json")["token"])


def _wished(
    before: CentralConfig | None, machines: int, address: str, hours: float, flower: bool
) -> CentralConfig:
    """Return how to open; with the passwords and ports of one that was not stopped, and has not ended."""
    ours = before.with_stack if before else not (central_folder() / "postgis").exists()
    with_stack = address == HOST and running() is not None and ours  # else squares of a class would go, too
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    wished = CentralConfig(address, until, {}, flower, with_stack)
    if before and not before.expired:
        wished = replace(wished, machines=before.machines, until=before.until, ports=before.ports)
    return _with_machines(wished, machines)


def _with_machines(config: CentralConfig, number: int) -> CentralConfig:
    more = {each: new_password() for each in range(len(config.machines) + 1, number + 1)}
    return replace(config, machines=config.machines | more)


def _take_in(config: CentralConfig, machines: int, address: str, flower: bool) -> None:
    """Make accounts for more machines at a central that runs."""
    from backstage.stack import accounts, postgis, roles

    other = "workshop class stop, then start it again. All machines need new cards then"
    if (config.address, config.flower) != (address, flower):
        shows = "with" if config.flower else "without"
        raise WorkshopError(f"A central runs already, at {config.address} and {shows} Flower.\n", other)
    if machines > (room := postgis.room(len(config.machines)) - 1):
        raise WorkshopError(f"The central that runs has room for {room} machines, not {machines}.\n", other)
    state_folder.write(f"central/{FILE}", _with_machines(config, machines).as_json())
    accounts.make_accounts(site())
    roles.make_roles(site())


def _start(wished: CentralConfig) -> None:
    state_folder.claim(central_folder())
    state_folder.write(f"central/{FILE}", wished.as_json())
    settings = {"WORKSHOP_PORTS": os.environ.get("WORKSHOP_PORTS", "")}
    if wished.with_stack and (stack := running()):
        settings = {"WORKSHOP_PORTS": "any", "WORKSHOP_LEADER": str(stack["pid"])}
    names = ["postgis", "rabbitmq", *(["flower"] if wished.flower else [])]
    done = run_elsewhere(central_folder(), "up", "--detach", *names, **settings)
    if done.returncode:
        raise WorkshopError(f"The central services did not start.\n{done.stderr.removeprefix('Error: ')}")


def _opened() -> tuple[CentralConfig, dict[str, Any]]:
    opened, stack = CentralConfig.read(central_folder()), running(CENTRAL)
    if opened is None or stack is None:
        raise WorkshopError("No central runs on this machine.", "workshop class start")
    return opened, stack


def _keep_ports() -> bool:
    """Note which ports the cards name; return whether earlier cards name others."""
    config, stack = _opened()
    before, now = config.ports or stack["ports"], stack["ports"]
    state_folder.write(f"central/{FILE}", replace(config, ports=now).as_json())
    return any(before[name] != now[name] for name in ("rabbitmq", "postgis"))
