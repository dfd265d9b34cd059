"""The 910,000 squares of the grid by number: which of them touch land, which nation each centre lies in.

Everything here is one numpy array or one call of shapely for all squares at once: the whole country takes
two seconds. Square 0 lies in the south-west, square 1 is its neighbour to the east, 700 that to the north.
"""

import json
from functools import cache

import numpy as np
import shapely
from numpy.typing import NDArray

from workshop import grid
from workshop.data import BOUNDARY
from workshop.errors import WorkshopError

Numbers = NDArray[np.int64]
Places = NDArray[np.float64]

SIDE, HUNDRED = 1000, 100_000
"""Metres of a square, and of the large squares whose two letters begin a reference."""

COLUMNS, ROWS = grid.WIDTH // SIDE, grid.HEIGHT // SIDE

LAND, ALL = "land", "all"
"""Parts of the grid by name: the squares that touch a nation, and all 910,000."""


def squares_of(part: str) -> NDArray[np.bool_]:
    """Return for each square of the grid whether it belongs to a part.

    Parameters
    ----------
    part : str
        ``land``, ``all``, a nation's code such as ``SCT`` (the squares that touch it), or the two letters of
        a 100 km square such as ``NT``.

    Raises
    ------
    WorkshopError
        If there is none of this name.
    """
    every = np.arange(COLUMNS * ROWS)
    if part == ALL:
        return np.ones(len(every), dtype=bool)
    if part in _letters():
        x, y = centres(every)
        east, north = divmod(_letters().index(part), grid.HEIGHT // HUNDRED)
        return (x // HUNDRED == east) & (y // HUNDRED == north)
    if part != LAND and part not in _nations():
        raise WorkshopError(
            f'There is no part "{part}".',
            f"a nation ({', '.join(_nations())}), the letters of a 100 km "
            f"square such as NT, or nothing for all squares that touch land",
        )
    return _touched(tuple(_nations()) if part == LAND else (part,))


def centres(numbers: Numbers) -> tuple[Places, Places]:
    """Return the eastings and northings of squares' centres, in metres (EPSG:27700)."""
    row, column = np.divmod(numbers, COLUMNS)
    return (column + 0.5) * SIDE, (row + 0.5) * SIDE


def references(x: Places, y: Places) -> list[str]:
    """Return the references of the squares that points on the grid lie in, in metres (EPSG:27700)."""
    east, north = (np.asarray(values // SIDE, dtype=int) for values in (x, y))
    rows, letters = ROWS // 100, _letters()
    pairs = zip(east.tolist(), north.tolist(), strict=True)
    return [f"{letters[e // 100 * rows + n // 100]}{e % 100:02}{n % 100:02}" for e, n in pairs]


def nations_at(x: Places, y: Places) -> NDArray[np.str_]:
    """Return the nation at each point in metres (EPSG:27700), or SEA, as `workshop.db.nation_at` does."""
    codes = np.full(len(x), "SEA", dtype="<U3")
    for code in sorted(_nations(), reverse=True):  # where two meet, the first in the alphabet has the point
        codes[shapely.intersects_xy(_nations()[code], x, y)] = code
    return codes


@cache
def _nations() -> dict[str, shapely.Geometry]:
    features = json.loads(BOUNDARY.read_text(encoding="utf-8"))["features"]
    found = {each["properties"]["code"]: shapely.geometry.shape(each["geometry"]) for each in features}
    shapely.prepare(list(found.values()))
    return found


@cache
def _letters() -> list[str]:
    """Return the letters of the 91 large squares, column by column from the south-west."""
    corners = ((x, y) for x in range(0, grid.WIDTH, HUNDRED) for y in range(0, grid.HEIGHT, HUNDRED))
    return [grid.reference(x, y)[:2] for x, y in corners]


@cache
def _touched(codes: tuple[str, ...]) -> NDArray[np.bool_]:
    x, y = centres(np.arange(COLUMNS * ROWS))
    half = SIDE / 2
    boxes = shapely.box(x - half, y - half, x + half, y + half)
    return np.logical_or.reduce([shapely.intersects(_nations()[code], boxes) for code in codes])
