"""Joins this machine to a central queue and database, and takes it back.

Everything is tried first. Only if all is right the addresses are written to ``joined.json``;
`workshop.settings` follows that file, and the running stack starts its worker anew with it.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from backstage.classroom import preflight
from backstage.classroom.card import read_code
from backstage.stack.central_config import machine_of
from backstage.stack.control import require_workers, settle
from workshop import state_folder
from workshop.delivery.addresses import BROKER, parts_of
from workshop.errors import WorkshopError

Say = Callable[[str], None]


def join(code_or_broker_url: str | None, database_url: str | None = None, say: Say = print) -> bool:
    """Let this machine's worker, notebooks and scripts use a central queue and database.

    What came of it is written to ``join.json``.

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
            _note(preflight.Fault("code", "code", error.text, error.next_step, mine=False))
            raise
        urls = card.broker.url, card.database.url
    before = state_folder.read("joined.json")
    try:
        require_workers()
        fault = preflight.look(*urls, by_code)
        _note(fault)
        if fault:
            raise WorkshopError(str(fault))
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
    """Go back to this machine's own queue and database.

    Parameters
    ----------
    say : callable
        Shows a line.

    Returns
    -------
    bool
        Whether its worker works there.
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


def _note(fault: preflight.Fault | None) -> None:
    """Note when this machine tried to join, and what failed."""
    tried = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "failed": fault and asdict(fault)}
    state_folder.write("join.json", tried)


def _put(addresses: dict[str, Any]) -> None:
    """Write or remove ``joined.json``."""
    if addresses:
        state_folder.write("joined.json", addresses | state_folder.here())
    else:
        (state_folder.state_dir() / "joined.json").unlink(missing_ok=True)
