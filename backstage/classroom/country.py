"""The 910,000 squares of the grid, and which of them belong to a part of it.

That is one call of shapely for all squares at once: the whole country takes two seconds.
"""

import numpy as np
import shapely
from osbng import BNGReference
from osbng.errors import BNGReferenceError

from workshop import grid
from workshop.errors import WrongUse
from workshop.maps import read_boundary

Point = tuple[float, float]
"""An easting and a northing in metres (EPSG:27700)."""

LAND, ALL = "land", "all"
"""Parts of the grid by name: the squares that touch a nation, and all 910,000."""

_HALF = 499.999
"""Metres from a square's centre to its edge, and a little less: a neighbour's edge is not its own."""


def centres(part: str) -> list[Point]:
    """Return the centres of a part's squares.

    Parameters
    ----------
    part : str
        ``land``, ``all``, a nation's code such as ``SCT`` (the squares that touch it), or a grid reference
        such as ``NT``, the letters of a 100 km square.

    Raises
    ------
    WrongUse
        If there is none of this name.
    """
    east, north = np.arange(500.0, grid.WIDTH, 1000), np.arange(500.0, grid.HEIGHT, 1000)
    every = np.stack(np.meshgrid(east, north), axis=-1).reshape(-1, 2)
    boxes = shapely.box(*(every - _HALF).T, *(every + _HALF).T)
    shapely.prepare(shapes := _shapes(part))
    found = np.logical_or.reduce([shapely.intersects(shape, boxes) for shape in shapes])
    return [(x, y) for x, y in every[found].tolist()]


def _shapes(part: str) -> list[shapely.Geometry]:
    nations = read_boundary().set_index("code").geom.to_dict()
    named = {ALL: [shapely.box(0, 0, grid.WIDTH, grid.HEIGHT)], LAND: [*nations.values()]}
    named |= {code: [nation] for code, nation in nations.items()}
    try:
        return named[part] if part in named else [BNGReference(part).bng_to_grid_geom()]
    except BNGReferenceError:
        raise WrongUse(
            f'There is no part "{part}".',
            f"a nation ({', '.join(nations)}), the letters of a 100 km "
            f"square such as NT, or nothing for all squares that touch land",
        ) from None
