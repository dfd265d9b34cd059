"""A class on one machine: a central and machines that work for it, to try a course or do challenge 3 alone.

Each machine is a worker that joined, with a state folder of its own. The supervisor of this machine's stack
runs it like the other services, so that it starts again by itself, and ends with them.
"""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack

from backstage.classroom import central
from backstage.classroom.card import Card
from backstage.stack import control, shutdown, startup, workers
from backstage.stack.central_config import opened
from backstage.stack.status import running
from backstage.stack.texts import refusal
from workshop import json_files, settings, state_folder
from workshop.errors import WorkshopError

_HOURS = 24 * 14

Say = Callable[[str], None]


def rehearse(machines: int = 2, say: Say = print) -> Card:
    """Open a central and run some machines that work for it, and return a card for this one.

    The machines end with `stop`, or with ``workshop down``. If the services end otherwise, by Ctrl-C or a
    crash, their next start runs the machines again. If they run already, nothing is started.

    Parameters
    ----------
    machines : int
        How many machines besides this one.
    say : callable
        Shows a line of progress.

    Raises
    ------
    WorkshopError
        If the services of this machine do not run, or a class is open on it,
        or if the rehearsal does not start.
    """
    if running() is None:
        raise WorkshopError("The services are not running.", "workshop up")
    before = opened()
    if before and not workers.rehearsed():
        raise refusal("open-for-others")
    if not before or len(before.passwords) != machines + 1:
        stop(say)
        _begin(machines, say)
    return central.cards()[0]


def _begin(machines: int, say: Say) -> None:
    try:
        state_folder.claim(workers.rehearsal_folder())  # what is interrupted from here on is ended by `stop`
        central.open_up(central.with_machines(central.new_central(_HOURS), machines + 1), say)
        for card in central.cards()[1:]:
            _give(card)
        control.settle(of=("machine",), seconds=60 + 10 * machines)
    except BaseException:
        stop(say)
        raise


def _give(card: Card) -> None:
    """Let the supervisor run a machine with that card."""
    state = workers.rehearsal_folder() / card.machine
    state_folder.claim(state)
    json_files.write(state / "settings.json", {"pace": settings.pace()})
    json_files.write(state / "joined.json", card.joined)


def run(machines: int, say: Say) -> None:
    """Run a rehearsal until Ctrl-C, a closed terminal or `stop`; servers that it started end with it.

    Parameters
    ----------
    machines : int
        How many machines besides this one.
    say : callable
        Shows a line.

    Raises
    ------
    WorkshopError
        If it does not start.
    """
    for each in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # Windows has no SIGHUP
        signal.signal(each, signal.default_int_handler)
    with ExitStack() as ending:
        try:
            if running() is None:
                startup.up_detached(("postgis", "rabbitmq"), say)
                ending.callback(shutdown.down, say)
            ending.callback(stop, say)
            card = rehearse(machines, say)
            say(f"{machines} machines work for the central at {card.host}. Next: workshop class fill")
            say(f"This machine may join, too, as {card.machine}. Its code: workshop class cards --show")
            say("Ctrl-C ends the rehearsal.")
            while running() and workers.rehearsal_folder().exists():
                time.sleep(0.5)
        except KeyboardInterrupt:
            say("Ending the rehearsal ...")


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
