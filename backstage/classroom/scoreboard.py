"""The scoreboard of the wall: what each machine did and where, as the tables say it at this moment.

Each look reads all rows, which takes PostgreSQL 0.3 s for the 250,000 squares of the country.
"""

from typing import Any

import numpy as np
import psycopg
from psycopg.rows import dict_row

from backstage.classroom.raster import Raster, colour, side_for
from workshop.maps import NATIONS

SECONDS = 10
"""A rate is that of so many seconds."""

_OPTIONS = "-c statement_timeout=8s -c jit=off"
"""Whatever locks the tables, the wall says it; JIT takes longer than it saves."""

_MACHINES = """
    SELECT machine, count(square) AS done,
           count(square) FILTER (WHERE at > now() - %(seconds)s * interval '1 s') / %(seconds)s::real AS rate,
           coalesce(100 * count(square) / nullif(sum(count(square)) OVER (), 0), 0)::float8 AS share,
           count(*) FILTER (WHERE state = 'RETRY') AS retries,
           count(*) FILTER (WHERE state = 'FAILURE') AS failures,
           greatest(extract(epoch FROM now() - max(at)), 0)::float8 AS seen
    FROM (SELECT machine, processed_at AS at, 1 AS square, NULL AS state FROM geopython.grid_squares
          UNION ALL
          SELECT machine, at, NULL, state FROM geopython.task_log) AS work
    GROUP BY machine ORDER BY length(machine), machine
"""
_NATIONS = "SELECT style_cat, count(*) FROM geopython.grid_squares GROUP BY style_cat"
_SQUARES = """
    SELECT machine, style_cat, string_agg(int4send(floor(y / 1000)::int * 700 + floor(x / 1000)::int)
                                          || float8send(extract(epoch FROM processed_at)::float8), '')
    FROM geopython.grid_squares WHERE x >= 0 AND x < 700000 AND y >= 0 AND y < 1300000
    GROUP BY machine, style_cat
"""
"""A row for each machine and nation, with the numbers of its squares and their times as bytes.

A worker may claim any point, so what is off the grid counts, but has no square.
"""
_SQUARE = np.dtype([("square", ">i4"), ("time", ">f8")])


def look(database_url: str) -> dict[str, Any]:
    """Count what is there at this moment.

    Parameters
    ----------
    database_url : str
        The database, with an account that may read both tables.

    Returns
    -------
    dict
        What the page shows. ``done`` are all rows and ``rate`` those per second in the last `SECONDS`;
        ``machines`` is a list in the order of their names and ``nations`` one in that of `NATIONS`, with
        zeros too; ``side`` is that of a square in the map. A machine's own: ``machine``, its account,
        ``colour``, ``done``, ``rate``, ``share``, its part of all rows in percent, ``retries`` and
        ``failures`` in the task log, and ``seen``, the seconds since it wrote anything.

    Raises
    ------
    psycopg.Error
        If the database does not answer.
    """
    with _connect(database_url) as database:
        machines = database.cursor(row_factory=dict_row).execute(_MACHINES, {"seconds": SECONDS}).fetchall()
        nations = {code: number for code, number in database.execute(_NATIONS)}
    done = sum(line["done"] for line in machines)
    return {
        "done": done,
        "rate": sum(line["rate"] for line in machines),
        "machines": [line | {"colour": colour(line["machine"])} for line in machines],
        "nations": [
            {"name": name, "colour": its, "done": nations.get(code, 0)}
            for code, (name, its) in NATIONS.items()
        ],
        "side": side_for(done),
    }


def squares(database_url: str) -> Raster:
    """Return the map of all squares at this moment; see `look`."""
    raster = Raster()
    with _connect(database_url) as database:
        for machine, code, found in database.execute(_SQUARES):
            each = np.frombuffer(found, _SQUARE)
            raster.add(machine, code, each["square"], each["time"])
    return raster


def _connect(database_url: str) -> psycopg.Connection:
    return psycopg.connect(database_url.replace("+psycopg", ""), connect_timeout=3, options=_OPTIONS)
