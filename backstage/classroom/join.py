"""Joins this machine to a central queue and database, and takes it back.

Everything is tried first: causes before their effects, so that the first that fails is the one to mend. What
is wrong is said in a sentence without a password, and nothing is changed. Only if all is right the addresses
are written to ``joined.json``; `workshop.settings` follows it, and the running stack starts its worker anew.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg

from backstage.classroom import network
from backstage.classroom.card import read_code
from backstage.stack.central_config import machine_of
from backstage.stack.control import require_workers, settle
from backstage.stack.texts import words
from workshop import state_folder
from workshop.delivery.addresses import BROKER, Trouble, broker_trouble, database_trouble, parts_of
from workshop.errors import WorkshopError

Say = Callable[[str], None]

APART = 60
"""Seconds that this machine's clock may be off: one clock writes the time of a retry, another reads it."""

_NOT_IN_THE_ADDRESS = ("connections", "clock", "name")
"""What can be wrong where the address is right."""

_ELSEWHERE = """
    SELECT DISTINCT host(client_addr) FROM pg_stat_activity
    WHERE usename = session_user AND client_addr <> inet_client_addr()
"""


def join(code_or_broker_url: str | None, database_url: str | None = None, say: Say = print) -> bool:
    """Let this machine's worker, notebooks and scripts use a central queue and database.

    What came of it is written to ``join.json``: when, and which part of which address ``failed``, if one did.

    Parameters
    ----------
    code_or_broker_url : str, optional
        The code on a machine's card, alone; or the broker's address, with the database's. None as long as
        there is neither.
    database_url : str, optional
        The database's address.
    say : callable
        Shows lines.

    Returns
    -------
    bool
        Whether this machine has joined. If not, nothing has changed, and a line says why.

    Raises
    ------
    WorkshopError
        If the code is mistyped, or its card has ended.
    """
    if not code_or_broker_url and not database_url:
        say("There are no addresses yet. Next: build broker_url and database_url in the cell above")
        return False
    urls: tuple[Any, Any] = code_or_broker_url, database_url
    by_code = not database_url and isinstance(code_or_broker_url, str) and "://" not in code_or_broker_url
    if by_code:
        try:
            card = read_code(str(code_or_broker_url))
        except WorkshopError as error:
            said = {"text": error.text, "next_step": error.next_step}
            _note({"address": "code", "part": "code", **said, "mine": False})
            raise
        urls = card.broker.url, card.database.url
    before = state_folder.read("joined.json")
    try:
        require_workers()
        fault = _look(*urls, by_code)
        _note(fault)
        if fault:
            wrong = "The {address} address fails at this part: {part}. ".format_map(fault) * fault["mine"]
            raise WorkshopError(f"{wrong}{fault['text']}\n", fault["next_step"])
        at = parts_of(urls[0], BROKER)
        machine = machine_of(at["user"])
        _put({"broker_url": urls[0], "database_url": urls[1], "machine": machine})
        settle()
    except WorkshopError as error:
        _put(before)
        say(f"Not joined. {error}")
        return False
    say(f"Joined as {machine}. This machine's worker waits for tasks at {at['host']}:{at['port']}.")
    return True


def leave(say: Say = print) -> bool:
    """Go back to this machine's own queue and database; return whether its worker works there.

    Parameters
    ----------
    say : callable
        Shows a line.
    """
    if not state_folder.read("joined.json"):
        say("This machine uses its own queue and database.")
        return True
    _put({})
    try:
        settle()
    except WorkshopError as error:
        say(f"This machine uses its own queue and database again. {error}")
        return False
    say("Back: this machine's worker waits for tasks of its own queue.")
    return True


def _note(fault: dict[str, Any] | None) -> None:
    state_folder.write(
        "join.json", {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "failed": fault}
    )


def _put(addresses: dict[str, Any]) -> None:
    """Write or remove ``joined.json``."""
    if addresses:
        state_folder.write("joined.json", addresses | state_folder.here())
    else:
        (state_folder.state_dir() / "joined.json").unlink(missing_ok=True)


def _look(broker_url: object, database_url: object, by_code: bool) -> dict[str, Any] | None:
    """Try both addresses, and what else a joined machine needs; return what is wrong, None if nothing is."""
    if trouble := broker_trouble(broker_url):
        address = "broker"
    elif trouble := database_trouble(database_url) or _session_trouble(database_url):
        address = "database"
    else:
        return None
    right = trouble.part in _NOT_IN_THE_ADDRESS
    seen, step = trouble.text, words(f"join-{trouble.part if right else 'other'}")
    if trouble.on_the_way:
        seen, step = f"{seen} {words('no-way-why')}", words("no-way-next")
    mine = not by_code and not right  # what comes from a code, nobody mistyped
    if mine:
        step = f"compare this part with your card, and join again. If it is right: {step}"
    return {"address": address, "part": trouble.part, "text": seen, "next_step": step, "mine": mine}


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
