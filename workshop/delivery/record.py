"""The producer's own record of what it published, so that nothing can get lost unnoticed.

It is ``published.jsonl`` in the state folder. A line is written before each publish; without it nothing is
sent. Other lines say what RabbitMQ confirmed, many at once. A task without a confirmation was perhaps not
accepted; for one that surely was not, a line says why.
"""

import errno
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from typing import Any
from uuid import UUID

from celery import current_task
from celery.signals import after_task_publish

from workshop import settings
from workshop.delivery.published import Published, Run, place
from workshop.delivery.sender import PROCESS, in_notebook, source, this_run
from workshop.state_folder import state_dir

FILE = "published.jsonl"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def runs() -> list[Run]:
    """Return every run in the record, in the order in which they began."""
    found: dict[str, Run] = {}
    tasks: dict[str, Published] = {}
    for line in _lines():
        if "confirmed" in line:
            for task in filter(None, map(tasks.get, line["confirmed"])):
                task.again += task.confirmed
                task.confirmed = True
        elif "error" in line:
            run = Run(line["run"], line["source"], line["at"])
            found.setdefault(run.id, run).error = line["error"]
        else:
            with suppress(TypeError):  # a line of an older version
                task = Published(**line)
                if (known := tasks.setdefault(task.id, task)) is task:
                    found.setdefault(task.run, Run(task.run, task.source, task.at)).every.append(task)
                elif (known.name, known.arguments) != (task.name, task.arguments):
                    known.other = task.call
                known.unsent, known.sent_to = task.unsent, task.sent_to or known.sent_to
    return list(found.values())


def published() -> list[Published]:
    """Return every task in the record, oldest first, with those that could not be sent."""
    return [task for run in runs() for task in run.every]


def own_runs() -> list[Run]:
    """Return the runs of this process."""
    return [run for run in runs() if run.id.partition("-")[0] == PROCESS]


def latest_run() -> list[Published]:
    """Return the tasks of the latest run: of this notebook since its kernel started, else of any process."""
    candidates = own_runs() if in_notebook() else runs()
    return next((tasks for run in reversed(candidates) if (tasks := run.tasks)), [])


def uuids(ids: Iterable[object]) -> list[UUID]:
    """Return those ids that a row or a line of the task log can have: anyone may send a text as an id."""
    found = []
    for id in ids:
        with suppress(ValueError):
            found.append(UUID(str(id)))
    return found


def _lines() -> Iterator[dict[str, Any]]:
    """Yield the lines of the record, but those that can't be read: half of one on a full disk, or edited."""
    with suppress(FileNotFoundError), (state_dir() / FILE).open("rb") as file:
        for line in file:
            with suppress(ValueError):
                if isinstance(entry := json.loads(line), dict):
                    yield entry


_file: FileIO | None = None
_number = 0
_encode = json.JSONEncoder(default=repr).encode
_latest = threading.local()


def is_new(name: str) -> bool:
    """Return whether a producer sends this task: retries and periodic tasks are not new."""
    return not (current_task or name.startswith("workshop.periodic."))


def entry(
    id: str, name: str, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None, retries: int = 0
) -> dict[str, Any]:
    """Return the line about a task that is to be sent now; see `Published`."""
    _latest.id = id
    return {
        "id": id,
        "name": name,
        "args": list(args or []),
        "kwargs": dict(kwargs or {}),
        "run": this_run(),
        "at": _now(),
        "source": source(),
        "fault_rate": settings.fault_rate(),
        "retries": retries,
    }


def append(line: dict[str, Any]) -> None:
    """Add a line to the record, in one piece.

    Raises
    ------
    OSError
        If that is not possible, as on a full disk.
    """
    text = f"\n{_encode(line)}".encode()  # half a line before it is a line of its own
    if _opened().write(text) < len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(state_dir() / FILE))


def note_unsent(line: dict[str, Any], why: str) -> None:
    """Add to the record, if it can be written, why the task of a line is surely not on the queue."""
    with suppress(OSError):
        append(line | {"unsent": why[:500]})


def _opened() -> FileIO:
    """Return the file, which stays open until it is removed, or the state folder is another one."""
    global _file, _number
    path = state_dir() / FILE
    with suppress(FileNotFoundError):
        if _file and path.stat().st_ino == _number:
            return _file
    _file = FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a")
    _number = os.fstat(_file.fileno()).st_ino
    return _file


@after_task_publish.connect
def _note_foreign(headers: dict[str, Any], body: Any, **_: Any) -> None:
    """Note a task that another Celery application has sent, such as one that a notebook made."""
    id, name = headers["id"], headers["task"]
    if is_new(name) and id != getattr(_latest, "id", ""):
        append(entry(id, name, body[0], body[1]) | {"sent_to": place(settings.get("broker_url"))})
        append({"confirmed": [id]})


def end_cell(result: Any) -> None:
    """Note the error that ended a cell which sent tasks, or tried to."""
    if (error := result.error_in_exec) and any(run.id == this_run() for run in own_runs()):
        text = f"{type(error).__name__}: {error}"
        append({"run": this_run(), "at": _now(), "source": source(), "error": text[:500]})
