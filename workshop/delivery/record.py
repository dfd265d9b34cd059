"""The producer's own record of what it published, so that nothing can get lost unnoticed.

Each publish writes two lines to ``published.jsonl`` in the state folder: one before, one when RabbitMQ
confirmed it. A task with the first line only was perhaps not accepted; for one that surely was not, a line
says why. `workshop.delivery.recorder` writes them.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from workshop.delivery import recorder
from workshop.state_folder import state_dir


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

    @property
    def is_point(self) -> bool:
        """Whether it has the arguments of ``do_task``: x and y, whatever their values, and no others."""
        return len(self.args) <= 2 and self.kwargs.keys() == set(("x", "y")[len(self.args) :])

    @property
    def point(self) -> list[Any]:
        """The arguments in order; for ``do_task`` x and y in metres, EPSG:27700."""
        return [*self.args, *(self.kwargs[name] for name in ("x", "y") if name in self.kwargs)]

    @property
    def squares(self) -> int:
        """How many rows it makes."""
        return 1


@dataclass
class Run:
    """One notebook cell run once, or one script, that sent tasks or tried to.

    Attributes
    ----------
    id, source, at : str
        As in `Published`; `at` is when it began to send.
    every : list of Published
        What it sent or tried to send, oldest first.
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
        """What it sent, oldest first."""
        return [task for task in self.every if not task.unsent]

    @property
    def unsent(self) -> list[Published]:
        """What it tried to send, and what is surely not on the queue."""
        return [task for task in self.every if task.unsent]


def runs() -> list[Run]:
    """Return every run in the record, in the order in which they began."""
    found: dict[str, Run] = {}
    tasks: dict[str, Published] = {}
    for entry in _entries():
        _read(entry, found, tasks)
    return list(found.values())


def published() -> list[Published]:
    """Return every task in the record, oldest first, with those that could not be sent."""
    return [task for run in runs() for task in run.every]


def own_runs() -> list[Run]:
    """Return the runs of this process."""
    return [run for run in runs() if run.id.partition("-")[0] == recorder.PROCESS]


def latest_run() -> list[Published]:
    """Return the tasks of the latest run: of this notebook since its kernel started, else of any process."""
    candidates = own_runs() if recorder.in_notebook() else runs()
    return next((tasks for run in reversed(candidates) if (tasks := run.tasks)), [])


def uuids(ids: Iterable[object]) -> list[UUID]:
    """Return those ids that a row or a line of the task log can have: anyone may send a text as an id."""
    found = []
    for id in ids:
        with suppress(ValueError):
            found.append(UUID(str(id)))
    return found


def _entries() -> Iterator[dict[str, Any]]:
    """Yield the lines of the record, but those that can't be read: one is being written, or was edited."""
    with suppress(FileNotFoundError), (state_dir() / recorder.FILE).open("rb") as file:
        for line in file:
            with suppress(ValueError):
                if isinstance(entry := json.loads(line), dict):
                    yield entry


def _read(entry: dict[str, Any], runs: dict[str, Run], tasks: dict[str, Published]) -> None:
    task = tasks.get(entry.get("id", ""))
    if task is None and "name" in entry:
        with suppress(TypeError):  # a line of an older version
            task = tasks[entry["id"]] = Published(**entry)
            runs.setdefault(task.run, Run(task.run, task.source, task.at)).every.append(task)
    elif "error" in entry:
        run = Run(entry["run"], entry["source"], entry["at"])
        runs.setdefault(run.id, run).error = entry["error"]
    elif task is not None and "name" in entry:
        task.unsent = entry.get("unsent", "")
    elif task is not None:
        task.again += task.confirmed
        task.confirmed = True
