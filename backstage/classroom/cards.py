"""The central that is open on this machine: where it is, its machines' cards, and the page to print them."""

from pathlib import Path

from tornado.template import Loader

from backstage.classroom.card import Card
from backstage.stack.central_config import CentralConfig, opened
from backstage.stack.site import Site
from backstage.stack.status import running_site
from workshop import state_folder
from workshop.errors import WorkshopError


def require_open() -> CentralConfig:
    """Return the central that is open on this machine.

    Raises
    ------
    WorkshopError
        If none is.
    """
    central = opened()
    if central is None:
        raise WorkshopError("No central is open on this machine.", "workshop class start")
    return central


def site() -> Site:
    """Return where the central's queue and database are, for this machine, to which they belong.

    Raises
    ------
    WorkshopError
        If no central is open here.
    """
    central, found = require_open(), running_site()
    if found is None:
        raise WorkshopError("The services of the central are not running.", "workshop up")
    return found.of(central)


def cards() -> list[Card]:
    """Return the card of each machine that may join the central of this machine.

    Raises
    ------
    WorkshopError
        If no central is open here.
    """
    central, ports = require_open(), site().ports
    where = (central.address, ports["rabbitmq"], ports["postgis"], central.until)
    return [
        Card(number, central.id, password, *where)
        for number, password in enumerate(central.passwords, start=1)
    ]


def write_page(cards: list[Card]) -> Path:
    """Write the page with the cards into the course's folder, for this user only; return where it is.

    Not into the state folder: its name is hidden, and a browser in a Snap may not look there.
    """
    path = _path(cards[0].central)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(page(cards), encoding="utf-8")
    return path


def remove_page(central: CentralConfig) -> None:
    """Remove the page of a central, if there is one."""
    _path(central.id).unlink(missing_ok=True)


def page(cards: list[Card]) -> str:
    """Return the page: HTML that needs nothing else, neither scripts nor a network."""
    until = f"{cards[0].until.astimezone():%Y-%m-%d %H:%M %Z}"  # as the clocks of this place show it
    template = Loader(str(Path(__file__).parent), whitespace="all").load("cards.html")
    return template.generate(cards=cards, until=until).decode()


def _path(id: str) -> Path:
    return state_folder.ROOT / f"cards-{id}.html"
