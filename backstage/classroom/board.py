"""What is on a page of squares at this moment: the same for the wall of a class and for the panel of one run.

A board holds one number for each square of the grid, and knows since which of its versions the square has it.
So a page that saw a version gets what is new since, however many pages there are. A look reads all rows anew,
so that none is missed, however late its statement ended. What it costs says how soon the next one may be
(`backstage.classroom.wall_page`).
"""

import math
import time
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray

from workshop.colours import NATIONS, colour
from workshop.database import engine
from workshop.raster import COLUMNS, ROWS, By, png

SECONDS = 10
"""A rate is that of so many seconds, or of those since the first look; what was done before is no rate."""

_DAY = 86_400
Who = Literal["machine", "worker"]
"""Who did a square: the account that wrote it, or what the worker calls itself."""

_CODES = list(NATIONS)
_NATIONS = len(_CODES) + 1

_ROWS = """
    SELECT {who}, style_cat, count(*), 0, 0, extract(epoch FROM now() - max(processed_at))::float8,
           string_agg(int4send(floor(y / 1000)::int * 700 + floor(x / 1000)::int)
                      || timestamptz_send(processed_at), '') FILTER (WHERE inside)
    FROM (SELECT *, x >= 0 AND x < 700000 AND y >= 0 AND y < 1300000 AS inside
          FROM geopython.grid_squares {where}) AS every
    GROUP BY 1, 2
    UNION ALL
    SELECT {who}, NULL, 0, count(*) FILTER (WHERE state = 'RETRY'), count(*) FILTER (WHERE state = 'FAILURE'),
           extract(epoch FROM now() - max(at))::float8, NULL
    FROM geopython.task_log {where} GROUP BY 1
"""
"""Numbers and times of squares, as bytes. A worker may claim any point: what is off the grid only counts."""


@dataclass
class Doer:
    """What the tables say of a machine or a worker; `at` is when it wrote last, on the monotonic clock."""

    done: int = 0
    retries: int = 0
    failures: int = 0
    at: float = -math.inf

    @property
    def seen(self) -> float:
        """How many seconds ago it wrote last."""
        return time.monotonic() - self.at


class Board:
    """Squares, who did them, and how fast. A look calls `read` and says it in words; pages ask for `frame`.

    Parameters
    ----------
    run : str
        Which run of tasks, for a board that shows one.

    Attributes
    ----------
    who : list of str
        Machines or workers with squares, in the order in which they came.
    doers : dict of Doer
        Those that the tables name now, by name.
    nations : dict of int
        The number of rows of each nation, by its code.
    words : dict
        What a frame says besides the squares; see ``page/wall.js``.
    """

    def __init__(self, run: str = "") -> None:
        self.run, self._land = run, _land()  # it takes a second, in which no frame has to wait
        self.who: list[str] = []
        self.doers: dict[str, Doer] = {}
        self.nations: dict[str, int] = {}
        self.words: dict[str, Any] = {"trouble": ""}
        self.clear()

    def clear(self) -> None:
        """Begin anew: pages forget what they have."""
        self._name, self._version = uuid4().hex[:8], 0
        self._squares = np.zeros(COLUMNS * ROWS, np.int32)
        self._since = self._squares.copy()
        self._looks: deque[tuple[float, Mapping[str, int]]] = deque()

    def read(self, database_url: str, who: Who = "machine", tasks: list[UUID] | None = None) -> None:
        """Read all rows, or some more. A square is that of who did it last, but land goes before sea.

        Parameters
        ----------
        database_url : str
            The database, with an account that may read both tables.
        who : {'machine', 'worker'}
            See `Who`.
        tasks : list of UUID, optional
            Only the rows of these tasks, beside those that are shown.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            If the database does not answer.
        """
        query = _ROWS.format(who=who, where="" if tasks is None else "WHERE task_id = ANY(%(tasks)s)")
        with engine(database_url).connect() as connection:
            connection.exec_driver_sql("SET statement_timeout = '8s'")  # what locks the tables, the page says
            rows = connection.exec_driver_sql(query, None if tasks is None else {"tasks": tasks}).all()
        if tasks is None:
            self.doers, self.nations = {}, {}
        old, now = np.flatnonzero(self._squares * (tasks is not None)), time.monotonic()
        drawn = [np.array([old, np.full(len(old), -(2**61)), self._squares[old]])]  # between sea and land
        for name, code, done, retries, failures, seen, squares in rows:
            doer = self.doers.setdefault(name, Doer())
            doer.done, doer.at = doer.done + done, max(doer.at, now - max(seen, 0))
            doer.retries, doer.failures = doer.retries + retries, doer.failures + failures
            if code:
                self.nations[code] = self.nations.get(code, 0) + done
                each = np.frombuffer(squares or b"", [("place", ">i4"), ("at", ">i8")])
                at = each["at"] - 2**62 * (code == "SEA")  # whatever the time, land is drawn later
                drawn.append(np.array([each["place"], at, np.full(len(at), self.number(name, code))]))
        places, at, numbers = np.concatenate(drawn, axis=1)
        order = np.argsort(at)
        shown = np.zeros(COLUMNS * ROWS, np.int32)
        shown[places[order]] = numbers[order]
        self.show(shown)

    def number(self, who: str, code: str) -> int:
        """Return the number of a square that somebody did in the nation with a code."""
        if who not in self.who:
            self.who.append(who)
        return self.who.index(who) * _NATIONS + _CODES.index(code) + 1

    def show(self, squares: NDArray[np.int32]) -> None:
        """Take a number for each square of the grid, from the south-west row by row; 0 is nobody's."""
        if np.any((squares == 0) & (self._squares > 0)):
            self.clear()
        self._version += 1
        self._since[squares != self._squares] = self._version
        self._squares = squares

    @property
    def done(self) -> dict[str, int]:
        """How many squares each did."""
        return {name: doer.done for name, doer in self.doers.items()}

    def rates(self, done: Mapping[str, int]) -> dict[str, float]:
        """Return how many squares each did per second, from what each has done by now."""
        looks, now = self._looks, time.monotonic()
        if looks and any(done.get(name, 0) < before for name, before in looks[-1][1].items()):
            looks.clear()  # it was reset
        looks.append((now, done))
        while len(looks) > 2 and looks[1][0] < now - SECONDS:
            looks.popleft()
        at, before = looks[0]
        return {name: (number - before.get(name, 0)) / ((now - at) or 1) for name, number in done.items()}

    def frame(self, by: By, since: str) -> dict[str, Any]:
        """Return what a page shows.

        Parameters
        ----------
        by : {'machine', 'nation'}
            What colours stand for.
        since : str
            What its last frame named so; empty for a page that shows nothing yet.
        """
        name, _, version = since.partition(".")
        fresh = name != self._name
        new = np.flatnonzero(self._since > (0 if fresh else int(version)))
        keys = self._keys(by, self._squares[new])
        colours = [*map(self.colour, self.who)] if by == "machine" else [its for _, its in NATIONS.values()]
        of = np.unique(keys)[::-1]  # the sea first, below the others
        found = [(colours[key], new[keys == key].tolist()) for key in of]
        frame = {"since": f"{self._name}.{self._version}", "fresh": fresh, "squares": found}
        return self.words | frame | ({"land": self._land} if fresh else {})

    def png(self, by: By) -> bytes:
        """Return the picture of the whole grid; see `workshop.raster.png`."""
        drawn = np.flatnonzero(self._squares)
        keys = self._keys(by, self._squares[drawn])
        names = self.who if by == "machine" else _CODES
        return png({names[key]: drawn[keys == key].astype(np.int32) for key in np.unique(keys)}, by)

    def _keys(self, by: By, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        return numbers // _NATIONS if by == "machine" else numbers % _NATIONS - 1

    def colour(self, who: str) -> str:
        """Return whose colour it is."""
        return colour(who)

    def legend(self) -> list[tuple[str, str, str]]:
        """Return name, colour and number of squares of each nation, in words."""
        return [(name, its, f"{self.nations.get(code, 0):,}") for code, (name, its) in NATIONS.items()]

    def row(self, who: str, rate: float, quiet: bool, *more: str) -> dict[str, Any]:
        """Return the row of a machine or a worker in the table."""
        done = self.done.get(who, 0)
        cells = [who, f"{done:,}", f"{rate:,.1f}", part(done, sum(self.done.values())), *more]
        return {"colour": self.colour(who) if who in self.who else "", "cells": cells, "quiet": quiet}


@cache
def _land() -> str:
    return f"data:image/png;base64,{b64encode(png({}, 'nation')).decode()}"


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


def by_number(name: str) -> tuple[int, str]:
    """Return by what names are sorted, so that machine2 comes before machine10."""
    return len(name), name


def part(number: int, of: int) -> str:
    """Return a share in percent, never rounded up: 100 % is all."""
    return f"{1000 * number // (of or 1) / 10:.{int(0 < number < of)}f} %"


def ago(seconds: float) -> str:
    """Return a time in words that fit into a column, such as ``12 s``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{min(seconds / 3600, 999):.0f} h"
