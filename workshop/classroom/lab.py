"""Talks to each running JupyterLab, so that a reset neither loses unsaved edits nor leaves old pages open."""

import json
import os
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.error import HTTPError
from uuid import uuid4

from websocket import WebSocketException, WebSocketTimeoutException

from workshop import machine
from workshop.classroom.servers import Server, servers
from workshop.stack.lab import RESET

_HEARS, _SAVES, _ANSWERS = 3, 4, 6
"""Seconds in which a page hears a command, saves a document, answers."""

_FOREIGN = """\
A JupyterLab that the course did not start has a page of this course open. Nothing is reset.
Next: save your work there (Ctrl-S), close that page, then reset again"""

_COMMAND = "https://events.jupyter.org/jupyterlab_command_toolkit/lab_command/v1"


Pages = list[list[dict[str, Any]]]
"""What each page has open of the documents in question."""


class PagesNotSaved(Exception):
    """A page of JupyterLab has a document that can't be saved and closed now; nothing was changed."""


def save(paths: Collection[str]) -> None:
    """Save these documents in every page of JupyterLab, so that unsaved edits are on disk.

    Raises
    ------
    PagesNotSaved
        If a document can't be saved within a few seconds.
    """
    with _answering():
        for server in servers():
            _save(server, paths)


def save_and_close(paths: Collection[str]) -> list[str]:
    """Save and close, in every page of JupyterLab, the documents that a reset changes; end their kernels.

    A page that does not answer (asleep, or another program) is not waited for: its later saves are refused,
    see `guard`, which is called at the end.

    Parameters
    ----------
    paths : collection of str
        The documents, in the course's folder, such as ``notebooks/01-enqueue.ipynb``.

    Returns
    -------
    list of str
        Those that were open, sorted; empty where no JupyterLab of this course runs.

    Raises
    ------
    PagesNotSaved
        If a document can't be saved within a few seconds, or this runs in a cell of one of these notebooks,
        whose kernel would end it half way. Nothing is closed then.
    """
    if os.environ.get("JPY_SESSION_NAME") in {str(machine.ROOT / path) for path in paths}:
        raise PagesNotSaved(
            "A reset ends this notebook's kernel, so it can't run in one of its cells. Nothing is reset.\n"
            "Next: type it in a terminal (File, New, Terminal)"
        )
    with _answering():
        found = [(server, _save(server, paths)) for server in servers()]
        was_open = {path for server, pages in found for path in _close(server, paths, pages)}
    guard(paths)
    return sorted(was_open)


def guard(paths: Collection[str]) -> None:
    """Have JupyterLab refuse to save these documents until they were opened again; drop their checkpoints."""
    now = datetime.now().isoformat()
    machine.write(RESET, machine.read(RESET) | dict.fromkeys(paths, now))
    for path in map(PurePosixPath, paths):
        kept = machine.ROOT / path.parent / ".ipynb_checkpoints" / f"{path.stem}-checkpoint{path.suffix}"
        kept.unlink(missing_ok=True)


def reopen(path: str) -> None:
    """Open a document in the connected pages, if there are any."""
    with suppress(OSError):
        for server in servers():
            _emit(server, {"name": "docmanager:open", "args": {"path": path}})


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (OSError, WebSocketException) as error:
        raise PagesNotSaved(
            f"JupyterLab does not answer ({error}), so its pages can't be saved. Next: workshop doctor"
        ) from error


def _close(server: Server, paths: Collection[str], pages: Pages) -> set[str]:
    if pages:
        _save(server, paths, close=True, pages=len(pages))
    return {document["path"] for page in pages for document in page} | _end_kernels(server, paths)


def _save(server: Server, paths: Collection[str], close: bool = False, pages: int | None = None) -> Pages:
    """Have each page save these documents; return what each had open."""
    arguments = {"paths": sorted(paths), "close": close, "milliseconds": _SAVES * 1000}
    answers = _ask(server, "workshop:save", arguments, pages)
    if failed := [answer["error"] for answer in answers if not answer["success"]]:
        if "not registered" in failed[0]:
            raise PagesNotSaved(_FOREIGN)
        raise PagesNotSaved(
            f"A page of JupyterLab could not save its documents ({failed[0]}). Nothing is reset.\n"
            "Next: save them there (Ctrl-S), load the page again (F5), then reset again"
        )
    found = [answer["result"] for answer in answers]
    if unsaved := sorted({document["path"] for page in found for document in page if not document["saved"]}):
        raise PagesNotSaved(
            f"JupyterLab could not save {', '.join(unsaved)}. Nothing is reset.\n"
            "Next: look at the page in the browser, answer what it asks there, then reset again"
        )
    return found


def _ask(server: Server, command: str, arguments: dict[str, Any], pages: int | None) -> list[dict[str, Any]]:
    """Send a command to all pages and return their answers; stop early when `pages` have answered."""
    request, start = uuid4().hex, time.monotonic()
    heard = 0
    answers: list[dict[str, Any]] = []
    with closing(server.events(_HEARS)) as events:
        _emit(server, {"name": command, "args": arguments, "requestId": request})
        while len(answers) != pages:
            left = start + (_ANSWERS if heard > len(answers) else _HEARS) - time.monotonic()
            if left <= 0:
                break
            events.settimeout(left)
            with suppress(WebSocketTimeoutException):
                event = json.loads(events.recv())
                if event.get("requestId") == request:
                    heard += "_ack/" in event["schema_id"]
                    answers += [event] if "success" in event else []
    silent = heard - len(answers)
    return answers + silent * [{"success": False, "error": f"no answer within {_ANSWERS} s"}]


def _emit(server: Server, command: dict[str, Any]) -> None:
    server.request("POST", "events", {"schema_id": _COMMAND, "version": "1", "data": command})


def _end_kernels(server: Server, paths: Collection[str]) -> set[str]:
    """End the kernels of these documents; return which had one."""
    sessions = [session for session in server.request("GET", "sessions") if session["path"] in paths]
    for session in sessions:
        with suppress(HTTPError):  # it ended meanwhile
            server.request("DELETE", f"sessions/{session['id']}")
    return {session["path"] for session in sessions}
