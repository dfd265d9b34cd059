"""A notebook that was opened before a reset is not saved over what is there now."""

import asyncio
import json
from pathlib import Path

import nbformat
import pytest
from tornado.web import HTTPError

from backstage.stack.contents import StarterContents
from backstage.stack.jupyterlab import RESETS
from workshop import state_folder


@pytest.fixture
def contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StarterContents:
    """JupyterLab's documents: a folder with one notebook, and nothing of the person's own."""
    for kind in ("DATA", "CONFIG"):
        monkeypatch.setenv(f"JUPYTER_{kind}_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "mine.ipynb")
    return StarterContents(root_dir=str(tmp_path))


def test_a_page_from_before_a_reset_is_refused_and_kept_under_another_name(contents: StarterContents) -> None:
    page = asyncio.run(contents.get("mine.ipynb"))
    asyncio.run(contents.save(page, "mine.ipynb"))
    page = asyncio.run(contents.get("mine.ipynb"))
    state_folder.write(RESETS, {"resets": 1})
    before = (Path(contents.root_dir) / "mine.ipynb").read_text()
    with pytest.raises(HTTPError, match="Not saved: the course was reset") as refused:
        asyncio.run(contents.save(page, "mine.ipynb"))
    assert refused.value.status_code == 409
    assert (Path(contents.root_dir) / "mine.ipynb").read_text() == before

    page = asyncio.run(contents.get("mine.ipynb")) | {"path": "kept.ipynb"}
    state_folder.write(RESETS, {"resets": 2})
    asyncio.run(contents.save(page, "kept.ipynb"))
    kept = json.loads((Path(contents.root_dir) / "kept.ipynb").read_text())
    assert "workshop_resets" not in kept["metadata"]
