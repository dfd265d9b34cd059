"""A class on one machine: a central and machines that work for it, to try a course or do challenge 3 alone.

Each machine is a worker that joined, with a state folder of its own. The supervisor of this machine's stack
runs it like the other services, so that it starts again by itself, and ends with them.
"""

import signal
import time
from collections.abc import Callable

from backstage.classroom import central
from backstage.classroom.card import Card
from backstage.stack import control, shutdown, workers
from backstage.stack.central_config import opened
from backstage.stack.status import running
from workshop import json_files, settings, state_folder
from workshop.errors import WorkshopError

_HOURS = 24 * 14

Say = Callable[[str], None]


def rehearse(machines: int = 2, say: Say = print) -> Card:
    """Open a central and run some machines that work for it, and return a card for this one.

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
    if running() is None:
        raise WorkshopError("The services are not running.", "workshop up")
    before = opened()
    if before and not workers.rehearsed():
        raise WorkshopError(
            "A central is open on this machine already, and others may have its cards.\n",
            "join it with one of them (workshop class cards), or workshop class stop, then again",
        )
    if not before or len(before.machines) != machines + 1:
        stop(say)
        _begin(machines, say)
    return central.cards()[0]


def _begin(machines: int, say: Say) -> None:
    try:
        central.open_up(central.with_machines(central.new_central(_HOURS), machines + 1), say)
        for card in central.cards()[1:]:
            _give(card)
        control.until_ready(60 + 10 * machines, of=("machine",))
    except BaseException:
        stop(say)
        raise


def _give(card: Card) -> None:
    """Let the supervisor run a machine with that card."""
    state = workers.rehearsal_folder() / card.machine
    state_folder.claim(state)
    json_files.write(state / "settings.json", {"pace": settings.pace()})
    joined = {"broker_url": card.broker.url, "database_url": card.database.url, "machine": card.machine}
    json_files.write(state / "joined.json", joined)


def run(number: int, say: Say) -> None:
    """Run a rehearsal until Ctrl-C, or until its services end.

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
    for name in ("SIGTERM", "SIGHUP"):
        if each := getattr(signal, name, None):  # Windows has fewer, and says below that it runs no services
            signal.signal(each, signal.default_int_handler)
    started = running() is None
    try:
        if started:
            control.up_detached(["postgis", "rabbitmq"], say)
        card = rehearse(number, say)
        say(f"{number} machines work for the central at {card.host}. Next: workshop class fill")
        say(f"This machine may join, too, as {card.machine}. Its code: workshop class cards --show")
        say("Ctrl-C ends the rehearsal.")
        while running():
            time.sleep(0.5)
        say("The services have ended, and so does the rehearsal.")
    except KeyboardInterrupt:
        say("Ending the rehearsal ...")
    finally:
        try:
            stop(say)
        finally:
            if started:
                shutdown.down(say)


def stop(say: Say = print) -> None:
    """End the rehearsal of this machine.

    Parameters
    ----------
    say : callable
        Shows a line.
    """
    if workers.rehearsal_folder().exists():
        central.stop()
        say("The rehearsal has ended.")
