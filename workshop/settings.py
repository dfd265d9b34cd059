"""Where the broker and the database are, and the few numbers that change how the course behaves.

Every function looks when it is asked, not at import, so that a running notebook follows a change.
The first source that has a value wins:

1. ``joined.json``: this machine joined a central queue (challenge 3);
2. ``settings.json``: a notebook cell changed a value with `change`;
3. the environment: ``WORKSHOP_BROKER_URL``, ``WORKSHOP_DATABASE_URL``, ``WORKSHOP_FAULT_RATE``, ...;
4. ``stack.json``: the services that ``workshop up`` started on this machine;
5. ``workshop/challenge.json``: the starter of a challenge brings its own, such as the faults of challenge 2;
6. the defaults below. The addresses have none: other programs on this machine are not the course's.

The first two and ``stack.json`` are in the folder `workshop.state_folder.state_dir`, usually ``.workshop``
beside the notebooks. Each is written as a whole and put in place of the one before, which gives the folder
another time: so one look at that is enough to know that nothing was changed.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

from workshop import json_files
from workshop.errors import WorkshopError
from workshop.json_files import changing
from workshop.kinds import SETTINGS, valid_setting
from workshop.state_folder import CHALLENGE, read, state_dir, write

DEFAULTS = {"fault_rate": 0.0, "pace": 0, "workers": 1}

_TICK = 50_000_000
"""Nanoseconds; the clock of a file system stands still for less. Two changes in one tick look like one."""

_Values = tuple[dict[str, Any], dict[str, Any]]
"""What the files say: that which counts more than the environment, and that which counts less."""

_steady: ContextVar[_Values | None] = ContextVar("steady", default=None)


def broker_url() -> str:
    """Return the address of RabbitMQ, such as ``amqp://user:password@host:port/virtual_host``.

    Raises
    ------
    WorkshopError
        If no source names one.
    """
    return _address("broker_url")


def database_url() -> str:
    """Return the address of PostGIS, as SQLAlchemy writes it.

    Raises
    ------
    WorkshopError
        If no source names one.
    """
    return _address("database_url")


def _address(name: str) -> str:
    if found := get(name):
        return str(found)
    raise WorkshopError("The services are not running.", "make lab, or workshop up")


def fault_rate() -> float:
    """Return the share of attempts that meet the artificial fault: 0 never, 0.1 one in ten."""
    return get("fault_rate")


def pace() -> float:
    """Return the milliseconds that each task waits, as if it called a service far away."""
    return get("pace")


def seed() -> int | None:
    """Return the seed of the random points, or None for different points each time."""
    return get("seed")


def joined() -> bool:
    """Return whether this machine joined a central queue; there it may do only what its own work needs."""
    return bool(read("joined.json"))


def get(name: str) -> Any:
    """Return the value of a setting from the first source that has one; None if none has.

    Raises
    ------
    WorkshopError
        If there is no such setting, or the value is wrong.
    """
    above, below = _steady.get() or _from_files()
    value = above[name] if name in above else _from_environment(name)
    return below.get(name) if value is None else value


def check() -> None:
    """Look at the course's variables in the environment, before anything is done with them.

    Raises
    ------
    WorkshopError
        If one has a wrong value.
    """
    for name in SETTINGS:
        _from_environment(name)


def change(**values: Any) -> None:
    """Change settings for every worker and notebook of this machine, at once and until changed again.

    Parameters
    ----------
    **values
        Settings by name, such as ``fault_rate=0.1`` or ``pace=20``; None takes a change back.

    Raises
    ------
    WorkshopError
        If one is unknown or wrong. Then none is changed.
    """
    right = {name: valid_setting(name, name, value) for name, value in values.items()}
    with changing(state_dir() / "settings.json"):
        write("settings.json", read("settings.json") | right)


@contextmanager
def changed(**values: Any) -> Iterator[None]:
    """Change settings for a while, as `change` does; afterwards they are as before."""
    before = {name: read("settings.json").get(name) for name in values}
    change(**values)
    try:
        yield
    finally:
        change(**before)


@contextmanager
def steady() -> Iterator[None]:
    """Look at the files once for all that is asked within: a task costs one look, and meets one state."""
    before = _steady.set(_from_files())
    try:
        yield
    finally:
        _steady.reset(before)


def _from_environment(name: str) -> Any:
    variable = f"WORKSHOP_{name.upper()}"
    return valid_setting(name, variable, os.environ.get(variable) or None)


def _from_files() -> _Values:
    """Return what the files say; they are read again if one of them may have been replaced."""
    state, changed, now = state_dir(), 0, time.time_ns()
    with suppress(FileNotFoundError):
        changed = state.stat().st_mtime_ns
    return _read(state, changed, again=0 if now - changed > _TICK else now)


@lru_cache(maxsize=4)
def _read(state: Path, changed: int, again: int) -> _Values:
    above = _of(state / "settings.json") | _of(state / "joined.json")
    return above, DEFAULTS | _of(CHALLENGE) | _of(state / "stack.json")


def _of(file: Path) -> dict[str, Any]:
    """Return the settings that a file has."""
    there = json_files.read(file).items()
    return {name: value for name, value in there if name in SETTINGS and value is not None}
