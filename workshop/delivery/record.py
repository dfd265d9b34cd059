"""The producer's own record of what it published, so that nothing can get lost unnoticed.

Celery's signals before and after each publish write one line each to ``published.jsonl`` in the state
folder. A task with the first line only was perhaps not accepted: nobody confirmed it.
"""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from celery import current_task
from celery.signals import after_task_publish, before_task_publish

from workshop.delivery.topology import ROUTING_KEY
from workshop.machine import state_dir

FILE = "published.jsonl"
_process = uuid4().hex[:8]
_cells = 0


@dataclass(frozen=True)
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
    confirmed : bool
        True once RabbitMQ said that it has the message.
    """

    id: str
    name: str
    point: list[Any]
    run: str
    at: str
    confirmed: bool = False


def this_run() -> str:
    """Return the name of the run that publishes now: of this cell in a notebook, else of this process."""
    return f"{_process}-{_cells}" if _cells else _process


def published() -> list[Published]:
    """Return every task in the record, oldest first."""
    tasks: dict[str, Published] = {}
    try:
        lines = (state_dir() / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        entry = json.loads(line)
        if "name" in entry:
            tasks[entry["id"]] = Published(**entry)
        elif entry["id"] in tasks:
            tasks[entry["id"]] = replace(tasks[entry["id"]], confirmed=True)
    return list(tasks.values())


def latest_run() -> list[Published]:
    """Return the tasks of the latest run of this process, or of any process if this one sent nothing."""
    everything = published()
    own = [task for task in everything if task.run.startswith(_process)]
    return _last_run(own or everything)


def _last_run(tasks: list[Published]) -> list[Published]:
    return [task for task in tasks if task.run == tasks[-1].run]


def _append(entry: dict[str, Any]) -> None:
    line = json.dumps(entry, default=repr) + "\n"
    target = os.open(state_dir() / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(target, line.encode())
    finally:
        os.close(target)


def _is_new(routing_key: str | None) -> bool:
    """Return whether a message is a task of a producer, not the retry of a worker."""
    return routing_key == ROUTING_KEY and not current_task


def _count_cells(_: Any) -> None:
    global _cells
    _cells += 1


if (ipython := sys.modules.get("IPython")) and (shell := ipython.get_ipython()):
    _cells = 1
    shell.events.register("pre_run_cell", _count_cells)


@before_task_publish.connect
def _note_publish(
    body: Any = None, headers: dict[str, Any] | None = None, routing_key: str | None = None, **_: Any
) -> None:
    if not headers or not _is_new(routing_key):
        return
    arguments: Iterable[Any] = body[0] if isinstance(body, (tuple, list)) else []
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    entry = Published(headers["id"], headers["task"], list(arguments), this_run(), now)
    _append({key: value for key, value in vars(entry).items() if key != "confirmed"})


@after_task_publish.connect
def _note_confirm(headers: dict[str, Any] | None = None, routing_key: str | None = None, **_: Any) -> None:
    if headers and _is_new(routing_key):
        _append({"id": headers["id"], "confirmed": True})
