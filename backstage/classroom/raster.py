"""The whole grid as one picture, a pixel for each square of 1 km: as small with 910,000 squares as with one.

`workshop.maps` draws squares one by one, which is right up to some thousands. This is for the wall.
"""

import re
from functools import cache
from io import BytesIO
from typing import Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from workshop.grid import HEIGHT, WIDTH
from workshop.maps import NATIONS, read_boundary

COLUMNS, ROWS = WIDTH // 1000, HEIGHT // 1000
"""Squares from west to east, and from south to north."""

By = Literal["machine", "nation"]
"""What the colours stand for."""

_HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_LIGHTER = (0, 0.4, -0.35, 0.62, -0.55, 0.2)
_GREY = "#808080"
_SEA, _LAND, _COAST = 0, 1, 2
_NATION = 3
_MACHINE = _NATION + len(NATIONS)
_NONE = len(NATIONS)
_OPACITY = bytes([0, 70, 190, *([255] * (len(NATIONS) - 1)), 140])
"""Of sea, land and coast, as the page behind may be light or dark; then of the nations, the sea the last."""

_SIDES = {1_000: 7, 5_000: 5, 50_000: 3}
"""Up to so many squares, the side of each in pixels."""


class Raster:
    """Which nation each square of the grid belongs to, and which machine did it last.

    A square is a number: ``COLUMNS`` times the whole kilometres north, plus those east (EPSG:27700).
    """

    def __init__(self) -> None:
        self._nation = np.full(COLUMNS * ROWS, _NONE, np.uint8)
        self._machine = np.zeros(COLUMNS * ROWS, np.uint8)
        self._time = np.full(COLUMNS * ROWS, -np.inf)
        self._added = 0

    def add(self, machine: str, code: str, squares: NDArray[np.int32], times: NDArray[np.float64]) -> None:
        """Add squares that one machine did in one nation.

        Where several nations hit one square, it takes the one that `NATIONS` names first, so land goes
        before sea; where several machines did, the latest one.

        Parameters
        ----------
        machine : str
            The machine's name.
        code : str
            The nation's code, a key of `NATIONS`.
        squares : array
            The numbers of the squares; one may be there several times.
        times : array
            When each was done, in seconds.
        """
        rank = list(NATIONS).index(code)
        self._nation[squares] = np.minimum(self._nation[squares], rank)
        self._machine[squares[times >= self._time[squares]]] = _MACHINE + _number(machine)
        np.maximum.at(self._time, squares, times)
        self._added += len(squares)

    def png(self, by: By) -> bytes:
        """Return the picture, 700 pixels wide and 1,300 high, north up, with the empty sea transparent.

        Parameters
        ----------
        by : {'machine', 'nation'}
            What the colours stand for.
        """
        done = self._machine if by == "machine" else np.where(self._machine, _NATION + self._nation, 0)
        squares = done.astype(np.uint8).reshape(ROWS, COLUMNS)[::-1]
        larger = np.asarray(Image.fromarray(squares).filter(ImageFilter.MaxFilter(side_for(self._added))))
        picture = Image.fromarray(np.select([squares > 0, larger > 0], [squares, larger], _background()))
        picture.putpalette(_palette())  # turns grey levels into numbers of colours
        file = BytesIO()
        picture.save(file, "PNG", transparency=_OPACITY, compress_level=4)
        return file.getvalue()


def side_for(squares: int) -> int:
    """Return the side of a square in the picture, in pixels: few squares are drawn larger than 1 km."""
    return next((side for limit, side in _SIDES.items() if squares <= limit), 1)


def colour(machine: str) -> str:
    """Return a machine's colour, such as ``#0072B2``; from the 43rd on they come again."""
    return _colours()[_number(machine)]


def _number(machine: str) -> int:
    """Return the number of a machine's colour: its own number, or one that depends on its name only."""
    own = re.fullmatch(r"machine0*(\d{1,6})", machine)
    number = int(own[1]) - 1 if own else crc32(machine.encode())
    return number % len(_colours())


@cache
def _colours() -> list[str]:
    return [_mixed(hue, lighter) for lighter in _LIGHTER for hue in _HUES]


def _mixed(colour: str, lighter: float) -> str:
    target = 255 if lighter > 0 else 0
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part + (target - part) * abs(lighter)):02X}" for part in parts)


@cache
def _palette() -> bytes:
    nations = [colour for _, colour in NATIONS.values()]
    colours = [_GREY, _GREY, _GREY, *nations, *_colours()]
    return b"".join(bytes.fromhex(each[1:]) for each in colours)


@cache
def _background() -> NDArray[np.uint8]:
    """Return land, sea and coast, north up."""
    picture = Image.new("L", (COLUMNS, ROWS), _SEA)
    draw = ImageDraw.Draw(picture)
    for land in read_boundary().geometry.explode():
        for ring, fill in [(land.exterior, _LAND), *((lake, _SEA) for lake in land.interiors)]:
            points = [(x / 1000, ROWS - y / 1000) for x, y in ring.coords]
            draw.polygon(points, fill, _COAST)
    return np.asarray(picture)
