"""A task that this machine sent, and a run of them: what its record of publishes tells of each."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from workshop import settings
from workshop.delivery.addresses import BROKER, parts_of

_SIDES = {"workshop.tasks.do_task": 1, "workshop.blocks.do_block": 10}
"""Tasks that write the squares of a block around their point, and its side in km where they don't say it."""


@dataclass
class Published:
    """One task that this machine sent, or tried to.

    Attributes
    ----------
    id, name : str
        The task's id, and the name under which workers look for it.
    args : list
        The task's positional arguments as sent.
    run : str
        Which run it belongs to: one notebook cell run once, or one script.
    at : str
        When it was sent (UTC, ISO 8601).
    source : str
        The notebook or script that sent it, such as ``01-enqueue``.
    fault_rate : float
        The share of attempts that met the artificial fault then.
    retries : int
        Retries that count as used up already.
    kwargs : dict
        The arguments by name.
    confirmed : bool
        True once RabbitMQ said that it has the message.
    unsent : str
        Why it is surely not on the queue; empty if it is, or may be.
    again : int
        How often RabbitMQ confirmed it once more: it was sent again under the same id.
    other : str
        What was sent under its id later, with other arguments; empty if nothing was.
    sent_to : str
        The `place` of the broker that it was sent to; empty if nobody noted it.
    """

    id: str
    name: str
    args: list[Any]
    run: str
    at: str
    source: str = ""
    fault_rate: float = 0.0
    retries: int = 0
    kwargs: dict[str, Any] = field(default_factory=dict)
    confirmed: bool = False
    unsent: str = ""
    again: int = 0
    other: str = ""
    sent_to: str = ""

    @property
    def is_point(self) -> bool:
        """Whether it has the arguments of ``do_task``: x and y, whatever their values, and no others."""
        return len(self.args) <= 2 and self.kwargs.keys() == set(("x", "y")[len(self.args) :])

    @property
    def point(self) -> list[Any]:
        """The arguments in order; for ``do_task`` x and y in metres, EPSG:27700."""
        return [*self.args, *(self.kwargs[name] for name in ("x", "y") if name in self.kwargs)]

    @property
    def call(self) -> str:
        """The task as it was called, such as ``do_task(325200, 673500)``."""
        named = (f"{name}={value!r}" for name, value in self.kwargs.items())
        return f"{self.name.rpartition('.')[2]}({', '.join([*map(repr, self.args), *named])})"

    @property
    def squares(self) -> int:
        """How many rows it makes."""
        from workshop import grid  # which attendees read, and may spoil: that costs nobody else anything

        try:
            grid.block(**self.arguments)
        except (TypeError, ValueError):
            return 1
        return self.arguments["km"] ** 2

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments by name."""
        names = ("x", "y", "km", *map(str, range(3, len(self.args))))
        side = {"km": _SIDES[self.name]} if self.name in _SIDES else {}
        return side | dict(zip(names, self.args, strict=False)) | self.kwargs


@dataclass
class Run:
    """One notebook cell run once, or one script, that sent tasks or tried to.

    Attributes
    ----------
    id, source, at : str
        As in `Published`; `at` is when it began to send.
    every : list of Published
        What it sent or tried to send, oldest first; what is surely not on the queue says why.
    error : str
        What ended the cell, such as ``TypeError: ...``; empty if nothing did.
    """

    id: str
    source: str
    at: str
    every: list[Published] = field(default_factory=list)
    error: str = ""

    @property
    def tasks(self) -> list[Published]:
        """What it sent to where the settings point now, oldest first."""
        return sent_here(self.every)


@cache
def place(broker_url: str | None) -> str:
    """Return the host and the virtual host of a broker, such as ``127.0.0.1/celery_app``.

    Not the port: the next start of the services may take another one.
    """
    parts = parts_of(broker_url, BROKER)
    return f"{parts['host']}/{parts['virtual host']}" if parts else ""


def sent_here(tasks: Iterable[Published]) -> list[Published]:
    """Return the tasks that were sent to the broker that the settings name now, or nobody noted where."""
    here = ("", place(settings.get("broker_url")))
    return [task for task in tasks if not task.unsent and task.sent_to in here]
