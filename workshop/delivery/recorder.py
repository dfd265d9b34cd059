"""Writes the record of publishes: Celery's signals and Jupyter's cells, heard in one place."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from celery import current_task
from celery.signals import after_task_publish, before_task_publish

from workshop import settings
from workshop.delivery.publisher import NotSent
from workshop.state_folder import state_dir

FILE = "published.jsonl"

PROCESS = uuid4().hex[:8]
"""The part of a run's name that says which process it belongs to."""

PROBE = "probe"
"""The header of a task that a check sends; such tasks are in no record."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


STARTED = _now()
"""When this process began to be able to send tasks (UTC, ISO 8601)."""

_cells = 0
_recorded = False


def this_run() -> str:
    """Return the name of the run that publishes now: of this cell in a notebook, else of this process."""
    return f"{PROCESS}-{_cells}" if _cells else PROCESS


def source() -> str:
    """Return what sends tasks here: a notebook such as ``01-enqueue``, or a script such as ``demo``."""
    named = os.environ.get("WORKSHOP_SOURCE") or os.environ.get("JPY_SESSION_NAME")
    return Path(named or ("notebook" if _cells else sys.argv[0])).stem


def in_notebook() -> bool:
    """Return whether this process runs a notebook's cells."""
    return _cells > 0


@contextmanager
def trying(id: str, name: str, args: Sequence[Any] | None, kwargs: Any) -> Iterator[None]:
    """Look at the settings before a task is sent; if it can't be sent, note why.

    Parameters
    ----------
    id, name : str
        The task's id and name.
    args, kwargs : sequence and dict, optional
        Its arguments, by position and by name.
    """
    settings.check()  # a worker would fail each task
    try:
        yield
    except Exception as error:
        if not current_task and not getattr(error, "perhaps", False):
            text = error.text.strip() if isinstance(error, NotSent) else f"{type(error).__name__}: {error}"
            _append(_entry(id, name, args, kwargs) | {"unsent": text[:500]})
        raise


def _entry(id: str, name: str, args: Any, kwargs: Any, retries: int = 0) -> dict[str, Any]:
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


def _append(entry: dict[str, Any]) -> None:
    global _recorded
    _recorded = True
    line = json.dumps(entry, default=repr) + "\n"
    target = os.open(state_dir() / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(target, line.encode())
    finally:
        os.close(target)


def _is_new(headers: dict[str, Any]) -> bool:
    """Return whether a producer sends this; retries, periodic tasks and the probes of checks are not new."""
    return not (current_task or PROBE in headers or str(headers["task"]).startswith("workshop.periodic."))


@before_task_publish.connect
def _note_publish(body: Any, headers: dict[str, Any], **_: Any) -> None:
    if _is_new(headers):
        arguments, keywords = body[:2]
        retries = headers.get("retries") or 0
        _append(_entry(headers["id"], headers["task"], arguments, keywords, retries))


@after_task_publish.connect
def _note_confirm(headers: dict[str, Any], **_: Any) -> None:
    if _is_new(headers):
        _append({"id": headers["id"], "confirmed": True})


def _begin_cell(_: Any) -> None:
    global _cells, _recorded
    _cells += 1
    _recorded = False


def _end_cell(result: Any) -> None:
    if _recorded and (error := result.error_in_exec):
        text = f"{type(error).__name__}: {error}"
        _append({"run": this_run(), "at": _now(), "source": source(), "error": text[:500]})


if (ipython := sys.modules.get("IPython")) and (shell := ipython.get_ipython()):
    _cells = 1
    shell.events.register("pre_run_cell", _begin_cell)
    shell.events.register("post_run_cell", _end_cell)
