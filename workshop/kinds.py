"""What can be set, and what each value can be: each kind reads a value, and says in words what is right."""

import math
import re
from dataclasses import dataclass
from typing import Any

from workshop.errors import WorkshopError


@dataclass(frozen=True)
class Number:
    """A number, also as text.

    Attributes
    ----------
    least, most : float
        Its range, both ends included.
    kind : type
        `float`, or `int` for a whole number.
    """

    least: float = -math.inf
    most: float = math.inf
    kind: type[float] | type[int] = float

    def read(self, value: Any) -> float | int:
        """Return a value as a number; raise an error if it is none of this kind."""
        number = self.kind(value)
        if number != float(value) or not self.least <= number <= self.most:
            raise ValueError
        return number

    def __str__(self) -> str:
        """Say it in words."""
        limits = f" from {self.least:,} to {self.most:,}" if math.isfinite(self.most) else ""
        return f"a {'whole ' * (self.kind is int)}number{limits}"


@dataclass(frozen=True)
class Text:
    """A text.

    Attributes
    ----------
    pattern : str
        The regular expression that it matches as a whole.
    words : str
        The same in words.
    """

    pattern: str
    words: str

    def read(self, value: Any) -> str:
        """Return a value; raise an error if it is none of this kind."""
        if not re.fullmatch(self.pattern, value):
            raise ValueError
        return value

    def __str__(self) -> str:
        """Say it in words."""
        return self.words


def valid(kind: Number | Text, name: str, value: Any, step: str) -> Any:
    """Return a value as one of a kind.

    Parameters
    ----------
    kind : Number or Text
        What it must be.
    name : str
        What people call it.
    value : object
        The value.
    step : str
        What to do if it is wrong.

    Raises
    ------
    WorkshopError
        If it is none of that kind.
    """
    try:
        return kind.read(value)
    except (OverflowError, TypeError, ValueError):
        raise WorkshopError(f"{name} is {value!r}. It must be {kind}.", step) from None


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
    "tasks": Number(1, 1_000_000, int),  # that a challenge wants: tests want fewer
    "haste": Number(1, 1000),  # how much sooner retries come, for tests
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
