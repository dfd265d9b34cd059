"""What can be set, and what each value can be: a type of click's reads it, and words say what is right."""

from typing import Any

import click

from workshop.errors import WorkshopError

Kind = tuple[click.ParamType, str]
"""What reads a value, and the same in words."""


def number(least: int, most: int) -> Kind:
    """Return the kind of the numbers in a range, both ends included."""
    return click.FloatRange(least, most), f"a number from {least:,} to {most:,}"


def whole(least: int, most: int) -> Kind:
    """Return the kind of the whole numbers in a range, both ends included."""
    return click.IntRange(least, most), f"a whole number from {least:,} to {most:,}"


def valid(kind: Kind, name: str, value: Any, step: str) -> Any:
    """Return a value as one of a kind.

    Parameters
    ----------
    kind : Kind
        What it must be.
    name : str
        What people call it.
    value : object
        The value, also as text.
    step : str
        What to do if it is wrong.

    Raises
    ------
    WorkshopError
        If it is none of that kind.
    """
    try:
        found = kind[0].convert(str(value), None, None)
        if found != found:  # it is no number
            raise ValueError
        return found
    except (click.BadParameter, ValueError):
        raise WorkshopError(f"{name} is {value!r}. It must be {kind[1]}.", step) from None


MOST_WORKERS, MOST_PROCESSES = 20, 64
"""Of one machine, and of each worker."""

SETTINGS: dict[str, Kind] = {
    "broker_url": (click.STRING, "text"),
    "database_url": (click.STRING, "text"),
    "fault_rate": number(0, 1),
    "pace": number(0, 60_000),
    "seed": (click.INT, "a whole number"),
    "workers": whole(0, MOST_WORKERS),  # of this machine; none while it is reset
    "processes": whole(1, MOST_PROCESSES),  # of each worker; threads in the fast profile
    "prefetch": whole(1, 1000),  # messages that each process of a worker may take in advance
    "profile": (click.Choice(["usual", "fast"]), "usual or fast"),  # how a worker runs its tasks
    "machine": (click.STRING, "text"),  # what this one is called
    "tasks": whole(1, 1_000_000),  # that a challenge wants: tests want fewer
    "haste": number(1, 1000),  # how much sooner retries come, for tests
}
"""What can be set, and what each value can be."""


def valid_setting(name: str, place: str, value: Any) -> Any:
    """Return the value of a setting; None, which is none, stays.

    Parameters
    ----------
    name : str
        The setting.
    place : str
        Where the value stands, for the sentence about a wrong one.
    value : object
        The value.

    Raises
    ------
    WorkshopError
        If there is no such setting, or the value is wrong.
    """
    if name not in SETTINGS:
        raise WorkshopError(f"There is no setting {name!r}.", f"choose one of {', '.join(SETTINGS)}")
    return None if value is None else valid(SETTINGS[name], place, value, "mend it, or unset it")
