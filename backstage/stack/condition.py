"""How a service is, and that a start failed."""

from dataclasses import dataclass

from workshop.errors import WorkshopError

START_AFRESH = (
    "To start without its data: workshop down --purge, then workshop up.\n"
    "That removes all squares, the task log, the tasks that wait, and this machine's settings.\n"
    "Notebooks and your own files stay."
)
"""The way out where the data themselves are the cause, with what it costs."""


class StartFailed(WorkshopError):
    """The stack did not start; the text says which service, why, and what to do."""


@dataclass
class Condition:
    """How a service is.

    Attributes
    ----------
    state : str
        ``waiting`` for others, ``starting``, ``ready``, ``broken`` until it is mended, or ``stopping``.
    pid, born : int and float, optional
        Its process, and when that was started (see `backstage.stack.process.born`).
    seconds : float, optional
        How long the last start took.
    restarts : int
        How often it ended by itself.
    message : str
        What last happened to it.
    """

    state: str = "waiting"
    pid: int | None = None
    born: float | None = None
    seconds: float | None = None
    restarts: int = 0
    message: str = ""
