"""How JupyterLab's server reads and saves documents: as ever, but old work never goes over a starter.

A page that slept during a reset still shows what was before, and would save it when it wakes up.
"""

from typing import Any

from jupyter_server import CallContext
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

from workshop.machine import read, write
from workshop.stack.lab import RESET

_OPENED = "opened.json"  # the latest reset that each page knows of each document; only the server writes it

_REFUSAL = (
    "Not saved: the course was reset at {time}, and this page still shows what was before. "
    "What was saved before the reset is kept, see `workshop restore`. "
    "Next: copy from here what else you want to keep, then load this page again in the browser."
)


class GuardedContents(AsyncLargeFileManager):
    """Documents on disk; what a reset changed, a page can save only after it read the new content."""

    async def get(
        self,
        path: str,
        content: bool = True,
        type: str | None = None,
        format: str | None = None,
        require_hash: bool = False,
    ) -> dict[str, Any]:
        """Return a document, and remember that this page has its content.

        Raises
        ------
        tornado.web.HTTPError
            409 if the page compares its old content with the disk, as it does before it saves. Otherwise
            it would offer to overwrite the starter.
        """
        if content:
            _note(path)
        elif require_hash:
            _require_new(path)
        return await super().get(path, content, type, format, require_hash)

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Save a document.

        Raises
        ------
        tornado.web.HTTPError
            409 if the page has the content from before the reset.
        """
        if CallContext.get(CallContext.JUPYTER_HANDLER).request.method == "PUT":  # POST makes new documents
            _require_new(path)
        return await super().save(model, path)


def _note(path: str) -> None:
    resets, opened = read(RESET), read(_OPENED)
    reset = resets.get(path.strip("/"))
    if reset and reset != opened.get(_key(path)):
        known = {key: time for key, time in opened.items() if time in resets.values()}
        write(_OPENED, known | {_key(path): reset})


def _require_new(path: str) -> None:
    reset = read(RESET).get(path.strip("/"))
    if reset and reset != read(_OPENED).get(_key(path)):
        raise HTTPError(409, _REFUSAL.format(time=reset[11:16]))


def _key(path: str) -> str:
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    page = handler.request.headers.get("X-Workshop-Page", "") if handler else ""
    return f"{page}/{path.strip('/')}"
