"""A class on one machine: a central and machines that work for it, to try a course or do challenge 3 alone.

Each machine is a process at 127.0.0.1 with a state folder, a card and a supervised worker of its own.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from backstage.classroom import central, machines
from backstage.classroom.card import Card, read_code
from backstage.stack.central_config import central_folder
from backstage.stack.process import born
from backstage.stack.status import CENTRAL, running, until
from workshop import state_folder
from workshop.errors import WorkshopError

FILE = "rehearsal.json"

Say = Callable[[str], None]


def rehearse(machines: int = 2, say: Say = print) -> Card:
    """Start a central on this machine and some machines that work for it, and return a card for this one.

    They end with the services of this machine, or with `stop`. If they run already, nothing is started.

    Parameters
    ----------
    machines : int
        How many machines besides this one.
    say : callable
        Shows a line of progress.

    Raises
    ------
    WorkshopError
        If the services of this machine do not run,
        or if the rehearsal does not start.
    """
    central.refuse_in_containers()
    stack = running()
    if stack is None:
        raise WorkshopError("The services are not running.", "workshop up")
    if (card := _running_with(machines)) is not None:
        return card
    stop(say)
    return _begin(machines, stack["pid"], say)


def run(number: int, say: Say) -> None:
    """Run a rehearsal until Ctrl-C, or until its central ends.

    Parameters
    ----------
    number : int
        How many machines.
    say : callable
        Shows a line.

    Raises
    ------
    WorkshopError
        If it does not start.
    """
    central.refuse_in_containers()
    stop(say)
    for name in ("SIGTERM", "SIGHUP"):
        if each := getattr(signal, name, None):  # Windows has fewer, and says below that it runs no services
            signal.signal(each, signal.default_int_handler)
    try:
        card = _begin(number, os.getpid(), say)
        say(f"{number} machines work for the central at {card.host}. Next: workshop class fill")
        say(f"This machine may join, too, as {card.machine}. Its code: workshop class cards --show")
        say("Ctrl-C ends the rehearsal.")
        stack = running(CENTRAL)
        while (now := running(CENTRAL)) and stack and now["pid"] == stack["pid"]:
            time.sleep(0.5)
        say("The central has ended, and so does the rehearsal.")
    except KeyboardInterrupt:
        say("Ending the rehearsal ...")
    finally:
        _end(say)


def stop(say: Say = print) -> None:
    """End the rehearsal of this machine, and remove what a killed one left.

    Parameters
    ----------
    say : callable
        Shows a line.
    """
    note = state_folder.read(FILE)
    if not note:
        return
    leader = note["pid"]
    if leader != os.getpid() and note["foreground"] and born(leader) == note["born"]:
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
        until(lambda: born(leader) != note["born"], seconds=90)
    _end(say)


def _begin(number: int, leader: int, say: Say) -> Card:
    """Start everything, and note first what a killed rehearsal would leave."""
    if running(CENTRAL):
        raise WorkshopError(
            "A central runs on this machine already, and others may have its cards.\n",
            "join it with one of them (workshop class cards), or workshop class stop, then again",
        )
    note: dict[str, Any] = {
        "pid": leader,
        "born": born(leader),
        "foreground": leader == os.getpid(),
        "fresh": not (central_folder() / "postgis").exists(),
        "machines": number,
    }
    state_folder.write(FILE, note)
    try:
        say("Starting the central ...")
        own, *others = central.start(machines=number + 1, say=say)[: number + 1]
        machines.start(others, leader, say)
        state_folder.write(FILE, note | {"card": own.code})
    except BaseException:
        _end(say)
        raise
    return own


def _end(say: Say) -> None:
    note = state_folder.read(FILE)
    if not note:
        return
    machines.end()
    central.stop()
    if note["fresh"]:  # else it holds squares of an earlier class
        shutil.rmtree(central_folder(), ignore_errors=True)
    (state_folder.state_dir() / FILE).unlink(missing_ok=True)
    say("The rehearsal has ended.")


def _running_with(number: int) -> Card | None:
    """Return this machine's card if a rehearsal with so many machines runs."""
    note = state_folder.read(FILE)
    if not note.get("card") or note["machines"] != number or running(CENTRAL) is None:
        return None
    card = read_code(note["card"])
    return None if card.expired or not all(machines.alive()) else card
