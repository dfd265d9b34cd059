"""A class on one machine: a central and machines that work for it, to try a course or do challenge 3 alone.

Where this machine and this user can have them, each machine is a network namespace with an address of its
own; else it is a process like others. Either way it has a state folder, a card and a supervised worker.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from workshop import machine
from workshop.classroom import central, machines
from workshop.classroom.card import Card, read_code
from workshop.classroom.wires import Wires, wires
from workshop.errors import WorkshopError
from workshop.stack import containers
from workshop.stack.ending import central_folder
from workshop.stack.opening import opening
from workshop.stack.process import born
from workshop.stack.running import CENTRAL, running, until
from workshop.stack.site import HOST

FILE = "rehearsal.json"

MOST = 100

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
    _refuse_in_containers()
    stack = running()
    if stack is None:
        raise WorkshopError("The services are not running.", "workshop up")
    if (card := _running_with(machines)) is not None:
        return card
    stop(say)
    return _begin(machines, stack["pid"], None, say)


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
    _refuse_in_containers()
    stop(say)
    for name in ("SIGTERM", "SIGHUP"):
        if each := getattr(signal, name, None):  # Windows has fewer, and says below that it runs no services
            signal.signal(each, signal.default_int_handler)
    try:
        card = _begin(number, os.getpid(), _network(), say)
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
    note = machine.read(FILE)
    if not note:
        return
    leader = note["pid"]
    if leader != os.getpid() and note["foreground"] and born(leader) == note["born"]:
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
        until(lambda: born(leader) != note["born"], seconds=90)
    _end(say)


def _begin(number: int, leader: int, net: Wires | None, say: Say) -> Card:
    """Start everything, and note first what a killed rehearsal would leave."""
    if not 1 <= number <= MOST:
        if net:
            net.remove()
        raise WorkshopError(f"A rehearsal has 1 to {MOST} machines, not {number}.")
    note: dict[str, Any] = {
        "pid": leader,
        "born": born(leader),
        "foreground": leader == os.getpid(),
        "wires": net and vars(net),
        "central": running(CENTRAL) is None,
        "fresh": not (central_folder() / "postgis").exists(),
        "machines": number,
    }
    machine.write(FILE, note)
    try:
        say("Starting the central ..." if note["central"] else "A central runs already; it is used.")
        before = opening(central_folder()) if running(CENTRAL) else None
        cards = central.start(
            machines=number + 1 + (len(before.machines) if before else 0),  # no card that someone has
            address=before.address if before else net.address if net else HOST,
            flower=before.flower if before else False,
            say=say,
        )[-number - 1 :]
        machines.start(cards[1:], leader, net, say)
        machine.write(FILE, note | {"card": cards[0].code})
    except BaseException:
        _end(say)
        raise
    return cards[0]


def _end(say: Say) -> None:
    note = machine.read(FILE)
    if not note:
        return
    machines.end()
    if note.get("wires"):
        Wires(**note["wires"]).remove()
    if note.get("central"):
        central.stop()
        if note["fresh"]:  # else it holds squares of an earlier class
            shutil.rmtree(central_folder(), ignore_errors=True)
    (machine.state_dir() / FILE).unlink(missing_ok=True)
    say("The rehearsal has ended.")


def _network() -> Wires | None:
    """Return a switch for machines with addresses of their own, where the central can listen at it."""
    if running(CENTRAL) and (opened := opening(central_folder())) and opened.address == HOST:
        return None
    return wires()


def _running_with(number: int) -> Card | None:
    """Return this machine's card if a rehearsal with so many machines runs."""
    note = machine.read(FILE)
    if not note.get("card") or note["machines"] != number or running(CENTRAL) is None:
        return None
    card = read_code(note["card"])
    return None if card.expired or not all(each.lives for each in machines.there()) else card


def _refuse_in_containers() -> None:
    if containers.inside():
        raise WorkshopError(
            "A rehearsal starts a central beside this one, and containers can't.\n",
            "work together at a neighbour's machine, or give your own queue three workers: workshop scale 3",
        )
