"""The producer's own record of what it published, so that nothing can get lost unnoticed.

It is ``published.jsonl`` in the state folder. A line is written before each publish; without it nothing is
sent. Other lines say what RabbitMQ confirmed, many at once. A task without a confirmation was perhaps not
accepted; for one that surely was not, a line says why.
"""

import errno
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from celery import current_task
from celery.signals import after_task_publish

from workshop import settings
from workshop.delivery.addresses import BROKER, parts_of
from workshop.state_folder import state_dir

FILE = "published.jsonl"

_SIDES = {"workshop.tasks.do_task": 1, "workshop.blocks.do_block": 10}
"""Tasks that write the squares of a block around their point, and its side in km where they don't say it."""

PROCESS = uuid4().hex[:8]
"""The part of a run's name that says which process it belongs to."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


STARTED = _now()
"""When this process began to be able to send tasks (UTC, ISO 8601)."""


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
    def block(self) -> tuple[int, int, int, int] | None:
        """West, south, east and north of the squares that it writes; None if its arguments name none."""
        from workshop import grid  # which attendees read, and may spoil: that costs nobody else anything

        try:
            return grid.block(**self.arguments)
        except (TypeError, ValueError):
            return None

    @property
    def squares(self) -> int:
        """How many rows it makes."""
        west, _, east, _ = self.block or (0, 0, 1000, 1000)
        return ((east - west) // 1000) ** 2

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
        """What it sent to where the settings point now, oldest first."""
        return sent_here(self.every)

    @property
    def unsent(self) -> list[Published]:
        """What it tried to send, and what is surely not on the queue."""
        return [task for task in self.every if task.unsent]


def runs() -> list[Run]:
    """Return every run in the record, in the order in which they began."""
    found: dict[str, Run] = {}
    tasks: dict[str, Published] = {}
    for entry in _lines():
        _read(entry, found, tasks)
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


def _read(entry: dict[str, Any], runs: dict[str, Run], tasks: dict[str, Published]) -> None:
    if "confirmed" in entry:
        for task in filter(None, map(tasks.get, entry["confirmed"])):
            task.again += task.confirmed
            task.confirmed = True
    elif "error" in entry:
        run = Run(entry["run"], entry["source"], entry["at"])
        runs.setdefault(run.id, run).error = entry["error"]
    else:
        with suppress(TypeError):  # a line of an older version
            task = Published(**entry)
            known = tasks.setdefault(task.id, task)
            if known is task:
                runs.setdefault(task.run, Run(task.run, task.source, task.at)).every.append(task)
            elif (known.name, known.arguments) != (task.name, task.arguments):
                known.other = task.call
            known.unsent, known.sent_to = task.unsent, task.sent_to or known.sent_to


_cells = 0
_recorded = False
_file: FileIO | None = None
_number = 0
_encode = json.JSONEncoder(default=repr).encode
_latest = threading.local()


def this_run() -> str:
    """Return the name of the run that publishes now: of this cell in a notebook, else of this process."""
    return f"{PROCESS}-{_cells}" if _cells else PROCESS


def source() -> str:
    """Return what sends tasks here: a notebook such as ``01-enqueue``, or a script such as ``demo``."""
    named = os.environ.get("WORKSHOP_SOURCE") or os.environ.get("JPY_SESSION_NAME")
    return _stem(named or ("notebook" if _cells else sys.argv[0]))


@cache
def _stem(path: str) -> str:
    return Path(path).stem


def in_notebook() -> bool:
    """Return whether this process runs a notebook's cells."""
    return _cells > 0


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
    global _recorded
    _recorded = True
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


def shell() -> Any:
    """Return the notebook's, or the terminal's, IPython; None where there is none."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def begin_cell(_: Any) -> None:
    """Begin a run: whatever this cell sends."""
    global _cells, _recorded
    _cells += 1
    _recorded = False


def end_cell(result: Any) -> None:
    """Note the error that ended a cell which sent tasks, or tried to."""
    if _recorded and (error := result.error_in_exec):
        text = f"{type(error).__name__}: {error}"
        append({"run": this_run(), "at": _now(), "source": source(), "error": text[:500]})


if shell():
    _cells = 1
