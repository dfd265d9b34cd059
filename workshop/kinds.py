"""What the value of a setting can be: each kind reads a value, and says in words what is right."""

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
