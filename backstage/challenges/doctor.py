"""Looks for what keeps the course from running on this machine, and says what to do."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backstage.stack import binaries, containers, plan, remote
from backstage.stack.site import Site
from backstage.stack.status import elsewhere, running, running_site
from backstage.stack.watch import syntax_error
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
    if trouble := remote.trouble():
        yield Finding(False, trouble, f"ask your instructor whether it runs; {remote.WAY_BACK}")
    if problem := syntax_error():
        yield Finding(False, f"the code does not compile: {problem}", "mend that line and save the file")
    site, stack = running_site(), running()
    if site is None or stack is None:
        yield Finding(False, "the services are not running", "make lab, or workshop up")
        return
    for name, status in stack["services"].items():
        yield _service(site, name, status["machine"], status["message"])
    yield _boundary()


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


def _service(site: Site, name: str, place: str, message: str) -> Finding:
    trouble = plan.service(name, place).trouble(site)
    if trouble:
        return Finding(False, f"{name} does not answer: {message or trouble}", f"workshop logs {name}")
    return Finding(True, f"{name} answers{f' ({message})' if message else ''}")


def _boundary() -> Finding:
    try:  # slow to import, and attendees may have a mistake in it
        from sqlalchemy import func, select

        from workshop import db
        from workshop.database import execute

        nations = execute(select(func.count(db.UkBoundary.code))).scalar()
    except Exception as error:
        reason = str(error).splitlines()[0]
        return Finding(False, f"the table uk_boundary can't be read: {reason}", "workshop logs postgis")
    return Finding(nations == 5, f"uk_boundary has {nations} nations of 5", "workshop down, then workshop up")
