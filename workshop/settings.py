"""Where the broker and the database are, and the few numbers that change how the course behaves.

Every function looks when it is asked, not at import, so that a running notebook follows a change.
The first source that has a value wins:

1. ``joined.json``: this machine joined a central queue (challenge 3);
2. ``settings.json``: a notebook cell changed a value with `change`;
3. the environment: ``WORKSHOP_BROKER_URL``, ``WORKSHOP_DATABASE_URL``, ``WORKSHOP_FAULT_RATE``, ...;
4. ``stack.json``: the services that ``workshop up`` started on this machine;
5. ``workshop/challenge.json``: the starter of a challenge brings its own, such as the faults of challenge 2;
6. the defaults below. The addresses have none: other programs on this machine are not the course's.

The first two and ``stack.json`` are in the folder `workshop.machine.state_dir`, usually ``.workshop``
beside the notebooks.
"""

import os
from typing import Any

from workshop.machine import CHALLENGE, read, read_json, write

DEFAULTS = {
    "fault_rate": 0.0,
    "pace": 0,
    "seed": None,
}


class NotRunning(Exception):
    """The services of this course do not run; whatever else answers on this machine is not the course's."""

    def _render_traceback_(self) -> list[str]:
        """Show the sentence in a notebook, and no traceback."""
        return [str(self)]


def broker_url() -> str:
    """Return the address of RabbitMQ, such as ``amqp://user:password@host:port/virtual_host``.

    Raises
    ------
    NotRunning
        If no source names one.
    """
    return _address("broker_url")


def database_url() -> str:
    """Return the address of PostGIS, as SQLAlchemy writes it.

    Raises
    ------
    NotRunning
        If no source names one.
    """
    return _address("database_url")


def _address(name: str) -> str:
    if found := get(name):
        return str(found)
    raise NotRunning("The services are not running. Next: make lab, or workshop up")


def fault_rate() -> float:
    """Return the share of attempts that meet the artificial fault: 0 never, 0.1 one in ten."""
    return float(get("fault_rate"))


def pace() -> float:
    """Return the milliseconds that each task waits, as if it called a service far away."""
    return float(get("pace"))


def seed() -> int | None:
    """Return the seed of the random points, or None for different points each time."""
    value = get("seed")
    return None if value is None else int(value)


def joined() -> bool:
    """Return whether this machine joined a central queue; there it may do only what its own work needs."""
    return bool(read("joined.json"))


def get(name: str) -> Any:
    """Return the value of a setting from the first source that has one."""
    from_environment = {name: os.environ.get(f"WORKSHOP_{name.upper()}") or None}
    files = read("joined.json"), read("settings.json"), read("stack.json"), read_json(CHALLENGE)
    for source in (*files[:2], from_environment, *files[2:]):
        if source.get(name) is not None:
            return source[name]
    return DEFAULTS.get(name)


def change(**values: Any) -> None:
    """Change settings for every worker and notebook of this machine, at once and until changed again.

    Parameters
    ----------
    **values
        Settings by name, such as ``fault_rate=0.1`` or ``pace=20``; None takes a change back.
    """
    write("settings.json", read("settings.json") | values)
