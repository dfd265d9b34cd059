"""Looks for what keeps the course from running on this machine, and says what to do.

What services and workers lack it asks as a check does, see `backstage.challenges.health`.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backstage.challenges import health
from backstage.stack import binaries, containers
from backstage.stack.status import elsewhere, statuses
from workshop import state_folder

ENOUGH_DISK = 500_000_000
"""Bytes that the services want to be free."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    good : bool
        Whether it is as it should be.
    text : str
        What was seen.
    next_step : str
        What to do about it, where it is not good.
    """

    good: bool
    text: str
    next_step: str = ""


def examine() -> Iterator[Finding]:
    """Look at one thing after the other, the causes before their effects."""
    yield Finding(True, f"Python {sys.version.split()[0]}")
    if not containers.inside():
        yield from _programs()
    yield from _folder()
    for text in elsewhere():
        yield Finding(True, text)
    if verdict := health.environment():
        yield Finding(False, *verdict.text.split("\nNext: "))
    for name, status in statuses().items():
        good, message = status["state"] == "ready", status["message"]
        seen = f"{name} is {status['state']}{f': {message}' if message else ''}"
        yield Finding(good, seen, f"workshop logs {name}")


def _programs() -> Iterator[Finding]:
    for program in binaries.PROGRAMS:
        try:
            yield Finding(True, f"found {binaries.find(program)}")
        except binaries.Missing as error:
            yield Finding(False, str(error), "sh scripts/setup.sh")


def _folder() -> Iterator[Finding]:
    folder = state_folder.state_dir()
    wanted = os.environ.get("WORKSHOP_STATE") or state_folder.ROOT / ".workshop"
    near = Path(wanted).expanduser().absolute()
    note = "" if folder == near else f", as {near} is not this user's or ignores permissions"
    yield Finding(True, f"data and logs are in {folder}{note}")
    free = shutil.disk_usage(folder).free
    yield Finding(free > ENOUGH_DISK, f"{free / 1e9:.1f} GB of disk are free", "make room on the disk")
