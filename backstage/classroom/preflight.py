"""Everything is tried before a machine joins a central: what is wrong is said in a sentence, nothing changed.

The causes come before their effects, so that the first one that fails is the one to mend. No sentence shows
a password.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from backstage.classroom import network
from backstage.stack.texts import words
from workshop.delivery.addresses import BROKER, Trouble, broker_trouble, database_trouble, parts_of

APART = 60
"""Seconds that this machine's clock may be off: one clock writes the time of a retry, another reads it."""

_NOT_IN_THE_ADDRESS = ("connections", "clock", "name")
"""What can be wrong where the address is right."""

_ELSEWHERE = """
    SELECT DISTINCT host(client_addr) FROM pg_stat_activity
    WHERE usename = session_user AND client_addr <> inet_client_addr()
"""


@dataclass(frozen=True)
class Fault:
    """Why a machine can't join.

    Attributes
    ----------
    address : str
        ``broker`` or ``database``, at whose address it was seen.
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
        return f"{wrong}{self.text}\nNext: {self.next_step}"


def look(broker_url: object, database_url: object, by_code: bool) -> Fault | None:
    """Try both addresses, and what else a joined machine needs; return what is wrong, None if nothing is.

    Parameters
    ----------
    broker_url, database_url : str
        The addresses.
    by_code : bool
        Whether they come from a card's code, so that no one mistyped a part of them.
    """
    for address, find, url in (
        ("broker", broker_trouble, broker_url),
        ("database", database_trouble, database_url),
        ("database", _session_trouble, database_url),
    ):
        if trouble := find(url):
            return _fault(address, trouble, by_code, str(parts_of(broker_url, BROKER).get("host", "")))
    return None


def _fault(address: str, trouble: Trouble, by_code: bool, host: str) -> Fault:
    right = trouble.part in _NOT_IN_THE_ADDRESS
    seen, step = trouble.text, words(f"join-{trouble.part if right else 'other'}")
    if trouble.on_the_way:
        why, step = network.explain(host)
        seen = f"{seen} {why}"
    mine = not by_code and not right
    if mine:
        step = f"compare this part with your card, and join again. If it is right: {step}"
    return Fault(address, trouble.part, seen, step, mine)


def _session_trouble(database_url: object) -> Trouble | None:
    """Return that this machine's clock is off, or that another one works with its card."""
    url = str(database_url).replace("+psycopg", "", 1)
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            there: datetime = connection.execute("SELECT clock_timestamp()").fetchall()[0][0]
            here = datetime.now(UTC)
            users = {address for (address,) in connection.execute(_ELSEWHERE)}
    except psycopg.Error:  # such as a connection too many by now
        return database_trouble(database_url)
    seconds = (here - there).total_seconds()
    if abs(seconds) > APART:
        off = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the central's"
        times = f"{here:%H:%M:%S} here, {there.astimezone(UTC):%H:%M:%S} there, in UTC"
        return Trouble("clock", f"This machine's clock is {off}: {times}. Retries would come at wrong times.")
    if others := {address for address in users if not network.is_here(address)}:
        places = " and ".join(sorted(others))
        return Trouble("name", f"Another machine works with this card already, at {places}.")
    return None
