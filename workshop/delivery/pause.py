"""A pause of this machine's workers, so that one can see messages wait in the queue.

It is a lease: the workers go on by themselves when it is over, even if nobody is there to say so.
"""

from typing import Any

from celery.worker.control import control_command

from workshop import settings
from workshop.delivery.presence import living
from workshop.delivery.report import ask
from workshop.errors import WorkshopError


@control_command()
def course_pause(state: Any, seconds: float, **_: Any) -> dict[str, float]:
    """Let this worker take no task for so many seconds."""
    state.consumer.pause(seconds)
    return {"paused": seconds}


def pause(seconds: float = 60) -> None:
    """Let this machine's workers take no task for a while; what they hold runs on.

    Parameters
    ----------
    seconds : float
        How long; then they go on by themselves. A pause from before is over.

    Raises
    ------
    WorkshopError
        If this machine joined a central queue, or a worker does not answer.
    """
    if settings.joined():
        raise WorkshopError(
            "This machine joined a central queue, where nobody can pause a worker.",
            "workshop leave goes back to its own queue",
        )
    workers = living(settings.database_url())
    options = {"arguments": {"seconds": seconds}, "timeout": 3, "limit": len(workers) or None}
    silent = workers.keys() - ask(settings.broker_url(), "course_pause", **options).keys()
    if silent or not workers:
        raise WorkshopError(f"{', '.join(sorted(silent)) or 'No worker'} does not answer.", "workshop status")


def resume() -> None:
    """Let this machine's workers go on now, before their pause is over."""
    pause(0)
