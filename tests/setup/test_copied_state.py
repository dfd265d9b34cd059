"""A copied state folder: what the first folder's services wrote there counts for nothing in the copy."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backstage.stack.process import born
from backstage.stack.shutdown import down
from backstage.stack.status import running
from tests.setup.course import run
from workshop import state_folder


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_copy_never_takes_the_first_folders_services_for_its_own(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as first:
        started = {"pid": first.pid, "born": born(first.pid)}
        state_folder.write("stack.json", started | {"services": {"postgis": started}} | state_folder.here())
        try:
            assert running()
            shutil.copytree(state, tmp_path / "copy")
            monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "copy"))
            assert running() is None and state_folder.read("stack.json") == {}
            down(print)
            assert first.poll() is None, "the copy ended the first folder's database"
        finally:
            first.kill()


def test_a_copy_has_not_joined(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state_folder.write("joined.json", {"broker_url": "amqp://central"} | state_folder.here())
    shutil.copytree(state, tmp_path / "copy")
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "copy"))
    assert state_folder.read("joined.json") == {}


def test_a_folder_that_was_moved_keeps_what_it_holds(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_folder.write("joined.json", {"broker_url": "amqp://central"} | state_folder.here())
    state.rename(tmp_path / "moved")
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "moved"))
    assert state_folder.read("joined.json")["broker_url"] == "amqp://central"


def test_a_copied_command_says_so_before_it_is_set_up_anew(tmp_path: Path) -> None:
    first = Path(sys.prefix)
    (copy := tmp_path / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(first / "pyvenv.cfg", copy.parent)
    shutil.copy(first / "bin" / "workshop", copy)
    done = run(tmp_path, ".venv/bin/workshop", "down", WORKSHOP_STATE=str(tmp_path / "state"))
    assert done.returncode == 3
    assert f"The folder of {copy.parent} was copied" in done.stderr
    assert "\nNext: sh scripts/setup.sh" in done.stderr
