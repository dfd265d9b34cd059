"""What is on the wall: the scoreboard, what waits, and when it will be done; and the map."""

from typing import Any

import psycopg
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError

from backstage.classroom import fill, raster, scoreboard
from backstage.classroom.raster import By
from backstage.stack.central_config import opened
from backstage.stack.site import Site
from backstage.stack.status import running_site
from workshop.delivery.ledger import tasks_in_queue

_DAY = 86_400

_NOT_RUNNING = "The services do not run on this machine. Next: workshop up. This page goes on by itself."
_SILENT = "{} does not answer. This page goes on by itself."


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
        counted, unfed = scoreboard.look(here.database_url), fill.unfed(here.database_url)
    except psycopg.Error:
        trouble.append(_SILENT.format("PostGIS"))
    todo = 0 if waiting is None else waiting + unfed
    return counted | {
        "source": "Central" if here.central else "This machine",
        "waiting": waiting,
        "left": seconds_left(todo, counted.get("rate", 0)),
        "trouble": " ".join(trouble),
    }


def png(by: By) -> bytes:
    """Return the map; an empty one if no services run."""
    here = site()
    return raster.png(scoreboard.squares(here.database_url, by) if here else {}, by)


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
