"""The one page of squares, as the wall for a projector and as the panel in a notebook, and its small server.

Only this machine can open it. Names on it come from the database, and the page takes them as text. A look at
the services is shared by all who watch, so that thirty pages cost them no more than one.
"""

import asyncio
import json
import os
import sys
import time
from functools import lru_cache
from pathlib import Path
from pkgutil import resolve_name
from traceback import format_exc
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, StaticFileHandler

from backstage.stack import cloud, containers, logs, watch
from backstage.stack.site import HOST
from backstage.stack.texts import refusal
from workshop.errors import WorkshopError

_FOLDER = Path(__file__).with_name("page")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

_LONGEST = 5
"""Seconds between two looks at most, however long a look takes."""

HALF = 0.5
"""Seconds between two looks, at least; one that takes long is followed by a pause of twice as long."""


_BOARDS = {"wall": "backstage.classroom.wall:Wall", "panel": "backstage.classroom.panel:Panel"}


class WallPage:
    """The page, at a port of 127.0.0.1.

    Parameters
    ----------
    port : int
        The port; 0 takes a free one.

    Raises
    ------
    WorkshopError
        If the port can't be used.
    """

    def __init__(self, port: int = 0) -> None:
        try:
            self._sockets = bind_sockets(port, HOST)
        except OSError as error:
            raise refusal("no-port", port=port, reason=error.strerror) from error
        self.port: int = self._sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """The address for a browser of this computer; in containers and clouds that of JupyterLab's tile."""
        lab = containers.published_ports().get("lab")
        here = f"http://{HOST}:{lab}/wall/" if lab else f"http://{HOST}:{self.port}/"
        return cloud.address(here, "wall/")

    def serve(self) -> None:
        """Show the page until Ctrl-C."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        pages = Application(compress_response=True)
        pages.add_handlers(  # no other name: a page elsewhere may have one for 127.0.0.1, to read this one
            rf"({HOST}|localhost)",
            [
                (r"/(wall|panel)\.json", _Frame),
                (r"/(?:panel)?", _Page),
                (r"/(.*)", _File, {"path": _FOLDER}),
            ],
        )
        HTTPServer(pages).add_sockets(self._sockets)
        found = watch.saved()
        while not _Shared.stuck or watch.saved() == found:
            await asyncio.sleep(HALF)
        again = ["-m", "backstage", "class", "wall", "--port", str(self.port)]
        os.execv(sys.executable, [sys.executable, *again])  # as a Python keeps what it has imported


class _Shared:
    """A board, and one look at a time for all who watch it.

    A fault is said, and the next look is tried as if there was none: so whatever it was, the page goes on. It
    may be one in a file of the program that somebody edits. So such files are imported here only, and once
    there was a fault, the whole program starts anew with the next file that is saved.
    """

    stuck = False

    def __init__(self, name: str, run: str) -> None:
        self._name, self._run, self._lock, self._next = name, run, asyncio.Lock(), 0.0
        self._board: Any = None
        self._frames: dict[tuple[str, str], str] = {}
        self._trouble = ""

    async def frame(self, by: str, since: str) -> str:
        """Return what a page shows, as JSON; see `backstage.classroom.board.Board.frame`."""
        async with self._lock:
            if time.monotonic() >= self._next:
                began = time.monotonic()
                await asyncio.to_thread(self._look)  # a service that is silent holds up no other page
                took = time.monotonic() - began
                self._next = began + took + max(HALF - took, min(2 * took, _LONGEST))
            if (by, since) not in self._frames:
                frame = self._board.frame(by, since) if self._board else {}
                if self._trouble:
                    frame["trouble"] = self._trouble
                self._frames[by, since] = json.dumps(frame)
            return self._frames[by, since]

    def _look(self) -> None:
        try:
            self._board = self._board or resolve_name(_BOARDS[self._name])(self._run)
            self._board.look()
            self._trouble = ""
        except Exception as error:
            _Shared.stuck = True
            said = str(error) if isinstance(error, WorkshopError) else logs.failure(format_exc())
            self._trouble = f"{said or repr(error)}. This page goes on by itself."
        self._frames.clear()


_shared = lru_cache(maxsize=8)(_Shared)


class _Handler(RequestHandler):
    def set_default_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.set_header(name, value)


class _Frame(_Handler):
    async def get(self, name: str) -> None:
        asked = {each: self.get_query_argument(each, "") for each in ("run", "by", "since")}
        by = "nation" if asked["by"] == "nation" else "machine"
        self.set_header("Content-Type", "application/json")
        self.write(await _shared(name, asked["run"]).frame(by, asked["since"]))


class _Page(_Handler):
    async def get(self) -> None:
        self.write((_FOLDER / "wall.html").read_bytes())


class _File(_Handler, StaticFileHandler):
    pass
