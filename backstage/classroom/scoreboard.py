"""The scoreboard of the wall: what each machine did, counted anew each second from few rows.

What is older than ten seconds is counted once and kept; later rows may still be on their way into the
tables, so they are counted at each look. To draw a square again changes nothing. A look costs the same
however many squares there are; only the first one reads them all.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from backstage.classroom.raster import Raster, colour
from workshop.maps import NATIONS

SECONDS = 10
"""After so many seconds a row is settled: a statement ends within 4 s. A rate is that of these seconds."""

_OPTIONS = "-c statement_timeout=4s -c jit=off"
"""Whatever locks the tables, the wall says it; JIT takes longer than it saves."""

_EVER = datetime(1, 1, 1, tzinfo=UTC)
_TABLES = """
    SELECT now(), array_agg(pg_relation_filenode(name) || ' ' || pg_stat_get_tuples_deleted(name))
    FROM (VALUES ('geopython.grid_squares'::regclass), ('geopython.task_log')) AS tables (name)
"""
"""The time; then what differs after either table was emptied, made anew, or lost a row."""

_ROWS = """
    SELECT machine, kind, at <= %(cut)s AS settled, count(*), max(at),
           string_agg(int4send(square) || float8send(date_part('epoch', at)), '')
    FROM (SELECT machine, style_cat AS kind, processed_at AS at,
                 CASE WHEN x >= 0 AND x < 700000 AND y >= 0 AND y < 1300000
                      THEN floor(y / 1000)::int * 700 + floor(x / 1000)::int END AS square
          FROM geopython.grid_squares WHERE processed_at > %(since)s
          UNION ALL
          SELECT machine, state, at, NULL FROM geopython.task_log WHERE at > %(since)s) AS recent
    GROUP BY machine, kind, settled
"""
"""A row for each machine and kind: a nation, with all its squares and their times as bytes, or a log's state.

A worker may claim any point, so what is off the grid counts, but has no square.
"""
_SQUARE = np.dtype([("square", ">i4"), ("time", ">f8")])


class Scoreboard:
    """Counts rows and log lines of one database; from one thread at a time.

    Parameters
    ----------
    database_url : str
        The database, with an account that may read both tables.

    Attributes
    ----------
    raster : Raster
        The squares.
    """

    def __init__(self, database_url: str) -> None:
        self._address = database_url.replace("+psycopg", "")
        self._begin([])

    def _begin(self, tables: list[str]) -> None:
        self._tables, self._since = tables, _EVER
        self._settled: Counter[tuple[str, str]] = Counter()
        self._seen: dict[str, datetime] = {}
        self.raster = Raster()

    def look(self) -> dict[str, Any]:
        """Count up to this moment.

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
            If the database does not answer; the next look goes on where this one began.
        """
        with psycopg.connect(self._address, connect_timeout=3, options=_OPTIONS) as database:
            [(now, tables)] = database.execute(_TABLES).fetchall()
            if tables != self._tables:
                self._begin(tables)
            cut = now - timedelta(seconds=SECONDS)
            rows = database.execute(_ROWS, {"since": self._since, "cut": cut}).fetchall()
        recent: Counter[tuple[str, str]] = Counter()
        for machine, kind, settled, number, latest, squares in rows:
            (self._settled if settled else recent)[machine, kind] += number
            self._seen[machine] = max(latest, self._seen.get(machine, latest))
            if squares:
                found = np.frombuffer(squares, _SQUARE)
                self.raster.add(machine, kind, found["square"], found["time"])
        self._since = cut
        return self._counted(now, recent)

    def _counted(self, now: datetime, recent: Counter[tuple[str, str]]) -> dict[str, Any]:
        counts = self._settled + recent
        nations = {code: sum(counts[machine, code] for machine in self._seen) for code in NATIONS}
        total = sum(nations.values())
        machines = []
        for machine in sorted(self._seen, key=lambda name: (len(name), name)):
            done, late = (sum(each[machine, code] for code in NATIONS) for each in (counts, recent))
            machines.append(
                {
                    "machine": machine,
                    "colour": colour(machine),
                    "done": done,
                    "rate": late / SECONDS,
                    "share": 100 * done / total if total else 0,
                    "retries": counts[machine, "RETRY"],
                    "failures": counts[machine, "FAILURE"],
                    "seen": max((now - self._seen[machine]).total_seconds(), 0),
                }
            )
        return {
            "done": total,
            "rate": sum(line["rate"] for line in machines),
            "machines": machines,
            "nations": [
                {"name": name, "colour": its, "done": nations[code]} for code, (name, its) in NATIONS.items()
            ],
            "side": self.raster.side,
        }
