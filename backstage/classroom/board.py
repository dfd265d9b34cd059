"""What is on a page of squares at this moment: the same for the wall of a class and for the panel of one run.

A board holds one number for each square of the grid, and knows since which of its versions the square has it.
So a page that saw a version gets what is new since, however many pages there are.
"""

import time
from collections import deque
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from workshop.maps import NATIONS
from workshop.raster import COLUMNS, ROWS, By, colour, png

SECONDS = 10
"""A rate is that of so many seconds, or of those since the first look; what was done before is no rate."""

_DAY = 86_400
_CODES = list(NATIONS)
_NATIONS = len(_CODES) + 1


class Board:
    """Squares, who did them, and how fast. Whoever reads them calls `show`; pages ask for `frame`.

    Attributes
    ----------
    who : list of str
        Machines or workers, in the order in which the table has them.
    words : dict
        What a frame says besides the squares; see ``page/wall.js``.
    """

    def __init__(self) -> None:
        self.who: list[str] = []
        self.words: dict[str, Any] = {"trouble": ""}
        self.clear()

    def clear(self) -> None:
        """Begin anew: pages forget what they have."""
        self._name, self._version = uuid4().hex[:8], 0
        self._squares = np.zeros(COLUMNS * ROWS, np.int32)
        self._since = np.zeros(COLUMNS * ROWS, np.int32)
        self._looks: deque[tuple[float, Mapping[str, int]]] = deque()

    def number(self, who: str, code: str) -> int:
        """Return the number of a square that somebody did in the nation with a code."""
        if who not in self.who:
            self.who.append(who)
        return self.who.index(who) * _NATIONS + _CODES.index(code) + 1

    def show(self, squares: NDArray[np.int32]) -> None:
        """Take a number for each square of the grid, from the south-west row by row; 0 is nobody's."""
        if np.any((squares == 0) & (self._squares > 0)):
            self.clear()
        self._version += 1
        self._since[squares != self._squares] = self._version
        self._squares = squares

    def squares(self) -> NDArray[np.int32]:
        """Return a copy of what is shown."""
        return self._squares.copy()

    def rates(self, done: Mapping[str, int]) -> dict[str, float]:
        """Return how many squares each did per second, from what each has done by now."""
        looks, now = self._looks, time.monotonic()
        if looks and any(done.get(name, 0) < before for name, before in looks[-1][1].items()):
            looks.clear()  # it was reset
        looks.append((now, done))
        while len(looks) > 2 and looks[1][0] < now - SECONDS:
            looks.popleft()
        at, before = looks[0]
        return {name: (number - before.get(name, 0)) / ((now - at) or 1) for name, number in done.items()}

    def frame(self, by: By, since: str) -> dict[str, Any]:
        """Return what a page shows.

        Parameters
        ----------
        by : {'machine', 'nation'}
            What colours stand for.
        since : str
            What its last frame named so; empty for a page that shows nothing yet.
        """
        name, _, version = since.partition(".")
        fresh = name != self._name
        new = np.flatnonzero(self._since > (0 if fresh else int(version)))
        squares = {each: new[its].tolist() for each, its in self._by(by, self._squares[new]).items()}
        return self.words | {"since": f"{self._name}.{self._version}", "fresh": fresh, "squares": squares}

    def png(self, by: By) -> bytes:
        """Return the picture of the whole grid; see `workshop.raster.png`."""
        drawn = np.flatnonzero(self._squares)
        keys = self._keys(by, self._squares[drawn])
        names = self.who if by == "machine" else _CODES
        return png({names[key]: drawn[keys == key].astype(np.int32) for key in np.unique(keys)}, by)

    def _keys(self, by: By, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        return numbers // _NATIONS if by == "machine" else numbers % _NATIONS - 1

    def _by(self, by: By, numbers: NDArray[np.int32]) -> dict[str, NDArray[np.bool_]]:
        """Return which of some squares have which colour; those of the sea come first, below the others."""
        keys = self._keys(by, numbers)
        colours = [*map(self.colour, self.who)] if by == "machine" else [its for _, its in NATIONS.values()]
        found: dict[str, NDArray[np.bool_]] = {}
        for key in sorted(np.unique(keys), reverse=True):  # two machines may have the same colour
            found[colours[key]] = found.get(colours[key], np.False_) | (keys == key)
        return found

    def colour(self, who: str) -> str:
        """Return whose colour it is."""
        return colour(who)


def legend(counts: Mapping[str, int]) -> list[tuple[str, str, str]]:
    """Return name, colour and number of squares of each nation, in words."""
    return [(name, its, f"{counts.get(code, 0):,}") for code, (name, its) in NATIONS.items()]


def seconds_left(todo: int, rate: float) -> float | None:
    """Return in how many seconds all tasks to come are done; None if there are none, or it is no day's work.

    Parameters
    ----------
    todo : int
        Tasks in the queue, and those that are still to be put there.
    rate : float
        Tasks that are done per second.
    """
    return todo / rate if 0 < todo < rate * _DAY else None


def part(number: int, of: int) -> str:
    """Return a share in percent, never rounded up: 100 % is all."""
    return f"{1000 * number // (of or 1) / 10:.{int(0 < number < of)}f} %"


def ago(seconds: float) -> str:
    """Return a time in words that fit into a column, such as ``12 s``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{min(seconds / 3600, 999):.0f} h"
