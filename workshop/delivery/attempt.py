"""Who runs a task now: read from Celery in this one place."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from celery import current_task

ERRORS = "known_errors"
"""The message header that counts how often a task asked for a retry."""


@dataclass(frozen=True)
class Attempt:
    """One run of one task.

    Attributes
    ----------
    task_id : uuid.UUID
        Celery's id of the task; a fresh one outside a worker.
    worker : str
        The worker's name, such as ``worker1@laptop``; ``direct`` outside a worker.
    number : int
        1 for the first run, 2 for the first retry, and so on.
    errors : int
        How often the task asked for a retry before, because of an error it knows.
    countdown : float, optional
        The seconds that this attempt, asking for a retry, named itself.
    asked : bool
        Whether this attempt has asked for a retry.
    """

    task_id: UUID
    worker: str
    number: int
    errors: int
    countdown: float | None = None
    asked: bool = False


def current_attempt() -> Attempt:
    """Return the attempt that is running in this process."""
    request = current_task.request if current_task else None
    if request is None or request.id is None:
        return Attempt(uuid4(), "direct", 1, 0)
    errors = (request.headers or {}).get(ERRORS, 0)
    number = (request.retries or 0) + 1
    worker, asked = request.hostname or "direct", request.get("asked", False)
    return Attempt(UUID(request.id), worker, number, errors, request.get("countdown"), asked)
