"""How JupyterLab's server reads and saves notebooks: as ever, but an old page never goes over a new starter.

A page gets a notebook with a number in its metadata, how often the course was reset so far, and sends it back
when it saves. The number is never written to disk.
"""

from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

from backstage.stack.jupyterlab import RESETS
from backstage.stack.texts import words
from workshop.state_folder import read

_KEY = "workshop_resets"


class StarterContents(AsyncLargeFileManager):
    """Documents on disk; a notebook that was opened before a reset can't be saved over what is there now."""

    async def get(self, path: str, content: bool = True, *more: Any, **named: Any) -> dict[str, Any]:
        """Return a document, a notebook with the number of resets."""
        model = await super().get(path, content, *more, **named)
        if content and model["type"] == "notebook":
            model["content"]["metadata"][_KEY] = _resets()
        return model

    def mark_trusted_cells(self, nb: Any, path: str = "") -> None:
        """Trust the course's own notebooks: their maps show before the first run, and after a reset."""
        if path.startswith("notebooks/"):
            self.notary.mark_cells(nb, trusted=True)
        else:
            super().mark_trusted_cells(nb, path)

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Save a document.

        Raises
        ------
        tornado.web.HTTPError
            409 if it is a notebook from before a reset.
        """
        notebook = model.get("content") if model.get("type") == "notebook" else None
        number = notebook["metadata"].pop(_KEY, None) if notebook else None
        if number not in (None, _resets()) and await self.file_exists(path):
            raise HTTPError(409, words("old-page"))
        return await super().save(model, path)


def _resets() -> int:
    return read(RESETS).get("resets", 0)
