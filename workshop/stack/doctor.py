"""Looks for what keeps the course from running on this machine, and says what to do."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from workshop import db, settings
from workshop.stack import binaries, control, lab, postgis, rabbitmq, workers
from workshop.stack.service import NotReady, Service
from workshop.stack.site import Site

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
    yield Finding(
        sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "install Python 3.11 or newer"
    )
    for find in (binaries.postgres, binaries.rabbitmq, binaries.epmd):
        yield _program(find)
    yield from _folder()
    yield from _environment()
    site = control.running_site()
    if site is None:
        yield Finding(False, "the services are not running", "make lab, or workshop up")
        return
    for name, condition in settings.read("stack.json")["services"].items():
        yield _service(site, name, condition["message"])
    yield _boundary()


def _program(find: object) -> Finding:
    try:
        return Finding(True, f"found {find()}")  # type: ignore[operator]
    except binaries.Missing as error:
        return Finding(False, str(error), "sh setup.sh")


def _folder() -> Iterator[Finding]:
    folder = settings.state_dir()
    near = settings.ROOT / ".workshop"
    note = (
        "" if folder == near or "WORKSHOP_STATE" in os.environ else f", as {near.parent} ignores permissions"
    )
    yield Finding(True, f"data and logs are in {folder}{note}")
    free = shutil.disk_usage(folder).free
    yield Finding(free > ENOUGH_DISK, f"{free / 1e9:.1f} GB of disk are free", "make room on the disk")


def _environment() -> Iterator[Finding]:
    for name in ("WORKSHOP_BROKER_URL", "WORKSHOP_DATABASE_URL"):
        if name in os.environ:
            yield Finding(True, f"{name} is set, so tasks go there and not to the services of this machine")


def _service(site: Site, name: str, message: str) -> Finding:
    try:
        _services(name).probe(site)
    except NotReady as error:
        reason = message or str(error)
        return Finding(False, f"{name} does not answer: {reason}", f"workshop logs {name}")
    return Finding(True, f"{name} answers{f' ({message})' if message else ''}")


def _services(name: str) -> Service:
    if name.startswith("worker"):
        return workers.worker(int(name.removeprefix("worker")), processes=1)
    fixed = (
        postgis.SERVICE,
        rabbitmq.SERVICE,
        rabbitmq.EPMD,
        workers.FLOWER,
        lab.SERVICE,
        workers.periodic(),
    )
    return {service.name: service for service in fixed}[name]


def _boundary() -> Finding:
    try:
        nations = db.execute(select(func.count(db.UkBoundary.code))).scalar()
    except SQLAlchemyError as error:
        return Finding(
            False, f"the database can't be asked: {str(error).splitlines()[0]}", "workshop logs postgis"
        )
    return Finding(nations == 5, f"uk_boundary has {nations} nations of 5", "workshop down, then workshop up")
