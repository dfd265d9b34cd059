"""What is on the wall: the scoreboard, what waits, and when it will be done; worked out while a page asks."""

import time
from threading import Thread
from typing import Any

import psycopg
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError

from backstage.classroom import central, fill
from backstage.classroom.raster import By
from backstage.classroom.scoreboard import Scoreboard
from backstage.stack.central_config import opened
from backstage.stack.site import Site
from backstage.stack.status import running, running_site

_DAY = 86_400

_NOT_RUNNING = "The services do not run on this machine. Next: workshop up. This page goes on by itself."
_SILENT = "{} does not answer. This page goes on by itself."


def site() -> Site | None:
    """Return whose squares are shown: the central's if one runs on this machine, else its own, if any."""
    return central.site() if opened() and running() else running_site()


class Wall:
    """What is on the wall: words and numbers for a page, and the map.

    A look is in a thread of its own, since a service that is silent may hold it up.
    """

    def __init__(self) -> None:
        self._site: Site | None = None
        self._scoreboard = Scoreboard("")
        self._counted: dict[str, Any] = {}
        self._latest: dict[str, Any] = {"trouble": "Counting all squares so far ..."}
        self._looked, self._thread = 0.0, Thread()

    def latest(self) -> dict[str, Any]:
        """Return at once what is on the wall, with its age in seconds, and have it worked out anew."""
        if not self._thread.is_alive():
            self._thread = Thread(target=self._look, name="wall", daemon=True)
            self._thread.start()
        return self._latest | {"age": round(time.monotonic() - self._looked, 1)}

    def png(self, by: By) -> bytes:
        """Return the map."""
        return self._scoreboard.raster.png(by)

    def _look(self) -> None:
        found = site()
        if found != self._site:
            self._site, self._counted = found, {}
            self._scoreboard = Scoreboard(found.database_url if found else "")
        self._latest = self._ask(found) if found else {"trouble": _NOT_RUNNING}
        self._looked = time.monotonic()

    def _ask(self, site: Site) -> dict[str, Any]:
        """Ask both services; what PostGIS does not say now stays as it was, and a sentence says so."""
        waiting, unfed, trouble = None, 0, []
        try:
            waiting = fill.waiting(site.broker_url)
        except (OSError, AMQPError, KombuError):
            trouble.append(_SILENT.format("RabbitMQ"))
        try:
            self._counted = self._scoreboard.look()
            unfed = fill.unfed(site.database_url)
        except psycopg.Error:
            trouble.append(_SILENT.format("PostGIS"))
        todo = 0 if waiting is None else waiting + unfed
        return self._counted | {
            "source": "Central" if site.central else "This machine",
            "waiting": waiting,
            "left": seconds_left(todo, self._counted.get("rate", 0)),
            "trouble": " ".join(trouble),
        }


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
