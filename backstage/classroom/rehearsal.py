"""A class on one machine: a central and machines that work for it, to try a course or do challenge 3 alone.

Each machine is a state folder with a card and a supervised worker of its own, as a joined machine has them.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil

from backstage.classroom import central
from backstage.classroom.card import Card
from backstage.stack.central_config import central_folder
from backstage.stack.process import born, kill_session, run_elsewhere
from backstage.stack.status import CENTRAL, running, until
from workshop import settings, state_folder
from workshop.errors import WorkshopError

FILE = "rehearsal.json"

_FOLDER = "rehearsal"
_SIDE_BY_SIDE = 4
"""How many machines start at the same time: each takes some seconds of a core."""

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
    if state_folder.read(FILE) and running(CENTRAL) and len(_supervisors()) == machines:
        return central.cards()[0]
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
    for name in ("SIGTERM", "SIGHUP"):
        if each := getattr(signal, name, None):  # Windows has fewer, and says below that it runs no services
            signal.signal(each, signal.default_int_handler)
    try:
        card = _begin(number, os.getpid(), say)
        say(f"{number} machines work for the central at {card.host}. Next: workshop class fill")
        say(f"This machine may join, too, as {card.machine}. Its code: workshop class cards --show")
        say("Ctrl-C ends the rehearsal.")
        while running(CENTRAL):
            time.sleep(0.5)
        say("The central has ended, and so does the rehearsal.")
    except KeyboardInterrupt:
        say("Ending the rehearsal ...")
    finally:
        stop(say)


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
    if note["foreground"] and note["pid"] != os.getpid() and born(note["pid"]) == note["born"]:
        with suppress(ProcessLookupError):
            os.kill(note["pid"], signal.SIGTERM)
        until(lambda: born(note["pid"]) != note["born"], seconds=90)
    if state_folder.read(FILE):  # one in the foreground removes all of it itself
        end_machines()
        central.stop()
        if note["fresh"]:  # else it holds squares of an earlier class
            shutil.rmtree(central_folder(), ignore_errors=True)
        (state_folder.state_dir() / FILE).unlink(missing_ok=True)
    say("The rehearsal has ended.")


def _begin(number: int, leader: int, say: Say) -> Card:
    """Start everything anew, and note first what a killed rehearsal would leave."""
    stop(say)
    if running(CENTRAL):
        raise WorkshopError(
            "A central runs on this machine already, and others may have its cards.\n",
            "join it with one of them (workshop class cards), or workshop class stop, then again",
        )
    foreground, fresh = leader == os.getpid(), not (central_folder() / "postgis").exists()
    note = {"pid": leader, "born": born(leader), "foreground": foreground, "fresh": fresh}
    state_folder.write(FILE, note)
    try:
        own, *others = central.start(machines=number + 1, say=say)[: number + 1]
        start_machines(others, leader, say)
    except BaseException:
        stop(say)
        raise
    return own


def start_machines(cards: list[Card], leader: int, say: Say) -> None:
    """Start a machine for each card, some side by side, and wait until all are ready.

    Parameters
    ----------
    cards : list of Card
        Their cards.
    leader : int
        The number of a process, with which they end.
    say : callable
        Shows a line.

    Raises
    ------
    WorkshopError
        If one does not become ready.
    """
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for number, name in enumerate(pool.map(lambda card: _start(card, leader), cards), start=1):
            say(f"{name} is ready ({number} of {len(cards)})")


def _start(card: Card, leader: int) -> str:
    """Start the worker of a machine, which works for the central of its card; return the machine's name."""
    state = state_folder.state_dir() / _FOLDER / card.machine
    state_folder.claim(state)
    joined = {"broker_url": card.broker.url, "database_url": card.database.url, "machine": card.machine}
    state_folder.write(str(state / "joined.json"), joined)
    done = run_elsewhere(
        state, "up", "--detach", "worker",
        WORKSHOP_PORTS="any",
        WORKSHOP_PROCESSES="1",
        WORKSHOP_PACE=str(settings.pace()),
        WORKSHOP_LEADER=str(leader),
    )  # fmt: skip
    stack = running(f"{_FOLDER}/{card.machine}/stack.json")
    if stack is None or stack["services"]["worker1"]["state"] != "ready":
        raise WorkshopError(f"{card.machine} did not start.\n{done.stderr or done.stdout}")
    return card.machine


def end_machines() -> None:
    """End all machines and remove their folders."""
    supervisors = _supervisors()
    for each in supervisors:
        with suppress(psutil.NoSuchProcess):
            each.terminate()
    for each in psutil.wait_procs(supervisors, timeout=30)[1]:
        kill_session(each.pid)
    shutil.rmtree(state_folder.state_dir() / _FOLDER, ignore_errors=True)


def _supervisors() -> list[psutil.Process]:
    """Return the machines' supervisors that run."""
    files = (state_folder.state_dir() / _FOLDER).glob("machine*/stack.json")
    stacks = (running(f"{_FOLDER}/{file.parent.name}/stack.json") for file in files)
    return [psutil.Process(stack["pid"]) for stack in stacks if stack]
