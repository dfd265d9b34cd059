"""A central queue and database for challenge 3 and for a class, on the servers of this machine's own stack.

What is wanted is written first, and then made (`backstage.stack.central_config`). So whatever is interrupted,
the same command or the next start of the services completes it.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from backstage.classroom.card import Card, new_password
from backstage.classroom.cards import cards, remove_page, site
from backstage.classroom.join import leave
from backstage.classroom.network import require_own
from backstage.stack import accounts, containers, control, startup, workers
from backstage.stack.central_config import FILE, HOST, CentralConfig, new_id, open_to_others, opened
from backstage.stack.site import Site
from backstage.stack.status import running, running_site
from backstage.stack.texts import refusal
from workshop import state_folder
from workshop.delivery.addresses import BROKER, parts_of

Say = Callable[[str], None]


def start(
    machines: int = 30, address: str = HOST, hours: float = 12, flower: bool = False, say: Say = print
) -> list[Card]:
    """Open a central, unless it is open as wished, and return its cards.

    Where no services run, its servers are started. At an address beyond 127.0.0.1 they start anew, once.

    Parameters
    ----------
    machines : int
        How many machines may join, 1 to 255. A central that is open takes more in.
    address : str
        The IPv4 address of this machine at which the others reach it; 127.0.0.1 if none shall.
    hours : float
        When the cards end, counted from now. A central that is open keeps its end.
    flower : bool
        Whether Flower runs for it too, to be seen at that address with a password.
    say : callable
        Shows a line.

    Raises
    ------
    WrongUse
        If this machine has no such address.
    WorkshopError
        If the central does not open, or is open otherwise than wished.
    """
    if address != HOST and containers.inside():
        raise refusal("class-in-containers")
    require_own(address)
    before = opened()
    if not before:  # what a rehearsal left that was interrupted
        shutil.rmtree(workers.rehearsal_folder(), ignore_errors=True)
    central = with_machines(replace(before or new_central(hours), address=address, fleeting=False), machines)
    if before and running():
        _refuse_other(before, address, flower)
    open_up(replace(central, flower=central.flower or new_password() if flower else ""), say)
    if before and before.ports not in ({}, site().ports):
        say("Other ports than before, as those are taken: all machines need new cards.")
    return cards()


def restarts(address: str) -> bool:
    """Return whether the servers that run must start anew to be reached at an address."""
    return bool(running()) and address not in (HOST, open_to_others())


def open_up(central: CentralConfig, say: Say) -> None:
    """Write down what is wanted, have it made, and wait until it is ready.

    Parameters
    ----------
    central : CentralConfig
        What is wanted.
    say : callable
        Shows a line.

    Raises
    ------
    WorkshopError
        If it does not get ready.
    """
    servers = ("postgis", "rabbitmq")
    say(f"Opening at {central.address} ...")
    central.write()
    if running():
        control.add(servers)
    else:
        startup.up_detached(servers, say)
        say("Only these two run. For JupyterLab too: make lab.")
    replace(central, ports=_settle().ports).write()


def stop() -> bool:
    """Close the central, and remove its accounts and its queue; a rehearsal's squares, too.

    Those of a class stay for the next one. If the services do not run, their next start removes the rest.

    Returns
    -------
    bool
        Whether there was one.

    Raises
    ------
    WorkshopError
        If a service does not answer.
    """
    central = CentralConfig.read()
    if central is None:
        return False
    if parts_of(state_folder.read("joined.json").get("broker_url"), BROKER).get("virtual host") == central.id:
        leave()
    replace(central, passwords=[], address=HOST, flower="").write()
    remove_page(central)
    for joined in workers.rehearsal_folder().glob("*/joined.json"):
        joined.unlink(missing_ok=True)
    if running():
        control.settle(of=("machine",), seconds=75)
        _settle()
        if central.fleeting:
            (state_folder.state_dir() / FILE).unlink()
    shutil.rmtree(workers.rehearsal_folder(), ignore_errors=True)
    return bool(central.passwords)


def new_central(hours: float) -> CentralConfig:
    """Return a central without machines, in place of the one before if there was one."""
    before, now = CentralConfig.read(), datetime.now(UTC).replace(microsecond=0)
    fleeting = before is None or before.fleeting
    return CentralConfig(
        before.id if before else new_id(), now + timedelta(hours=hours), [], fleeting=fleeting
    )


def with_machines(central: CentralConfig, number: int) -> CentralConfig:
    """Return a central with at least so many machines."""
    more = [new_password() for _ in range(number - len(central.passwords))]
    return replace(central, passwords=central.passwords + more)


def _refuse_other(central: CentralConfig, address: str, flower: bool) -> None:
    if (central.address, bool(central.flower)) != (address, flower):
        shows = "with" if central.flower else "without"
        raise refusal("open-otherwise", address=central.address, shows=shows)


def _settle() -> Site:
    """Have the servers that run do as ``central.json`` says; return where they are."""
    from backstage.stack import roles  # takes two seconds to import

    control.settle(of=("postgis", "rabbitmq", workers.CLASS_FLOWER), seconds=90)
    found = running_site()
    assert found
    accounts.settle(found)
    roles.settle(found)
    return found
