"""What a purge removes, what it leaves, and that no start comes between."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.stack import plan, shutdown, site
from tests.conftest import workshop
from workshop import state_folder
from workshop.errors import WorkshopError

pytestmark = pytest.mark.posix

PEOPLES = (
    "results.json",
    "mine.log",
    "logs/notes.log",
    "logs/workers.log",
    "postgis-notes.txt",
    "central/results.json",
)

HOLD = "from backstage.stack.lock import only_one\nwith only_one(): print('held', flush=True); input()"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))
    state_folder._state_dir.cache_clear()
    yield state_folder.state_dir()
    state_folder._state_dir.cache_clear()


@pytest.fixture
def full(state: Path) -> Path:
    """A state folder with one of everything that the course writes."""
    for pattern, meaning in state_folder.files().items():
        assert meaning
        path = state / pattern.replace("*", "1").replace("[0-9]", "1")
        path.parent.mkdir(exist_ok=True)
        if pattern.endswith("/"):
            path.mkdir(exist_ok=True)
            path /= "data"
        path.write_text("{}", encoding="utf-8")
    return state


def test_what_the_course_wrote_is_removed(full: Path) -> None:
    said: list[str] = []
    shutdown.down(said.append, purge=True)
    assert {path.name for path in full.iterdir()} == {"course", state_folder.MARK, "lock"}
    assert said[-1].startswith(f"Removed what the course wrote in {full}. Other files there stay")


def test_what_any_program_said_is_removed(state: Path) -> None:
    for name in (*plan.services(plan.NAMES), "worker20", "machine02", "class-flower"):
        log = site.new_site().log(name)
        log.write_text("it said so", encoding="utf-8")
    shutdown.down(lambda line: None, purge=True)
    assert not (state / "logs").exists()


def test_what_a_person_saved_there_stays(full: Path) -> None:
    said: list[str] = []
    (full / "central").mkdir()
    for name in PEOPLES:
        (full / name).write_text("mine", encoding="utf-8")
    shutdown.down(said.append, purge=True)
    found = {str(path.relative_to(full)) for path in full.rglob("*") if path.is_file()}
    ours = {"course/data", "lock", state_folder.MARK}
    assert found - ours == set(PEOPLES)
    state_folder._state_dir.cache_clear()
    assert state_folder.state_dir() == full, "it is still the course's"


def test_a_purge_is_refused_while_a_start_is_under_way(full: Path) -> None:
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starting:
        assert starting.stdout and starting.stdout.readline() == "held\n"
        with pytest.raises(WorkshopError, match="are being started or stopped"):
            shutdown.down(print, purge=True)
        starting.communicate("\n", timeout=120)
    assert (full / "postgis" / "data").exists()


def test_a_start_is_refused_while_a_purge_removes(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.CompletedProcess[str]] = []
    remove = shutdown.shutil.rmtree

    def start_meanwhile(*arguments: object, **options: object) -> None:
        if not started:
            started.append(workshop("up", "rabbitmq", timeout=240))
        remove(*arguments, **options)  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(shutdown.shutil, "rmtree", start_meanwhile)
    shutdown.down(lambda line: None, purge=True)
    assert "are being started or stopped" in started[0].stderr
    assert not (full / "rabbitmq").exists()
