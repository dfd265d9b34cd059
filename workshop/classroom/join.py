"""Joins this machine to a central queue and database, and takes it back.

The addresses are tried first. Only if both are right they are written to ``joined.json``; `workshop.settings`
follows that file, and the running stack starts its worker anew with it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from workshop import machine, settings
from workshop.delivery.addresses import Trouble, broker_trouble, database_trouble
from workshop.delivery.url import broker_parts, database_parts
from workshop.stack.running import NotRunning
from workshop.stack.scaling import require_workers, until_workers_match
from workshop.stack.workers import machine_name

PATIENCE = 60
"""Seconds that the worker may take to start anew."""

Say = Callable[[str], None]


def join(broker_url: str | None, database_url: str | None, say: Say = print) -> bool:
    """Let this machine's worker, notebooks and scripts use a central queue and database.

    What was tried, without the passwords, is written to ``join.json``.

    Parameters
    ----------
    broker_url, database_url : str, optional
        Both addresses; None as long as there are none.
    say : callable
        Shows a line.

    Returns
    -------
    bool
        Whether this machine has joined. If not, nothing has changed, and a line says why.
    """
    if not broker_url and not database_url:
        say("There are no addresses yet. Next: build broker_url and database_url in the cell above")
        return False
    try:
        require_workers()
    except NotRunning as error:
        say(f"Not joined. {error}")
        return False
    failed = _try(broker_url, database_url)
    _note(broker_url, database_url, failed)
    if failed:
        which, trouble = failed
        say(f"Not joined. Wrong part of the {which} address: {trouble.part}. {trouble.text}")
        return False
    before = machine.read("joined.json")
    try:
        _use({"broker_url": broker_url, "database_url": database_url})
    except (NotRunning, TimeoutError) as error:
        _put(before)
        say(f"Not joined. {error}")
        return False
    say(f"Joined. worker1@{machine_name()} waits for tasks at {_place(broker_url)}.")
    return True


def leave(say: Say = print) -> None:
    """Go back to this machine's own queue and database.

    Parameters
    ----------
    say : callable
        Shows a line.
    """
    if not machine.read("joined.json"):
        say("This machine uses its own queue and database.")
        return
    try:
        _use({})
        say("Back: this machine's worker waits for tasks of its own queue.")
    except (NotRunning, TimeoutError) as error:
        say(f"This machine uses its own queue and database again. {error}")


def _try(broker_url: object, database_url: object) -> tuple[str, Trouble] | None:
    """Return which address is wrong and how; None if both are right."""
    for which, find, url in (
        ("broker", broker_trouble, broker_url),
        ("database", database_trouble, database_url),
    ):
        if trouble := find(url):
            return which, trouble
    return None


def _note(broker_url: object, database_url: object, failed: tuple[str, Trouble] | None) -> None:
    content: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "broker": broker_parts(broker_url),
        "database": database_parts(database_url),
        "failed": failed and {"address": failed[0], "part": failed[1].part, "text": failed[1].text},
    }
    machine.write("join.json", content)


def _use(addresses: dict[str, Any]) -> None:
    """Write or remove ``joined.json``, and wait until the worker has started anew."""
    _put(addresses)
    until_workers_match(int(settings.get("workers") or 1), PATIENCE)


def _put(addresses: dict[str, Any]) -> None:
    if addresses:
        machine.write("joined.json", addresses)
    else:
        (machine.state_dir() / "joined.json").unlink(missing_ok=True)


def _place(url: object) -> str:
    parts = broker_parts(url)
    return f"{parts['host']}:{parts['port']}"
