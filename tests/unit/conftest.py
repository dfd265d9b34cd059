"""A state folder of a test's own, in which nothing runs."""

import os
from pathlib import Path

import pytest

from workshop import state_folder

_WITHOUT_SERVICES = os.environ["WORKSHOP_STATE"]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """See nothing of the services that other files use in this process until the run ends."""
    for name in [name for name in os.environ if name.startswith("WORKSHOP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WORKSHOP_STATE", _WITHOUT_SERVICES)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))
    return state_folder.state_dir()
