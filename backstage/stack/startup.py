"""Starts the stack of this machine: in this process, or in one of its own."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable

from backstage.stack import environment, plan
from backstage.stack.lock import only_one
from backstage.stack.shutdown import end_leftovers
from backstage.stack.site import new_site
from backstage.stack.status import elsewhere, running, say_news
from backstage.stack.supervisor import Supervisor
from backstage.stack.texts import refusal
from workshop import settings, state_folder
from workshop.errors import WorkshopError

Say = Callable[[str], None]


def up(names: tuple[str, ...], say: Say, when_ready: Callable[[], None]) -> None:
    """Run the stack in this process until Ctrl-C, a closed terminal or `down`.

    Parameters
    ----------
    names : tuple of str
        The parts to run; all of `NAMES` if empty.
    say : callable
        Shows a line of progress.
    when_ready : callable
        Called once, when all parts answer or are known not to.

    Raises
    ------
    AlreadyRunning
        If this course's stack runs already.
    WorkshopError
        If a service did not become ready,
        or if a variable of the environment has a wrong value.
    """
    names = names or plan.NAMES
    with only_one():
        _begin(say)
        try:
            settings.check()
            asyncio.run(Supervisor(new_site(), names, say).run(when_ready))
        except WorkshopError as error:
            state_folder.write("stack.json", {"error": str(error)})  # for whoever asks how it went
            raise


def forget_orders() -> None:
    """Take back what was changed while the services ran before."""
    for orders in ("settings.json", "parts.json"):
        (state_folder.state_dir() / orders).unlink(missing_ok=True)


def _begin(say: Say) -> None:
    """Remove what an earlier start left.

    Raises
    ------
    WorkshopError
        If the services can't run here.
    """
    if state_folder.WINDOWS:
        raise refusal("windows")
    end_leftovers(say)
    (state_folder.state_dir() / "stack.json").unlink(missing_ok=True)
    forget_orders()
    for line in elsewhere():
        say(f"Note: {line}")
    say("Starting the services ...")


def up_detached(names: tuple[str, ...], say: Say) -> None:
    """Start the stack in a process of its own and return when it is ready.

    Parameters
    ----------
    names : tuple of str
        The parts to run; all of `NAMES` if empty.
    say : callable
        Shows a line of progress.

    Raises
    ------
    AlreadyRunning
        If this course's stack runs already.
    WorkshopError
        If a service did not become ready.
    """
    with only_one():
        _begin(say)
    log = state_folder.state_dir() / "stack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "backstage", "up", *names],
            cwd=state_folder.ROOT,
            env=environment.of_child(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _follow(process, say)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    if code := process.poll():
        error = state_folder.read("stack.json").get("error")
        raise WorkshopError(error) if error else WorkshopError(f"It ended with code {code}.", f"read {log}")


def _follow(process: subprocess.Popen[bytes], say: Say) -> None:
    """Show how the services of a start in the background are, until all are ready or it has ended."""
    said: list[str] = []
    while process.poll() is None:
        stack = running() or {"ready": False, "services": {}}
        said = say_news(stack["services"], said, say)
        if stack["ready"]:
            return
        time.sleep(0.05)
