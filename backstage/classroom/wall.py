"""What the wall shows, worked out once a second for all browsers, and only while one looks."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cache
from threading import Event, Lock, Thread
from typing import Any

import psycopg
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from sqlalchemy.exc import SQLAlchemyError

from backstage.classroom import fill
from backstage.classroom.raster import By, Raster, colour
from backstage.classroom.scoreboard import Scoreboard, Standing
from backstage.stack.status import CENTRAL, running, running_site
from workshop.maps import NATIONS

EVERY = 1.0
"""Seconds from one frame to the next, unless it takes half of that or more to work one out."""

_WATCHED = 5
"""Seconds after which a browser that asked for nothing looks no more."""

_DAY = 86_400

_NOT_RUNNING = "The services do not run on this machine. Next: workshop up. This page goes on by itself."
_SILENT = "{} does not answer. This page goes on by itself."


@dataclass(frozen=True)
class Source:
    """The services that are shown: those of the central if one runs on this machine, else its own.

    Attributes
    ----------
    name : str
        Whose they are, in words.
    database_url, broker_url : str
        Their addresses, with an account that may look at everything.
    begun : object
        Differs after each start of the stack: then all rows are counted anew.
    central : bool
        Whether it is the central.
    """

    name: str
    database_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    begun: object
    central: bool = False


def source() -> Source | None:
    """Return which services are shown now; None if none run."""
    if central := running(CENTRAL):
        return Source(
            "Central", central["database_url"], central["broker_url"], central["born"], central=True
        )
    stack, site = running(), running_site()
    if not stack or not site:
        return None
    return Source("This machine", site.database_url, site.broker_url, stack.get("born"))


class Frame:
    """What all browsers see at one moment.

    Parameters
    ----------
    content : dict
        What the page shows in words and numbers.
    raster : Raster
        The squares.
    """

    def __init__(self, content: dict[str, Any], raster: Raster) -> None:
        self.content, self.made = content, time.monotonic()
        self._raster, self._lock = raster, Lock()
        self._draw = cache(raster.png)

    def json(self) -> bytes:
        """Return the words and numbers, with the frame's age in seconds."""
        return json.dumps(self.content | {"age": round(time.monotonic() - self.made, 1)}).encode()

    def png(self, by: By) -> bytes:
        """Return the map, drawn once for all who ask."""
        with self._lock:
            return self._draw(by)


class Frames:
    """Works out frames in a thread of its own, for as long as someone asks for them.

    Parameters
    ----------
    find : callable
        Returns which services to show.
    """

    def __init__(self, find: Callable[[], Source | None] = source) -> None:
        self._find = find
        self._source: Source | None = None
        self._scoreboard: Scoreboard | None = None
        self._latest = Frame({"trouble": "Counting all squares so far ..."}, Raster())
        self._asked, self._wanted, self._ended = 0.0, Event(), Event()
        self._thread = Thread(target=self._run, name="wall frames", daemon=True)
        self._thread.start()

    def latest(self) -> Frame:
        """Return the latest frame at once, and have others worked out."""
        self._asked = time.monotonic()
        self._wanted.set()
        return self._latest

    def end(self) -> None:
        """Let go of the services; a look that still waits for an answer ends with the process."""
        self._ended.set()
        self._wanted.set()
        self._thread.join(1)

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            self._latest = self._next()
            took = time.monotonic() - began
            self._ended.wait(max(EVERY - took, took))
            if time.monotonic() - self._asked > _WATCHED:
                self._wanted.clear()
            self._wanted.wait()
        self._let_go()

    def _next(self) -> Frame:
        """Work out a frame; what can't be known now stays as it was, and the frame says so."""
        trouble, before = [], self._latest
        found = self._find()
        if found != self._source:
            self._let_go()
            self._source, before = found, Frame({}, Raster())
        if found is None:
            return Frame({"trouble": _NOT_RUNNING}, Raster())
        self._scoreboard = self._scoreboard or Scoreboard(found.database_url)
        waiting = None
        try:
            waiting = fill.waiting(found.broker_url)
        except (OSError, AMQPError, KombuError):
            trouble.append(_SILENT.format("RabbitMQ"))
        try:
            standing, unfed = self._scoreboard.look(), fill.unfed(found.database_url)
        except (SQLAlchemyError, psycopg.Error):
            trouble.append(_SILENT.format("PostGIS"))
            kept = before.content | {"waiting": waiting, "end": None, "trouble": " ".join(trouble)}
            return Frame(kept, before._raster)
        words = content(found.name, standing, waiting, unfed)
        return Frame(words | {"trouble": " ".join(trouble)}, standing.raster)

    def _let_go(self) -> None:
        if self._scoreboard:
            with suppress(Exception):
                self._scoreboard.close()
        self._scoreboard = None


def content(name: str, standing: Standing, waiting: int | None, unfed: int = 0) -> dict[str, Any]:
    """Return what the page shows in words and numbers.

    Parameters
    ----------
    name : str
        Whose services they are.
    standing : Standing
        What the machines did.
    waiting : int or None
        Tasks in the queue; None if nobody knows.
    unfed : int
        Tasks that are still to be put there.
    """
    todo = None if waiting is None else waiting + unfed
    left = todo / standing.rate if todo and standing.rate else None
    return {
        "source": name,
        "done": standing.done,
        "rate": standing.rate,
        "waiting": waiting,
        "left": left,
        "end": None if left is None or left > _DAY else f"{datetime.now() + timedelta(seconds=left):%H:%M}",
        "machines": [asdict(line) | {"colour": colour(line.machine)} for line in standing.lines],
        "nations": [
            {"name": NATIONS[code][0], "colour": NATIONS[code][1], "done": done}
            for code, done in standing.nations.items()
        ],
        "side": standing.raster.side,
        "picture": standing.mark,
    }
