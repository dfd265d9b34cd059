"""Writes the task log: one line for each retry and each final failure."""

import logging

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from workshop import db
from workshop.database import execute
from workshop.delivery.attempt import current_attempt

_logger = logging.getLogger(__name__)

ASKED = " (it had asked for a retry)"
"""Ends the error of an attempt that had asked for a retry, when the task's own code caught the Retry."""


def write_task_log(state: str, error: BaseException) -> None:
    """Add a line about the running attempt to the table `task_log`, unless it is there.

    The log never changes what becomes of a task: if the line can't be written, the worker's own log says so.

    Parameters
    ----------
    state : str
        ``RETRY`` or ``FAILURE``.
    error : BaseException
        What ended the attempt.
    """
    if isinstance(error, MemoryError):
        return  # as after the loss of a process, the worker gives the task back, and says when that is enough
    attempt = current_attempt()
    text = f"{type(error).__name__}: {error}".partition("\n[SQL: ")[0][:2000].replace("\0", "")
    line = {
        "task_id": attempt.task_id,
        "state": state,
        "attempt": attempt.number,
        "error": f"{text}{ASKED if state == 'FAILURE' and attempt.asked else ''}",
        "worker": attempt.worker,
        "countdown": attempt.countdown,
    }
    try:
        execute(insert(db.TaskLog).on_conflict_do_nothing(), line)
    except SQLAlchemyError as problem:
        _logger.error("Could not write %s to task_log: %s", line, problem)
