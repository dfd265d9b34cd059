"""The wall's board: all squares of a class or of this machine, who did them, and when all will be done.

A look reads all rows anew, so that none is missed, however late its statement ended. What it costs says how
soon the next one may be (`backstage.classroom.wall_page`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError

from backstage.classroom import fill
from backstage.classroom.board import Board, ago, legend, part, seconds_left
from backstage.stack.central_config import opened
from backstage.stack.site import Site
from backstage.stack.status import running_site
from workshop.database import engine
from workshop.delivery.ledger import tasks_in_queue
from workshop.raster import COLUMNS, ROWS

NOT_RUNNING = "The services do not run on this machine. Next: workshop up. This page goes on by itself."
_SILENT = "{} does not answer. This page goes on by itself."

_SQUARES = """
    SELECT machine, style_cat, count(*), extract(epoch FROM now() - max(processed_at))::float8,
           string_agg(int4send(floor(y / 1000)::int * 700 + floor(x / 1000)::int)
                      || timestamptz_send(processed_at), '') FILTER (WHERE inside)
    FROM (SELECT *, x >= 0 AND x < 700000 AND y >= 0 AND y < 1300000 AS inside
          FROM geopython.grid_squares) AS every
    GROUP BY machine, style_cat
"""
"""Numbers and times of squares, as bytes. A worker may claim any point: what is off the grid only counts."""

_LOG = """
    SELECT machine, count(*) FILTER (WHERE state = 'RETRY'), count(*) FILTER (WHERE state = 'FAILURE'),
           extract(epoch FROM now() - max(at))::float8
    FROM geopython.task_log GROUP BY machine
"""


@dataclass
class Machine:
    """What the tables say of one machine; `seen` is how many seconds ago it wrote anything."""

    done: int = 0
    retries: int = 0
    failures: int = 0
    seen: float = float("inf")


class Wall(Board):
    """The central's squares if a central is open on this machine, else its own."""

    def __init__(self) -> None:
        super().__init__()
        self.machines: dict[str, Machine] = {}
        self.nations: dict[str, int] = {}

    def look(self) -> None:
        """Ask the services; what a silent one would say stays as it was, and the page says so."""
        here, waiting, todo, trouble = site(), None, 0, []
        if here is None:
            self.words["trouble"] = NOT_RUNNING
            return
        try:
            todo = waiting = tasks_in_queue(here.broker_url)
        except (OSError, AMQPError, KombuError):
            trouble.append(_SILENT.format("RabbitMQ"))
        try:
            self.read(here.database_url)
            todo += fill.unfed(here.database_url)
        except sa.exc.DBAPIError:
            trouble.append(_SILENT.format("PostGIS"))
        done = {name: machine.done for name, machine in self.machines.items()}
        rates, total = self.rates(done), sum(done.values())
        rate = sum(rates.values())
        self.words = {
            "title": f"Squares · {'Central' if here.central else 'This machine'}",
            "totals": [
                ("squares done", f"{total:,}"),
                ("per second", f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"),
                ("tasks waiting", "?" if waiting is None else f"{waiting:,}"),
            ],
            "left": waiting and seconds_left(todo, rate),
            "legend": legend(self.nations),
            "heads": ["machine", "done", "per s", "share", "retries", "failed", "seen"],
            "rows": [self._row(name, each, rates[name], total) for name, each in self.machines.items()],
            "trouble": " ".join(trouble),
        }

    def _row(self, name: str, machine: Machine, rate: float, total: int) -> dict[str, Any]:
        share = part(machine.done, total)
        counts = [f"{machine.retries:,}", f"{machine.failures:,}", ago(machine.seen)]
        return {
            "colour": self.colour(name),
            "cells": [name, f"{machine.done:,}", f"{rate:,.1f}", share, *counts],
            "quiet": machine.seen > 10,
        }

    def read(self, database_url: str) -> None:
        """Read all rows. A square that several machines did is the latest one's, but land goes before sea.

        Parameters
        ----------
        database_url : str
            The database, with an account that may read both tables.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            If the database does not answer.
        """
        rows, log = _ask(database_url, _SQUARES), _ask(database_url, _LOG)
        names = sorted({row[0] for row in (*rows, *log)}, key=lambda name: (len(name), name))
        self.machines, self.nations = {name: Machine() for name in names}, {}
        drawn = [np.empty((3, 0), np.int64)]
        for name, code, number, seen, squares in rows:
            machine = self.machines[name]
            machine.done, machine.seen = machine.done + number, min(machine.seen, max(seen, 0))
            self.nations[code] = self.nations.get(code, 0) + number
            each = np.frombuffer(squares or b"", [("place", ">i4"), ("at", ">i8")])
            at = each["at"] - 2**62 * (code == "SEA")  # whatever the time, land is drawn later
            drawn.append(np.array([each["place"], at, np.full(len(at), self.number(name, code))]))
        for name, retries, failures, seen in log:
            machine = self.machines[name]
            machine.retries, machine.failures = retries, failures
            machine.seen = min(machine.seen, max(seen, 0))
        places, at, numbers = np.concatenate(drawn, axis=1)
        order = np.argsort(at)
        shown = np.zeros(COLUMNS * ROWS, np.int32)
        shown[places[order]] = numbers[order]
        self.show(shown)


def site() -> Site | None:
    """Return whose squares are shown: the central's if one runs on this machine, else its own, if any."""
    found, central = running_site(), opened()
    return found.of(central) if found and central else found


def _ask(database_url: str, query: str) -> Sequence[sa.Row]:
    with engine(database_url).connect() as connection:
        connection.exec_driver_sql("SET statement_timeout = '8s'")  # what locks the tables, the wall says
        return connection.exec_driver_sql(query).all()
