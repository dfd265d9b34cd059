"""Which squares belong to a part of the grid, and which of them were fed: one query of PostGIS.

The nations are cut into small pieces first, each with a grid of its own: so the whole country takes seconds.
"""

import warnings

import psycopg

from workshop import grid
from workshop.db import CODES
from workshop.errors import WrongUse

with warnings.catch_warnings():  # osbng turns on every warning of the program that imports it
    from osbng import BNGReference
    from osbng.errors import BNGReferenceError

Point = tuple[float, float]
"""An easting and a northing in metres (EPSG:27700)."""

LAND, ALL = "land", "all"
"""Parts of the grid by name: the squares that touch a nation, and all 910,000."""

# A square is taken a millimetre smaller: a neighbour's edge is not its own.
_SQUARES = f"""
WITH squares AS (
    SELECT DISTINCT x, y
    FROM (SELECT ST_Subdivide(geom, 64) FROM geopython.uk_boundary WHERE %(part)s IN (code, '{LAND}')
          UNION ALL SELECT ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 27700)
         ) AS shapes (shape),
        ST_SquareGrid(1000, shape) AS square,
        LATERAL (SELECT i * 1000 + 500::float8 AS x, j * 1000 + 500::float8 AS y) AS centre
    WHERE x BETWEEN 0 AND {grid.WIDTH} AND y BETWEEN 0 AND {grid.HEIGHT}
        AND ST_Intersects(shape, ST_MakeEnvelope(x - 499.999, y - 499.999, x + 499.999, y + 499.999, 27700)))
SELECT x, y, task_id IS NOT NULL FROM squares LEFT JOIN geopython.fill_tasks USING (x, y) ORDER BY random()
"""


def squares(database: psycopg.Connection, part: str) -> list[tuple[float, float, bool]]:
    """Return the centres of a part's squares (metres, EPSG:27700), shuffled, and whether each was fed.

    Parameters
    ----------
    database : psycopg.Connection
        The central's database.
    part : str
        ``land``, ``all``, a nation's code such as ``SCT`` (the squares that touch it), or a grid reference
        such as ``NT``, the letters of a 100 km square.

    Raises
    ------
    WrongUse
        If there is none of this name.
    """
    box = dict(zip(("west", "south", "east", "north"), _box(part), strict=True))
    return database.execute(_SQUARES, {"part": part} | box).fetchall()


def _box(part: str) -> tuple[float | None, ...]:
    """Return west, south, east and north of a part that is a box, four times None for a nation's or land."""
    *nations, _ = CODES
    if part in (LAND, *nations):
        return (None,) * 4
    try:
        return (
            (0, 0, grid.WIDTH, grid.HEIGHT) if part == ALL else BNGReference(part).bng_to_grid_geom().bounds
        )
    except BNGReferenceError:
        raise WrongUse(
            f'There is no part "{part}".',
            f"a nation ({', '.join(nations)}), the letters of a 100 km square "
            "such as NT, or nothing for all squares that touch land",
        ) from None
