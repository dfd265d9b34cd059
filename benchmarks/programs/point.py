"""What a task does in every program but the course's own: a point becomes a row of `grid_squares`.

It is one statement on a connection that stays open, without a transaction around it: nobody else is measured
with more than the work needs.
"""

import os
import threading
from uuid import UUID, uuid4

import psycopg

STATEMENT = """
    INSERT INTO geopython.grid_squares (task_id, grid_ref, x, y, worker, attempt, style_cat, geom)
    SELECT %(task_id)s, %(grid_ref)s, %(x)s, %(y)s, %(worker)s, 1,
           coalesce((SELECT min(code) FROM geopython.uk_boundary
                     WHERE ST_Intersects(geom, ST_SetSRID(ST_Point(%(x)s, %(y)s), 27700))), 'SEA'),
           ST_MakeEnvelope(%(west)s, %(south)s, %(west)s + 1000, %(south)s + 1000, 27700)
"""
"""Finds the nation at a point, and writes the square around it; every place in it has a name."""

_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
"""Of the squares of 500 and 100 km, row by row from the north; the grid begins in S, in the south-west."""

_thread = threading.local()


def reference(x: int, y: int) -> str:
    """Return the reference of the 1 km square around a point in metres (EPSG:27700), such as ``NT2573``."""
    first = 17 + x // 500_000 - 5 * (y // 500_000)
    second = 20 + x % 500_000 // 100_000 - 5 * (y % 500_000 // 100_000)
    return f"{_LETTERS[first]}{_LETTERS[second]}{x % 100_000 // 1000:02}{y % 100_000 // 1000:02}"


def row(x: int, y: int, worker: str, task_id: UUID | None = None) -> dict[str, object]:
    """Return the values of `STATEMENT`.

    Parameters
    ----------
    x, y : int
        The point, in metres (EPSG:27700).
    worker : str
        Which program writes the row.
    task_id : uuid.UUID, optional
        The row's key; by default a fresh one.
    """
    return {
        "task_id": task_id or uuid4(),
        "grid_ref": reference(x, y),
        "x": x,
        "y": y,
        "west": x // 1000 * 1000,
        "south": y // 1000 * 1000,
        "worker": worker,
    }


def store(x: int, y: int, worker: str) -> None:
    """Write the square around a point, over this thread's own connection."""
    if not hasattr(_thread, "connection"):
        url = os.environ["BENCH_DATABASE_URL"].replace("+psycopg", "")
        _thread.connection = psycopg.connect(url, autocommit=True)
    _thread.connection.execute(STATEMENT, row(x, y, worker))
