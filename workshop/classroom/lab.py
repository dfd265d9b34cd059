"""Talks to the running JupyterLab, so that a reset neither loses unsaved edits nor leaves old pages open."""

import json
import os
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

from websocket import WebSocketException, WebSocketTimeoutException, create_connection

from workshop import machine
from workshop.stack.lab import RESET
from workshop.stack.running import running, running_site
from workshop.stack.site import HOST, Site

_HEARS, _SAVES, _ANSWERS = 3, 4, 6
"""Seconds in which a page hears a command, saves a document, answers."""

_COMMAND = "https://events.jupyter.org/jupyterlab_command_toolkit/lab_command/v1"


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
        if site := _site():
            _save(site, paths)


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
        was_open = _close(site, paths) if (site := _site()) else set()
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
        if site := _site():
            _emit(site, {"name": "docmanager:open", "args": {"path": path}})


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (OSError, WebSocketException) as error:
        raise PagesNotSaved(
            f"JupyterLab does not answer ({error}), so its pages can't be saved. Next: workshop doctor"
        ) from error


def _site() -> Site | None:
    """Return the site of the running stack if its JupyterLab is ready."""
    services = (running() or {}).get("services", {})
    return running_site() if services.get("lab", {}).get("state") == "ready" else None


def _close(site: Site, paths: Collection[str]) -> set[str]:
    pages = _save(site, paths)
    if pages:
        _save(site, paths, close=True, pages=len(pages))
    return {document["path"] for page in pages for document in page} | _end_kernels(site, paths)


def _save(
    site: Site, paths: Collection[str], close: bool = False, pages: int | None = None
) -> list[list[dict[str, Any]]]:
    """Have each page save these documents; return what each had open."""
    arguments = {"paths": sorted(paths), "close": close, "milliseconds": _SAVES * 1000}
    answers = _ask(site, "workshop:save", arguments, pages)
    if failed := [answer["error"] for answer in answers if not answer["success"]]:
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


def _ask(site: Site, command: str, arguments: dict[str, Any], pages: int | None) -> list[dict[str, Any]]:
    """Send a command to all pages and return their answers; stop early when `pages` have answered."""
    request, start = uuid4().hex, time.monotonic()
    heard = 0
    answers: list[dict[str, Any]] = []
    address = f"ws://{HOST}:{site.ports['lab']}/api/events/subscribe"
    authorization = [f"Authorization: token {site.token}"]
    with closing(create_connection(address, timeout=_HEARS, header=authorization)) as events:
        _emit(site, {"name": command, "args": arguments, "requestId": request})
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


def _emit(site: Site, command: dict[str, Any]) -> None:
    _request(site, "POST", "events", {"schema_id": _COMMAND, "version": "1", "data": command})


def _end_kernels(site: Site, paths: Collection[str]) -> set[str]:
    """End the kernels of these documents; return which had one."""
    sessions = [session for session in _request(site, "GET", "sessions") if session["path"] in paths]
    for session in sessions:
        with suppress(HTTPError):  # it ended meanwhile
            _request(site, "DELETE", f"sessions/{session['id']}")
    return {session["path"] for session in sessions}


def _request(site: Site, method: str, what: str, body: object = None) -> Any:
    address = f"http://{HOST}:{site.ports['lab']}/api/{what}"
    data = None if body is None else json.dumps(body).encode()
    request = Request(address, data, {"Authorization": f"token {site.token}"}, method=method)
    with urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or "null")
