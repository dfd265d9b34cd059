"""The page of the wall, with the map of the country and the scoreboard of machines, for a projector.

Only this machine can open it. Names on it come from the database, and the page takes them as text.
"""

import asyncio
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, StaticFileHandler

from backstage.classroom import wall
from backstage.stack import cloud, containers
from backstage.stack.site import HOST
from backstage.stack.texts import refusal
from workshop.raster import By

_FILES = {"path": Path(__file__).with_name("page"), "default_filename": "wall.html"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


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
        pages = Application()
        pages.add_handlers(  # no other name: a page elsewhere may have one for 127.0.0.1, to read this one
            rf"({HOST}|localhost)",
            [
                (r"/wall\.json", _Numbers),
                (r"/(machine|nation)\.png", _Map),
                (r"/(.*)", _File, _FILES),
            ],
        )
        HTTPServer(pages).add_sockets(self._sockets)
        await asyncio.Event().wait()


class _Handler(RequestHandler):
    def set_default_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.set_header(name, value)


class _Numbers(_Handler):
    async def get(self) -> None:
        self.write(await asyncio.to_thread(wall.look))  # a service that is silent holds up no other page


class _Map(_Handler):
    async def get(self, by: By) -> None:
        self.set_header("Content-Type", "image/png")
        self.write(await asyncio.to_thread(wall.png, by))


class _File(_Handler, StaticFileHandler):
    pass
