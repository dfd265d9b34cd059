"""The wall: a page with the map of the country and the scoreboard of machines, for a projector.

Only this machine can open it. Names on it come from the database, and the page takes them as text.
"""

import asyncio
import errno
from collections.abc import Callable
from html import escape
from pathlib import Path
from threading import Thread
from typing import Any, get_args

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from backstage.classroom.raster import By
from backstage.classroom.wall import Frames, Source, source
from backstage.stack import containers, outside
from backstage.stack.site import HOST
from backstage.stack.status import running_site
from workshop.errors import WorkshopError

_PAGE = Path(__file__).with_name("page")
_FILES = {
    "": ("wall.html", "text/html"),
    "wall.css": ("wall.css", "text/css"),
    "wall.js": ("wall.js", "text/javascript"),
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class WallPage:
    """The page, served by a thread of this process until `stop`; a notebook shows a link to it.

    Parameters
    ----------
    port : int
        Where on 127.0.0.1 it listens; 0 takes a free one.
    find : callable
        Returns which services to show.

    Raises
    ------
    WorkshopError
        If another program listens there.
    """

    def __init__(self, port: int = 0, find: Callable[[], Source | None] = source) -> None:
        try:
            self._sockets = bind_sockets(port, HOST)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise WorkshopError(
                f"Port {port} can't be used: {error.strerror}.", "choose another --port"
            ) from error
        self.port: int = self._sockets[0].getsockname()[1]
        self._frames = Frames(find)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._serve, name="wall page", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address for a browser of this computer; in containers and clouds that of JupyterLab's tile."""
        site = running_site()
        if containers.inside() and site:
            return f"http://{site.outside().place('lab')}/wall/"
        return outside.address(f"http://{HOST}:{self.port}/", "wall/")

    def _repr_html_(self) -> str:
        """Show a link to the page."""
        return f'<a href="{escape(self.url)}" target="_blank">The wall, in a tab of its own</a>'

    def stop(self) -> None:
        """End the page."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
        self._frames.end()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        handlers: list[Any] = [
            (r"/frame\.json", _FrameHandler, {"frames": self._frames}),
            (r"/map\.png", _MapHandler, {"frames": self._frames}),
            (r"/(wall\.(?:css|js)|)", _FileHandler),
        ]
        pages = Application(handlers, default_handler_class=_NoPage, log_function=lambda handler: None)
        server = HTTPServer(pages)
        server.add_sockets(self._sockets)
        self._loop.run_forever()
        server.stop()
        self._loop.run_until_complete(server.close_all_connections())
        self._loop.close()


class _Handler(RequestHandler):
    def set_default_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Refuse other names of this machine: a page elsewhere may have made one up to read this one."""
        if self.request.host_name not in (HOST, "localhost"):
            raise HTTPError(403)

    def write_error(self, status_code: int, **kwargs: object) -> None:
        self.set_header("Content-Type", "text/plain")
        self.finish(f"{status_code}. The wall is at http://{HOST} only, and has one page.\n")


class _NoPage(_Handler):
    def get(self) -> None:
        raise HTTPError(404)


class _FrameHandler(_Handler):
    def initialize(self, frames: Frames) -> None:
        self.frames = frames

    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.write(self.frames.latest().json())


class _MapHandler(_Handler):
    def initialize(self, frames: Frames) -> None:
        self.frames = frames

    async def get(self) -> None:
        by = {each: each for each in get_args(By)}.get(self.get_query_argument("by", "machine"))
        if by is None:
            raise HTTPError(404)
        self.set_header("Content-Type", "image/png")
        self.write(await asyncio.to_thread(self.frames.latest().png, by))


class _FileHandler(_Handler):
    def get(self, name: str) -> None:
        file, kind = _FILES[name]
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.write((_PAGE / file).read_bytes())
