"""What is on the wall: the scoreboard of machines, what waits, and when it will be done; and the map.

A look and a map read all rows: 0.6 s for the 250,000 squares of the country, 2.5 s for all 910,000.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from numpy.typing import NDArray

from backstage.classroom import fill
from backstage.stack.central_config import opened
from backstage.stack.site import Site
from backstage.stack.status import running_site
from workshop import raster
from workshop.database import engine
from workshop.delivery.ledger import tasks_in_queue
from workshop.maps import NATIONS
from workshop.raster import By, colour

SECONDS = 10
"""A rate is that of so many seconds."""

_DAY = 86_400

_NOT_RUNNING = "The services do not run on this machine. Next: workshop up. This page goes on by itself."
_SILENT = "{} does not answer. This page goes on by itself."

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


def site() -> Site | None:
    """Return whose squares are shown: the central's if one runs on this machine, else its own, if any."""
    found, central = running_site(), opened()
    return found.of(central) if found and central else found


def look() -> dict[str, Any]:
    """Return words and numbers for the page; what a silent service would say is left out, and said so."""
    if (here := site()) is None:
        return {"trouble": _NOT_RUNNING}
    waiting, unfed, counted, trouble = None, 0, {}, []
    try:
        waiting = tasks_in_queue(here.broker_url)
    except (OSError, AMQPError, KombuError):
        trouble.append(_SILENT.format("RabbitMQ"))
    try:
        counted, unfed = scoreboard(here.database_url), fill.unfed(here.database_url)
    except sa.exc.DBAPIError:
        trouble.append(_SILENT.format("PostGIS"))
    todo = 0 if waiting is None else waiting + unfed
    return counted | {
        "source": "Central" if here.central else "This machine",
        "waiting": waiting,
        "left": seconds_left(todo, counted.get("rate", 0)),
        "trouble": " ".join(trouble),
    }


def scoreboard(database_url: str) -> dict[str, Any]:
    """Count what each machine did, as the tables say it at this moment.

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
    sqlalchemy.exc.DBAPIError
        If the database does not answer.
    """
    machines = [row._asdict() for row in _ask(database_url, _MACHINES, seconds=SECONDS)]
    nations = dict(map(tuple, _ask(database_url, _NATIONS)))
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
    """Return what `raster.png` draws at this moment.

    A square that several machines did is the latest one's. Where several nations hit one, it takes the one
    that `NATIONS` names first, so land goes before sea.
    """
    rows = _ask(database_url, _SQUARES, by=by, codes=list(NATIONS))
    return {name: np.frombuffer(numbers, ">i4") for name, numbers in rows}


def _ask(database_url: str, query: str, **values: Any) -> Sequence[sa.Row]:
    with engine(database_url).connect() as connection:
        connection.exec_driver_sql(
            "SET statement_timeout = '8s'"
        )  # whatever locks the tables, the wall says it
        return connection.exec_driver_sql(query, values).all()


def png(by: By) -> bytes:
    """Return the map; an empty one if no services run."""
    here = site()
    return raster.png(squares(here.database_url, by) if here else {}, by)


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
