"""The panel's board: the squares of one run of tasks, as the ledger follows it, and what holds it up."""

import math
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from backstage.classroom.board import Board, legend, part, seconds_left
from workshop import live, settings, state_folder
from workshop.delivery import record
from workshop.delivery.ledger import Ledger, follow
from workshop.raster import colour

_WORKS = 3
"""For so many seconds after its last square a worker is said to work."""


_NONE = record.Run("", "", "")


class Panel(Board):
    """The latest run of one process, such as a notebook's kernel.

    Parameters
    ----------
    run : str
        The name of a run, or the part of it that says whose; empty for the latest run of all.
    """

    def __init__(self, run: str) -> None:
        super().__init__()
        self._wanted, self._run = run, _NONE
        self._record: tuple[Any, ...] = ()
        self._follow: Iterator[Ledger] = iter(())

    def look(self) -> None:
        """Ask the ledger what is new; a run that is over is asked no more."""
        try:
            self._find()
            if not self._run.tasks:
                self.words = {"trouble": "No task was sent yet. The panel begins by itself."}
            elif now := next(self._follow, None):
                self._draw(now)
                self._say(now)
        except Exception:
            self._record = ()  # the next look begins with the whole run
            raise

    def _find(self) -> None:
        """Look for the run, and for what was added to it, if the record has grown."""
        path = state_folder.state_dir() / record.FILE
        size = (path.stat().st_ino, path.stat().st_size) if path.exists() else ()
        now = (settings.broker_url(), *size)  # what was sent elsewhere is not looked for here
        if now == self._record:
            return
        moved, self._record = now[:1] != self._record[:1], now
        every = [run for run in record.runs() if self._wanted in ("", run.id, run.id.partition("-")[0])]
        every = [run for run in every if run.tasks]
        before, self._run = self._run, every[-1] if every else _NONE
        if self._run.id != before.id:
            self.clear()
            self._drawn: set[str] = set()
            self._done, self._nations = Counter[str](), Counter[str]()
            self._seen: dict[str, float] = {}
            self._first: tuple[float, int] | None = None
        if moved or len(self._run.tasks) != len(before.tasks) or self._run.id != before.id:
            self._follow = follow(self._run.tasks, math.inf)

    def _draw(self, now: Ledger) -> None:
        new, joined, squares = now.rows.keys() - self._drawn, settings.joined(), self.squares()
        for machine, worker, code, square in live.read_places(new) if new else ():
            who = machine if joined else worker
            self._done[who] += 1
            self._nations[code] += 1
            self._seen[who] = time.monotonic()
            if code != "SEA" or not squares[square]:
                squares[square] = self.number(who, code)
        self._drawn |= new
        self.show(squares)

    def _say(self, now: Ledger) -> None:
        at, ended = live.count(now), len(now.published) - len(now.open)
        self._first = self._first or (time.monotonic(), ended)
        rates = self.rates({**self._done, "": ended})
        so_far = (ended - self._first[1]) / ((time.monotonic() - self._first[0]) or 1)
        self.words = {
            "title": f"{self._run.source}: {100 * ended // (at.sent or 1)} %",
            "bar": (ended, at.sent),
            "totals": [
                ("done", f"{at.done:,} of {at.sent:,}"),
                ("waiting", f"{at.waiting:,}"),
                ("running", f"{at.running:,}"),
                ("due for a retry", f"{at.due:,}"),
                ("retries", f"{at.retried:,}"),
                ("failed", f"{at.failed:,}"),
                ("per second", f"{rates['']:.1f}" if now.open else "–"),
                ("so far", f"{so_far:.1f}"),
            ],
            "left": seconds_left(len(now.open), rates[""]),
            "legend": legend(self._nations),
            "heads": ["machine" if settings.joined() else "worker", "squares", "per s", "share", "now"],
            "rows": self._rows(rates, bool(now.open)),
            "trouble": _trouble(now),
            "over": now.answered and not now.open,
        }

    def _rows(self, rates: dict[str, float], at_work: bool) -> list[dict[str, Any]]:
        kind, now, total = "machine" if settings.joined() else "worker", time.monotonic(), self._done.total()
        services = state_folder.services().items()
        states = {name: each["state"] for name, each in services if name.startswith(kind)}
        idle = states.keys() - {who.partition("@")[0] for who in self._done}
        rows = []
        for who in sorted([*self._done, *idle], key=lambda name: (len(name), name)):
            works = at_work and now - self._seen.get(who, -_WORKS) < _WORKS
            state = "works" if works else states.get(who.partition("@")[0], "quiet")
            numbers = f"{self._done[who]:,}", f"{rates.get(who, 0):.1f}", part(self._done[who], total)
            its = self.colour(who) if who in self.who else ""
            rows.append({"colour": its, "cells": [who, *numbers, state], "quiet": not works})
        return rows

    def colour(self, who: str) -> str:
        """Return a machine's colour; that of workers is by the order in which they came."""
        return super().colour(who) if settings.joined() else colour(f"machine{self.who.index(who) + 1}")


def _trouble(now: Ledger) -> str:
    said = live.not_ready().removeprefix("; ")
    if not now.answered:
        said = f"RabbitMQ or PostGIS does not answer. This goes on by itself. {said}"
    if now.paused:
        said += f" The workers pause for {now.paused:.0f} s."
    for number, what in ((len(now.missing), "missing"), (len(now.unsent), "not sent")):
        said += f" {number:,} tasks are {what}. Next: workshop ledger." if number else ""
    return said.strip() + (f" {len(now.elsewhere):,} were sent to another queue." if now.elsewhere else "")
