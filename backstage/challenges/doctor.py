"""Looks for what keeps the course from running on this machine, and says what to do.

What the services and the program lack it asks as a check does, see `backstage.challenges.health`.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from traceback import format_exc

from backstage.stack import binaries, containers, logs, plan
from backstage.stack.status import elsewhere, running_site, statuses
from workshop import state_folder

ENOUGH_DISK = 500_000_000
"""Bytes that the services want to be free."""


def examine() -> Iterator[tuple[str, str]]:
    """Look at one thing after the other, the causes before their effects.

    Yields
    ------
    tuple of str and str
        What was seen, and what to do about it; nothing to do if it is as it should be.
    """
    yield f"Python {sys.version.split()[0]}", ""
    if not containers.inside():
        yield from _programs()
    yield from _folder()
    for text in elsewhere():
        yield text, ""
    if statuses():
        yield from _environment()
        yield from _services()
    else:
        yield "The services of this course are not running", "make lab, or workshop up"


def _programs() -> Iterator[tuple[str, str]]:
    for program in binaries.PROGRAMS:
        try:
            yield f"found {binaries.find(program)}", ""
        except binaries.Missing as error:
            yield str(error), "sh scripts/setup.sh"


def _folder() -> Iterator[tuple[str, str]]:
    folder = state_folder.state_dir()
    wanted = os.environ.get("WORKSHOP_STATE") or state_folder.ROOT / ".workshop"
    near = Path(wanted).expanduser().absolute()
    note = "" if folder == near else f", as {near} is not this user's or ignores permissions"
    yield f"data and logs are in {folder}{note}", ""
    free = shutil.disk_usage(folder).free
    yield f"{free / 1e9:.1f} GB of disk are free", "" if free > ENOUGH_DISK else "make room on the disk"


def _environment() -> Iterator[tuple[str, str]]:
    try:  # it imports files that attendees may have a mistake in
        from backstage.challenges import health
    except Exception:
        yield logs.failure(format_exc()), "mend that line and save the file"
        return
    if verdict := health.environment():
        seen, step = verdict.text.split("\nNext: ")
        yield seen, step


def _services() -> Iterator[tuple[str, str]]:
    """Ask each service: its supervisor only knows whether it runs."""
    site, known = running_site(), plan.services(plan.NAMES)
    for name, status in statuses().items():
        seen, message = f"is {status['state']}", status["message"]
        if site and name in known and seen == "is ready" and (trouble := known[name].trouble(site)):
            seen, message = "does not answer", trouble
        step = "" if seen == "is ready" else f"workshop logs {name}"
        yield f"{name} {seen}{f': {message}' if message else ''}", step
