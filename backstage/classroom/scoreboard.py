"""The scoreboard of the wall: what each machine did and where, as the tables say it at this moment.

A look and a map read all rows: 0.6 s for the 250,000 squares of the country, 2.5 s for all 910,000.
"""

from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.rows import dict_row

from backstage.classroom.raster import By, colour
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
    SELECT name, string_agg(int4send(square), '')
    FROM (SELECT DISTINCT ON (square)
                 square, CASE WHEN %(by)s = 'machine' THEN machine ELSE style_cat END AS name
          FROM (SELECT floor(y / 1000)::int * 700 + floor(x / 1000)::int AS square, *
                FROM geopython.grid_squares WHERE x >= 0 AND x < 700000 AND y >= 0 AND y < 1300000) AS done
          ORDER BY square, CASE WHEN %(by)s = 'nation' THEN array_position(%(codes)s, style_cat) END,
                   processed_at DESC) AS once
    GROUP BY name
"""
"""The numbers of the squares of each machine or nation, as bytes; each square once.

A worker may claim any point, so what is off the grid counts, but has no square.
"""


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
        zeros too. A machine's own: ``machine``, its account, ``colour``, ``done``, ``rate``, ``share``, its
        part of all rows in percent, ``retries`` and ``failures`` in the task log, and ``seen``, the seconds
        since it wrote anything.

    Raises
    ------
    psycopg.Error
        If the database does not answer.
    """
    with _connect(database_url) as database:
        machines = database.cursor(row_factory=dict_row).execute(_MACHINES, {"seconds": SECONDS}).fetchall()
        nations = {code: number for code, number in database.execute(_NATIONS)}
    return {
        "done": sum(line["done"] for line in machines),
        "rate": sum(line["rate"] for line in machines),
        "machines": [line | {"colour": colour(line["machine"])} for line in machines],
        "nations": [
            {"name": name, "colour": its, "done": nations.get(code, 0)}
            for code, (name, its) in NATIONS.items()
        ],
    }


def squares(database_url: str, by: By) -> dict[str, NDArray[np.int32]]:
    """Return what `raster.png` draws at this moment; see `look`.

    A square that several machines did is the latest one's. Where several nations hit one, it takes the one
    that `NATIONS` names first, so land goes before sea.
    """
    with _connect(database_url) as database:
        rows = database.execute(_SQUARES, {"by": by, "codes": list(NATIONS)}).fetchall()
    return {name: np.frombuffer(numbers, ">i4") for name, numbers in rows}


def _connect(database_url: str) -> psycopg.Connection:
    return psycopg.connect(database_url.replace("+psycopg", ""), connect_timeout=3, options=_OPTIONS)
