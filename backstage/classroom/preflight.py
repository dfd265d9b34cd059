"""What a machine meets at a central's door: every check before it joins, in order, each with its sentence.

The causes come before their effects, so that the first one that fails is the one to mend. Nothing is changed,
neither here nor there, and no sentence shows a password.
"""

from collections.abc import Callable
from dataclasses import dataclass

from backstage.classroom import network
from backstage.classroom.card import read_code
from backstage.classroom.needs import database_use_trouble, now, queue_trouble
from workshop.delivery.addresses import (
    BROKER,
    DATABASE,
    Trouble,
    broker_trouble,
    database_trouble,
    parts_of,
    way_trouble,
)
from workshop.errors import WorkshopError

_AGAIN = "then join again"
_ASK = f"ask your instructor whether the central runs and is ready, {_AGAIN}"
_NEXT = {
    "user or password": "ask your instructor for a new card: the central may have been started anew since",
    "queue": _ASK,
    "rights": _ASK,
    "connections": (
        "end other notebooks and programs that use this card, or run fewer workers here (workshop scale 1); "
        f"if the whole database is full, tell your instructor. {_AGAIN.capitalize()}"
    ),
    "clock": f"let this computer set its clock by itself (with Docker or WSL2: restart that), {_AGAIN}",
    "name": (
        "if the card is not yours, ask for another. If you used it there yourself: workshop leave there. "
        f"If this machine changed its network just now: wait a minute. {_AGAIN.capitalize()}"
    ),
}
_OF_AN_ADDRESS = {
    *("scheme", "address", "user", "password", "user or password"),
    *("host", "port", "virtual host", "database"),
}
_SEEN_THERE = {"user or password", "host", "port", "virtual host", "database"}
"""Parts that may be as on the card and still fail, since the central said no."""


@dataclass(frozen=True)
class Fault:
    """Why a machine can't join.

    Attributes
    ----------
    address : str
        ``broker`` or ``database``, at whose address it was seen; ``code`` if there was no address yet.
    part : str
        The wrong part of that address, or what else is wrong there.
    text : str
        What was seen.
    next_step : str
        What to do.
    mine : bool
        Whether an attendee who built the address can mend it there.
    """

    address: str
    part: str
    text: str
    next_step: str
    mine: bool

    def __str__(self) -> str:
        """Say it in words."""
        wrong = f"The {self.address} address fails at this part: {self.part}. " if self.mine else ""
        return f"Not joined. {wrong}{self.text}\nNext: {self.next_step}"


def read(code: str) -> tuple[str, str] | Fault:
    """Return the addresses of the broker and the database on a card, or what is wrong with its code."""
    try:
        card = read_code(code)
    except WorkshopError as error:
        return Fault("code", "code", str(error), "compare it with your card, and type it once more", False)
    if card.expired:
        ended, here = (f"{when.astimezone():%d %B %Y, %H:%M}" for when in (card.until, now()))
        text = f"The card of {card.machine} ended on {ended}; this machine's clock says {here}."
        return Fault("code", "expired", text, "set the clock if it is wrong, else ask for a new card", False)
    return card.broker.url, card.database.url


def knock(broker_url: object, database_url: object, by_code: bool) -> Fault | None:
    """Try both addresses and all that a joined machine needs there; return what is wrong, None if nothing is.

    Parameters
    ----------
    broker_url, database_url : str
        The addresses.
    by_code : bool
        Whether they come from a card's code, so that no one mistyped a part of them.
    """
    ways = {
        "broker": way_trouble(broker_url, BROKER),
        "database": way_trouble(database_url, DATABASE),
    }
    for which, trouble in ways.items():
        if trouble:
            other = all(ways.values())
            return _fault(which, trouble, by_code, _host_of(broker_url), only_this=not other)
    checks: tuple[tuple[str, Callable[[str], Trouble | None], object], ...] = (
        ("broker", broker_trouble, broker_url),
        ("broker", queue_trouble, broker_url),
        ("database", database_trouble, database_url),
        ("database", database_use_trouble, database_url),
    )
    for which, find, url in checks:
        if trouble := find(str(url)):
            return _fault(which, trouble, by_code, _host_of(broker_url))
    return None


def _fault(which: str, trouble: Trouble, by_code: bool, host: str, only_this: bool = False) -> Fault:
    mine = not by_code and trouble.part in _OF_AN_ADDRESS
    compare = "compare this part with your card, and join again"
    if not trouble.on_the_way:
        step = _NEXT.get(trouble.part, _ASK)
        if mine:
            step = f"{compare}. If it is right: {step}" if trouble.part in _SEEN_THERE else compare
        return Fault(which, trouble.part, trouble.text, step, mine)
    if only_this:
        why = "The other port there answers, so a firewall on the central's machine shuts this one."
        step = "ask your instructor to open it, then join again"
    else:
        why, step = network.explain(host)
    step = f"{compare}. If it is right: {step}" if mine else step
    return Fault(which, trouble.part, f"{trouble.text} {why}", step, mine)


def _host_of(broker_url: object) -> str:
    return str(parts_of(broker_url, BROKER).get("host", ""))
