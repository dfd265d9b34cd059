"""What the stack must know of a service, whichever program it is."""

import signal
from collections.abc import Callable
from dataclasses import dataclass

from backstage.stack.site import Site
from workshop.errors import WorkshopError

NAMES = ("postgis", "rabbitmq", "worker", "flower", "lab")
"""The five parts of the course, as in docker-compose.yml."""


class NotReady(Exception):
    """A service does not answer yet; the text says what is still missing."""


@dataclass
class Status:
    """How a service is.

    Attributes
    ----------
    state : str
        ``waiting`` for others, ``starting``, ``ready``, ``broken`` until it is mended, or ``stopping``.
    pid, born : int and float, optional
        Its process, and when that was started (see `backstage.stack.process.born`).
    restarts : int
        How often it ended by itself.
    message : str
        What last happened to it.
    """

    state: str = "waiting"
    pid: int | None = None
    born: float | None = None
    restarts: int = 0
    message: str = ""


@dataclass(frozen=True)
class Service:
    """One program of the stack.

    Attributes
    ----------
    name : str
        Its name, the same as in docker-compose.yml.
    command : callable
        Site to the program and its arguments.
    probe : callable
        Raises an error until the service does its work for real.
    environment : callable
        Site to what the program is told besides `backstage.stack.environment.of_child`.
    prepare : callable
        What to do before the program starts.
    finish : callable
        What to do once it answers, before it is ready.
    needs : tuple of str
        Services that must be ready before.
    essential : bool
        Without it the others are of no use: the start as a whole fails if its first one does.
    reloads : bool
        It runs the code that attendees edit, and starts again when that changes.
    follows : str
        Which of `backstage.stack.plan.wishes` it starts anew for: ``joined`` or ``address``.
    stop_signal : signal.Signals
        What asks it to finish its work and end.
    """

    name: str
    command: Callable[[Site], list[str]]
    probe: Callable[[Site], None]
    environment: Callable[[Site], dict[str, str]] = lambda site: {}
    prepare: Callable[[Site], None] = lambda site: None
    finish: Callable[[Site], None] = lambda site: None
    needs: tuple[str, ...] = ()
    essential: bool = False
    reloads: bool = False
    follows: str = ""
    stop_signal: signal.Signals = signal.SIGTERM

    def trouble(self, site: Site) -> str | None:
        """Return why the service does not answer; None if it does."""
        try:
            self.probe(site)
        except Exception as error:  # each client library has its own ways to say that nobody is there
            return in_words(error)
        return None


def in_words(error: Exception) -> str:
    """Return what a person reads of an error that kept a service from its work."""
    speaks = isinstance(error, NotReady | WorkshopError)
    return str(error) if speaks else f"{type(error).__name__}: {error}".strip()
