"""A state folder of a test's own, in which nothing runs."""

from pathlib import Path

import pytest

from workshop import state_folder


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))
    return state_folder.state_dir()
