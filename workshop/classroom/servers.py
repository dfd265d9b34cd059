"""The Jupyter servers that show this course: the stack's own, and any other, such as that of a cloud."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import Request

import psutil
from jupyter_core.paths import jupyter_runtime_dir
from websocket import WebSocket, create_connection

from workshop import machine
from workshop.stack.direct import open_page
from workshop.stack.running import running, running_site
from workshop.stack.site import HOST

_ALL_ADDRESSES = ("", "*", "0.0.0.0", "::")
_NO_ENTRY = (401, 403)


@dataclass(frozen=True)
class Server:
    """One running Jupyter server.

    Attributes
    ----------
    url : str
        Its address, with the path below which all its pages are, such as ``http://127.0.0.1:8888/user/ann/``.
    token : str
        What lets a program in; empty where none is wanted.
    """

    url: str
    token: str

    def request(self, method: str, what: str, body: object = None) -> Any:
        """Send a request to its interface and return the answer.

        Raises
        ------
        OSError
            If it does not answer, or refuses.
        """
        data = None if body is None else json.dumps(body).encode()
        request = Request(urljoin(self.url, f"api/{what}"), data, self._login(), method=method)
        with open_page(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def events(self, timeout: float) -> WebSocket:
        """Return a connection on which it tells what happens in its pages.

        Raises
        ------
        OSError, websocket.WebSocketException
            If it does not answer, or refuses.
        """
        address = urljoin(self.url.replace("http", "ws", 1), "api/events/subscribe")
        return create_connection(address, timeout=timeout, header=self._login())

    def _login(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"} if self.token else {}


def servers() -> list[Server]:
    """Return the servers that show this course's folder and let its owner in, the stack's own first.

    Raises
    ------
    OSError
        If one of them does not answer.
    """
    own = list(_own())
    ports = {urlsplit(server.url).port for server in own}
    return own + [each for each in _others() if urlsplit(each.url).port not in ports and _lets_in(each)]


def _own() -> Iterator[Server]:
    services = (running() or {}).get("services", {})
    if services.get("lab", {}).get("state") == "ready" and (site := running_site()):
        yield Server(urljoin(site.lab_url, "/"), site.token)


def _others() -> Iterator[Server]:
    """Yield the servers of this course among those of this user, who all write down where they are."""
    for path in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it just ends, or just starts
            continue
        if psutil.pid_exists(found["pid"]) and Path(found["root_dir"]).resolve() == machine.ROOT:
            host = HOST if found["hostname"] in _ALL_ADDRESSES else found["hostname"]
            scheme = "https" if found["secure"] else "http"
            yield Server(f"{scheme}://{host}:{found['port']}{found['base_url']}", found["token"])


def _lets_in(server: Server) -> bool:
    """Return whether a server can be asked: it may want another login, or have left its note behind."""
    try:
        server.request("GET", "status")
    except HTTPError as error:
        if error.code not in _NO_ENTRY:
            raise
        return False
    except URLError as error:
        if not isinstance(error.reason, ConnectionRefusedError):
            raise
        return False
    return True
