"""Joins this machine to a central queue and database, and takes it back.

Everything is tried first. Only if all is right the addresses are written to ``joined.json``;
`workshop.settings` follows that file, and the running stack starts its worker anew with it.
"""

import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from backstage.classroom import preflight
from backstage.classroom.preflight import Fault
from backstage.stack.control import require_workers, until_ready
from workshop import state_folder
from workshop.delivery.addresses import BROKER, DATABASE, parts_of
from workshop.errors import WorkshopError

PATIENCE = 60
"""Seconds that the worker may take to start anew."""

Say = Callable[[str], None]


def join(code_or_broker_url: str | None, database_url: str | None = None, say: Say = print) -> bool:
    """Let this machine's worker, notebooks and scripts use a central queue and database.

    What was tried, without the passwords, is written to ``join.json``.

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
    """
    if not code_or_broker_url and not database_url:
        say("There are no addresses yet. Next: build broker_url and database_url in the cell above")
        return False
    try:
        require_workers()
    except WorkshopError as error:
        say(f"Not joined. {error}")
        return False
    urls: tuple[Any, Any] | Fault = code_or_broker_url, database_url
    by_code = not database_url and isinstance(code_or_broker_url, str) and "://" not in code_or_broker_url
    if by_code:
        urls = preflight.read(str(code_or_broker_url))
    if isinstance(urls, Fault):
        _note(None, None, urls)
        say(str(urls))
        return False
    fault = preflight.knock(*urls, by_code)
    _note(*urls, fault)
    if fault:
        say(str(fault))
        return False
    return _go(*urls, say)


def _go(broker_url: str, database_url: str, say: Say) -> bool:
    """Use addresses that were tried; return whether the worker has followed."""
    before = state_folder.read("joined.json")
    try:
        _use({"broker_url": broker_url, "database_url": database_url, "machine": _name(broker_url)})
    except WorkshopError as error:
        _put(before)
        say(f"Not joined. {error}")
        return False
    user = parts_of(broker_url, BROKER)["user"]
    say(f"Joined as {user}. This machine's worker waits for tasks at {_place(broker_url)}.")
    return True


def _name(broker_url: str) -> str | None:
    """Return what this machine is called there: as its account, if a file can have that in its name."""
    user = str(parts_of(broker_url, BROKER).get("user"))
    return user if re.fullmatch(r"[\w.-]+", user) else None


def leave(say: Say = print) -> None:
    """Go back to this machine's own queue and database.

    Parameters
    ----------
    say : callable
        Shows a line.
    """
    if not state_folder.read("joined.json"):
        say("This machine uses its own queue and database.")
        return
    try:
        _use({})
        say("Back: this machine's worker waits for tasks of its own queue.")
    except WorkshopError as error:
        say(f"This machine uses its own queue and database again. {error}")


def _note(broker_url: object, database_url: object, fault: Fault | None) -> None:
    content: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "broker": parts_of(broker_url, BROKER),
        "database": parts_of(database_url, DATABASE),
        "failed": fault and asdict(fault),
    }
    state_folder.write("join.json", content)


def _use(addresses: dict[str, Any]) -> None:
    """Write or remove ``joined.json``, and wait until the worker has started anew."""
    _put(addresses)
    until_ready(PATIENCE)


def _put(addresses: dict[str, Any]) -> None:
    if addresses:
        state_folder.write("joined.json", addresses | state_folder.here())
    else:
        (state_folder.state_dir() / "joined.json").unlink(missing_ok=True)


def _place(url: object) -> str:
    parts = parts_of(url, BROKER)
    return f"{parts['host']}:{parts['port']}"
