"""What to say of a service that does not answer, and of a full disk, which looks like one."""

import errno

from backstage.stack.texts import refusal
from workshop.errors import WorkshopError


def unanswered(who: str, error: Exception, step: str) -> WorkshopError:
    """Return the error that says of a service that it does not answer, or that a disk is full.

    Parameters
    ----------
    who : str
        Who does not answer.
    error : Exception
        What was met instead.
    step : str
        What to do, if no disk is full.
    """
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    if full or getattr(error, "sqlstate", None) == "53100":  # PostgreSQL's disk_full
        return refusal("disk-full", error=error)
    return WorkshopError(f"{who} does not answer: {error}\n", step)
