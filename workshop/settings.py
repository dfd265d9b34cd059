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
from pathlib import Path
from typing import Any

from workshop import json_files
from workshop.errors import WorkshopError
from workshop.json_files import changing
from workshop.kinds import Number, Text, valid
from workshop.state_folder import CHALLENGE, read, state_dir, write

MOST_WORKERS, MOST_PROCESSES = 20, 64
"""Of one machine, and of each worker."""

SETTINGS: dict[str, Number | Text] = {
    "broker_url": Text(r".+", "an address such as amqp://user:password@host:5672/name"),
    "database_url": Text(r".+", "an address such as postgresql+psycopg://user:password@host:5432/name"),
    "fault_rate": Number(0, 1),
    "pace": Number(0, 60_000),
    "seed": Number(kind=int),
    "workers": Number(0, MOST_WORKERS, int),  # of this machine; none while it is reset
    "processes": Number(1, MOST_PROCESSES, int),  # of each worker; threads in the fast profile
    "prefetch": Number(1, 1000, int),  # messages that each process of a worker may take in advance
    "profile": Text("usual|fast", "usual or fast"),  # how a worker runs its tasks
    "machine": Text(r"[\w.-]+", "a name of letters, digits, dots and hyphens"),  # what this one is called
    "tasks": Number(1, 1_000_000, int),  # that challenge 1 wants: tests want fewer
    "haste": Number(1, 1000),  # how much sooner retries come, for tests
}
"""What can be set, and what each value can be."""

DEFAULTS = {"fault_rate": 0.0, "pace": 0, "workers": 1}

_TICK = 50_000_000
"""Nanoseconds; the clock of a file system stands still for less. Two changes in one tick look like one."""

_Contents = dict[str, dict[str, Any]]
"""What each file holds, by its name."""

_read_before: dict[Path, tuple[int, _Contents]] = {}
"""The latest contents of each state folder, with the folder's time."""

_steady: ContextVar[_Contents | None] = ContextVar("steady", default=None)


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
    found = ((place, value) for place, value in _sources(name) if value is not None)
    return _read(name, *next(found, ("", None)))


def check() -> None:
    """Look at the course's variables in the environment, before anything is done with them.

    Raises
    ------
    WorkshopError
        If one has a wrong value.
    """
    for name in SETTINGS:
        variable = f"WORKSHOP_{name.upper()}"
        _read(name, variable, os.environ.get(variable) or None)


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
    right = {name: _read(name, name, value) for name, value in values.items()}
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
    before = _steady.set(_contents())
    try:
        yield
    finally:
        _steady.reset(before)


def _contents() -> _Contents:
    """Return what the files hold; they are read again if one of them may have been replaced."""
    state, changed = state_dir(), 0
    with suppress(FileNotFoundError):
        changed = state.stat().st_mtime_ns
    at, contents = _read_before.get(state, (None, {}))
    if at == changed:
        return contents
    contents = {name: read(name) for name in ("joined.json", "settings.json", "stack.json")}
    contents[CHALLENGE.name] = json_files.read(CHALLENGE)
    if time.time_ns() - changed > _TICK:
        _read_before[state] = changed, contents
    return contents


def _sources(name: str) -> Iterator[tuple[str, Any]]:
    """Yield where a setting may stand, and what stands there or None; what counts first comes first."""
    contents, variable = _steady.get() or _contents(), f"WORKSHOP_{name.upper()}"
    for file in ("joined.json", "settings.json"):
        yield f"{name} in {file}", contents[file].get(name)
    yield variable, os.environ.get(variable) or None
    for file in ("stack.json", CHALLENGE.name):
        yield f"{name} in {file}", contents[file].get(name)
    yield name, DEFAULTS.get(name)


def _read(name: str, place: str, value: Any) -> Any:
    if name not in SETTINGS:
        raise WorkshopError(f"There is no setting {name!r}.", f"choose one of {', '.join(SETTINGS)}")
    return None if value is None else valid(SETTINGS[name], place, value, "mend it, or unset it")
