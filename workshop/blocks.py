"""One task for a whole block of squares: fewer messages, and one statement for all its rows.

What surrounds a task's own work, its message above all, costs more than the work on one square. All rows of a
block are written, or none; a task that runs twice writes them once.
"""

import sys
import time

from workshop import db, grid, settings
from workshop.database import fetch
from workshop.delivery.task import current_attempt
from workshop.service import ServiceError, is_faulty
from workshop.tasks import AppBaseTask, application

STORE_BLOCK = """
    WITH land AS MATERIALIZED (
        SELECT code, ST_ClipByBox2D(geom, block) AS part
        FROM geopython.uk_boundary,
             ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 27700) AS block
        WHERE geom && block
    ), stored AS (
        INSERT INTO geopython.grid_squares (task_id, grid_ref, style_cat, x, y, geom, worker, attempt)
        SELECT %(task_id)s,
               %(letters)s || to_char(x / 1000 %% 100, 'FM00') || to_char(y / 1000 %% 100, 'FM00'),
               coalesce((SELECT min(code) FROM land WHERE ST_Intersects(part, centre)), 'SEA'),
               x + 500, y + 500, ST_MakeEnvelope(x, y, x + 1000, y + 1000, 27700),
               %(worker)s, %(attempt)s
        FROM generate_series(%(west)s::int, %(east)s::int - 1, 1000) AS x,
             generate_series(%(south)s::int, %(north)s::int - 1, 1000) AS y,
             ST_SetSRID(ST_Point(x + 500, y + 500), 27700) AS centre
        WHERE EXISTS (SELECT FROM geopython.uk_boundary)
        ON CONFLICT DO NOTHING
    )
    SELECT EXISTS (SELECT FROM geopython.uk_boundary)
"""
"""Writes the rows of a block in one round trip, and says whether there are any nations.

Each nation is cut to the block first. What is left of it is empty in the open sea, a rectangle inland, and a
few corners on a coast: so that the look at each square costs next to nothing.
"""


@application.task(
    name="workshop.blocks.do_block",  # also when this module runs as a program
    base=AppBaseTask,
    max_retries=3,
    soft_time_limit=5,
    autoretry_for=(ServiceError,),
)
def do_block(x: float, y: float, km: int = 10) -> None:
    """Find the nation at the centre of each 1 km square of a block, and write the squares to PostGIS.

    Parameters
    ----------
    x, y : float
        A point in the block, in metres on the British National Grid (EPSG:27700).
    km : int
        The side of the block: 1, 10 or 100 km, for 1, 100 or 10,000 squares.
    """
    geoprocess(x, y, km)


def geoprocess(x: float, y: float, km: int) -> None:
    """Do the work of `do_block`, as `workshop.service.geoprocess` does that of one square.

    Raises
    ------
    ValueError
        If x or y is not a number on the grid, or there are no such blocks.
    ServiceError
        If the artificial fault strikes.
    workshop.db.BoundaryMissing
        If the nations are not in the database.
    """
    west, south, east, north = grid.block(x, y, km)
    attempt = current_attempt()
    if pace := settings.pace():
        time.sleep(pace / 1000)
    if is_faulty(x, y, attempt.errors):
        raise ServiceError(f"No answer for ({x}, {y}) at attempt {attempt.number}")
    edges = {"west": west, "south": south, "east": east, "north": north}
    who = {"task_id": attempt.task_id, "worker": attempt.worker, "attempt": attempt.number}
    letters = grid.reference(x, y)[:2]  # those of the 100 km square, which no block crosses
    [(nations_there,)] = fetch(STORE_BLOCK, edges | who | {"letters": letters})
    if not nations_there:
        raise db.boundary_missing()


def call_do_block(
    west: int = 0, south: int = 0, east: int = grid.WIDTH, north: int = grid.HEIGHT, km: int = 10
) -> None:
    """Put a task for each block of a part of the grid on the queue; by default 9,100 for all 910,000 squares.

    Parameters
    ----------
    west, south, east, north : int
        The edges of the part, in metres (EPSG:27700); each a multiple of the block's side.
    km : int
        The side of the blocks: 1, 10 or 100 km.
    """
    for y in range(south, north, 1000 * km):
        for x in range(west, east, 1000 * km):
            do_block.delay(x, y, km)


if __name__ == "__main__":
    call_do_block(*map(int, sys.argv[1:]))
