"""The producer's own record of what it published, so that nothing can get lost unnoticed.

Each publish writes two lines to ``published.jsonl`` in the state folder: one before, one when RabbitMQ
confirmed it. A task with the first line only was perhaps not accepted. `workshop.delivery.recorder`
writes them.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from workshop.delivery import recorder
from workshop.machine import state_dir


@dataclass
class Published:
    """One task that this machine sent.

    Attributes
    ----------
    id, name : str
        The task's id, and the name under which workers look for it.
    point : list
        The task's positional arguments as sent; for ``do_task`` x and y in metres, EPSG:27700.
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
    confirmed : bool
        True once RabbitMQ said that it has the message.
    """

    id: str
    name: str
    point: list[Any]
    run: str
    at: str
    source: str = ""
    fault_rate: float = 0.0
    retries: int = 0
    confirmed: bool = False


@dataclass
class Run:
    """One notebook cell run once, or one script, that sent tasks or tried to.

    Attributes
    ----------
    id, source, at : str
        As in `Published`; `at` is when it began to send.
    tasks : list of Published
        What it sent, oldest first.
    error : str
        What ended the cell, such as ``TypeError: ...``; empty if nothing did.
    """

    id: str
    source: str
    at: str
    tasks: list[Published] = field(default_factory=list)
    error: str = ""


def runs() -> list[Run]:
    """Return every run in the record, in the order in which they began."""
    found: dict[str, Run] = {}
    tasks: dict[str, Published] = {}
    for entry in _entries():
        if "name" in entry and entry["id"] not in tasks:
            task = tasks[entry["id"]] = Published(**entry)
            found.setdefault(task.run, Run(task.run, task.source, task.at)).tasks.append(task)
        elif "error" in entry:
            run = Run(entry["run"], entry["source"], entry["at"])
            found.setdefault(run.id, run).error = entry["error"]
        elif entry.get("id") in tasks:
            tasks[entry["id"]].confirmed = True
    return list(found.values())


def published() -> list[Published]:
    """Return every task in the record, oldest first."""
    return [task for run in runs() for task in run.tasks]


def own_runs() -> list[Run]:
    """Return the runs of this process."""
    return [run for run in runs() if run.id.partition("-")[0] == recorder.PROCESS]


def latest_run() -> list[Published]:
    """Return the tasks of the latest run: of this notebook since its kernel started, else of any process."""
    candidates = own_runs() if recorder.in_notebook() else runs()
    return next((run.tasks for run in reversed(candidates) if run.tasks), [])


def _entries() -> Iterable[dict[str, Any]]:
    try:
        lines = (state_dir() / recorder.FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return map(json.loads, lines)
