"""The scoreboard of the wall: what each machine did, counted anew each second from few rows.

What is older than ten seconds is counted once and kept; later rows may still be on their way into the
tables, so they are counted at each look. A look costs the same however many squares there are; only the
first one reads them all.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import sqlalchemy as sa
from pandas import DataFrame

from backstage.classroom.raster import Raster
from workshop.maps import NATIONS

SECONDS = 10
"""After so many seconds a row is settled: a statement ends within 4 s. A rate is that of these seconds."""

_PATIENCE = 120_000
"""Milliseconds that a look may take. Tasks have 4 s, but the first look at a million rows takes longer."""

_EVER = datetime(1, 1, 1, tzinfo=UTC)
_NOW = sa.text("""
    SELECT now(), array_agg(pg_relation_filenode(name) || ' ' || pg_stat_get_tuples_deleted(name))
    FROM (VALUES ('geopython.grid_squares'::regclass), ('geopython.task_log')) AS tables (name)
""")
"""The second value is another one after either table was emptied, made anew, or lost a row."""

_DONE = sa.text("""
    SELECT machine, style_cat, processed_at <= :cut AS settled, count(*) AS rows,
           max(processed_at) AS latest,
           string_agg(int4send(square) || float8send(date_part('epoch', processed_at)), '') AS squares
    FROM (SELECT machine, style_cat, processed_at,
                 CASE WHEN x >= 0 AND x < 700000 AND y >= 0 AND y < 1300000
                      THEN floor(y / 1000)::int * 700 + floor(x / 1000)::int END AS square
          FROM geopython.grid_squares WHERE processed_at > :since) AS recent
    GROUP BY machine, style_cat, settled ORDER BY machine, style_cat
""")
"""A row for each machine and nation, with all its squares and their times in one string of bytes.

A worker may claim any point, so what is off the grid counts, but has no square.
"""
_LOG = sa.text("""
    SELECT machine, state, at <= :cut AS settled, count(*) AS lines, max(at) AS latest
    FROM geopython.task_log WHERE at > :since GROUP BY machine, state, settled
""")
_SQUARE = np.dtype([("square", ">i4"), ("time", ">f8")])


@dataclass(frozen=True)
class Line:
    """What one machine did.

    Attributes
    ----------
    machine : str
        Its name, that of its account.
    done : int
        Rows that it wrote.
    rate : float
        Of these, per second in the last `SECONDS`.
    share : float
        Of these, its part of all rows: 0 to 1.
    retries, failures : int
        What it wrote into the task log.
    seen : float
        Seconds since it wrote anything.
    """

    machine: str
    done: int
    rate: float
    share: float
    retries: int
    failures: int
    seen: float


@dataclass(frozen=True)
class Standing:
    """What all machines did up to one moment.

    Attributes
    ----------
    lines : list of Line
        One for each machine, in the order of their names.
    nations : dict of str to int
        Rows by the nation's code, in the order of `NATIONS`, with zeros too.
    raster : Raster
        The squares.
    mark : str
        Differs between two looks if the rows do.
    """

    lines: list[Line]
    nations: dict[str, int]
    raster: Raster
    mark: str

    @property
    def done(self) -> int:
        """All rows."""
        return sum(self.nations.values())

    @property
    def rate(self) -> float:
        """Rows per second in the last `SECONDS`."""
        return sum(line.rate for line in self.lines)

    def table(self) -> DataFrame:
        """Return the lines as a table, with the share in percent."""
        lines = DataFrame(self.lines, columns=list(Line.__dataclass_fields__)).set_index("machine")
        return lines.assign(share=(100 * lines["share"]).round(1))


@dataclass
class _Tally:
    done: Counter[str] = field(default_factory=Counter)
    nations: Counter[str] = field(default_factory=Counter)
    log: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen: dict[str, datetime] = field(default_factory=dict)
    raster: Raster = field(default_factory=Raster)

    def copy(self) -> "_Tally":
        return _Tally(
            self.done.copy(), self.nations.copy(), self.log.copy(), self.seen.copy(), self.raster.copy()
        )

    def count(self, done: list[sa.Row], log: list[sa.Row]) -> None:
        for machine, code, _, rows, latest, content in done:
            self.done[machine] += rows
            self.nations[code] += rows
            squares = np.frombuffer(content or b"", _SQUARE)
            self.raster.add(machine, code, squares["square"].astype(int), squares["time"].astype(float))
            self._see(machine, latest)
        for machine, state, _, lines, latest in log:
            self.log[machine, state] += lines
            self._see(machine, latest)

    def _see(self, machine: str, at: datetime) -> None:
        self.seen[machine] = max(at, self.seen.get(machine, at))


class Scoreboard:
    """Counts rows and log lines of one database; from one thread at a time.

    Parameters
    ----------
    database_url : str
        The database, with an account that may read both tables.
    """

    def __init__(self, database_url: str) -> None:
        # JIT takes longer than it saves; an unprepared statement is planned for the few rows that it reads.
        options = f"-c statement_timeout={_PATIENCE} -c jit=off -c application_name=wall"
        self._engine = sa.create_engine(
            database_url,
            pool_size=1,
            connect_args={
                "connect_timeout": 3, "tcp_user_timeout": 4000, "prepare_threshold": None, "options": options
            },
        )  # fmt: skip
        self._tables: list[str] | None = None
        self._looked = 0
        self._begin()

    def _begin(self) -> None:
        self._settled, self._since = _Tally(), _EVER
        self._looked += 1

    def look(self) -> Standing:
        """Count up to this moment.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If the database does not answer; the next look goes on where this one began.
        """
        with self._engine.begin() as connection:
            now, tables = connection.execute(_NOW).one()
            if tables != self._tables:
                self._begin()
                self._tables = tables
            cut = now - timedelta(seconds=SECONDS)
            limits = {"since": self._since, "cut": cut}
            done = connection.execute(_DONE, limits).all()
            log = connection.execute(_LOG, limits).all()
        self._settled.count([row for row in done if row.settled], [row for row in log if row.settled])
        self._since = cut
        tally = self._settled.copy()
        recent = [row for row in done if not row.settled]
        tally.count(recent, [row for row in log if not row.settled])
        rates: Counter[str] = Counter()
        for row in recent:
            rates[row.machine] += row.rows
        return self._standing(tally, rates, now)

    def _standing(self, tally: _Tally, recent: Counter[str], now: datetime) -> Standing:
        total = sum(tally.done.values())
        lines = [
            Line(
                machine,
                tally.done[machine],
                recent[machine] / SECONDS,
                tally.done[machine] / total if total else 0.0,
                tally.log[machine, "RETRY"],
                tally.log[machine, "FAILURE"],
                max((now - tally.seen[machine]).total_seconds(), 0.0),
            )
            for machine in sorted(tally.seen, key=lambda name: (len(name), name))
        ]
        nations = {code: tally.nations[code] for code in NATIONS}
        return Standing(lines, nations, tally.raster, f"{self._looked}-{total}")

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()
