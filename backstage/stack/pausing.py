"""Lets this machine's workers take no task for a while, by a command that ends by itself."""

from contextlib import suppress

import psycopg
from amqp.exceptions import AMQPError
from kombu.exceptions import OperationalError

from workshop import settings
from workshop.delivery.asking import ask, living
from workshop.errors import WorkshopError
from workshop.kinds import number, valid

_SECONDS = number(0, 3600)


def pause(seconds: float = 60) -> None:
    """Let this machine's workers take no task for a while; what they hold runs on.

    Parameters
    ----------
    seconds : float
        How long; then they go on by themselves. A pause from before is over.

    Raises
    ------
    WorkshopError
        If this machine joined a central queue, if `seconds` is wrong, or if a worker does not answer.
    """
    if settings.joined():
        raise WorkshopError(
            "This machine joined a central queue, where nobody can pause a worker.",
            "workshop leave goes back to its own queue",
        )
    lease = {"seconds": valid(_SECONDS, "seconds", seconds, "pause(60)")}
    with suppress(psycopg.Error, OSError, OperationalError, AMQPError):  # what is away has no workers
        workers = living(settings.database_url())
        options = {"arguments": lease, "timeout": 3, "limit": len(workers) or None}
        answers = ask(settings.broker_url(), "course_pause", **options)
        if workers and workers.keys() <= answers.keys():
            return
    raise WorkshopError("Not every worker answers.", "workshop status")


def resume() -> None:
    """Let this machine's workers go on now, before their pause is over."""
    pause(0)
