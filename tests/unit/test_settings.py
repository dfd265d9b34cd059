"""Which source of a setting wins, and that the files are whole, private and never read stale."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from backstage.stack.process import born
from tests.conftest import wait_for, workshop
from workshop import settings, state_folder
from workshop.delivery.record import FILE
from workshop.errors import WorkshopError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is not there yet."""
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "the state"))
    return tmp_path / "the state"


def test_the_first_source_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkshopError, match="not running. Next: make lab, or workshop up"):
        settings.broker_url()
    state_folder.write("stack.json", {"broker_url": "stack"})
    assert settings.broker_url() == "stack"
    monkeypatch.setenv("WORKSHOP_BROKER_URL", "environment")
    assert settings.broker_url() == "environment"
    settings.change(broker_url="changed")
    assert settings.broker_url() == "changed"
    state_folder.write("joined.json", {"broker_url": "joined"})
    assert settings.broker_url() == "joined"


def test_a_starter_brings_its_own_numbers(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    challenge = state.parent / "challenge.json"
    monkeypatch.setattr(settings, "CHALLENGE", challenge)
    assert settings.fault_rate() == 0
    challenge.write_text('{"challenge": 2, "fault_rate": 0.1}', encoding="utf-8")
    assert settings.fault_rate() == 0.1
    state_folder.write("stack.json", {"fault_rate": 0.2})
    assert settings.fault_rate() == 0.2
    settings.change(fault_rate=0)
    assert settings.fault_rate() == 0


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_SEED", "")
    assert settings.seed() is None
    monkeypatch.setenv("WORKSHOP_SEED", "7")
    assert settings.seed() == 7


def test_a_change_is_taken_back_by_none_and_zero_is_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_FAULT_RATE", "0.5")
    settings.change(fault_rate=0, pace=20)
    assert (settings.fault_rate(), settings.pace()) == (0, 20)
    settings.change(fault_rate=None)
    assert (settings.fault_rate(), settings.pace()) == (0.5, 20)


NOWHERE = {"WORKSHOP_BROKER_URL": "amqp://127.0.0.1:1/none"}

WRONG = [
    ("pace", "fast", "a number from 0 to 60,000"),
    ("pace", -1, "a number from 0 to 60,000"),
    ("pace", "inf", "a number from 0 to 60,000"),
    ("fault_rate", 7, "a number from 0 to 1"),
    ("fault_rate", "lots", "a number from 0 to 1"),
    ("fault_rate", "nan", "a number from 0 to 1"),
    ("seed", "abc", "a whole number"),
    ("seed", 1.5, "a whole number"),
    ("workers", 21, "a whole number from 0 to 20"),
    ("profile", "slow", "usual or fast"),
    ("processes", "many", "a whole number from 1 to 64"),
    ("tasks", [40], "a whole number from 1 to 1,000,000"),
    ("haste", 0, "a number from 1 to 1,000"),
]


@pytest.mark.parametrize(("name", "value", "right"), WRONG)
def test_a_wrong_value_is_refused_and_nothing_is_changed(name: str, value: object, right: str) -> None:
    settings.change(pace=20)
    with pytest.raises(WorkshopError) as refused:
        settings.change(**{"seed": 1, name: value})
    assert str(refused.value).startswith(f"{name} is {value!r}. It must be {right}")
    assert "Next: " in str(refused.value)
    assert state_folder.read("settings.json") == {"pace": 20}


def test_an_unknown_name_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(WorkshopError, match="There is no setting 'pase'.*fault_rate, pace, seed"):
        settings.change(pase=20)
    assert state_folder.read("settings.json") == {}


@pytest.mark.parametrize(
    ("name", "value", "right"), [each for each in WRONG if isinstance(each[1], str)], ids=str
)
def test_a_wrong_variable_is_named_with_its_value_and_what_is_right(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, right: str
) -> None:
    variable = f"WORKSHOP_{name.upper()}"
    monkeypatch.setenv(variable, value)
    for look in (settings.check, lambda: settings.get(name)):
        with pytest.raises(WorkshopError) as refused:
            look()
        assert str(refused.value).startswith(f"{variable} is '{value}'. It must be {right}")


@pytest.mark.posix
def test_no_service_is_started_with_a_wrong_variable() -> None:
    done = workshop("up", "worker", WORKSHOP_PACE="fast")
    assert done.returncode == 3
    assert "Error: WORKSHOP_PACE is 'fast'. It must be a number from 0 to 60,000. Next: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.posix
def test_the_demo_does_not_begin_with_a_wrong_variable(state: Path) -> None:
    """Services run, so that it would send at once."""
    state_folder.write("stack.json", {"pid": os.getpid(), "born": born(os.getpid()), "services": {}})
    done = workshop("demo", WORKSHOP_SEED="abc")
    assert done.returncode == 3
    assert (
        done.stderr
        == "Error: WORKSHOP_SEED is 'abc'. It must be a whole number. Next: mend it, or unset it\n"
    )
    assert not (state / FILE).exists()


def test_nothing_is_sent_with_a_wrong_variable(state: Path) -> None:
    send = "from workshop.tasks import do_task; do_task.delay(325200, 673500)"
    done = subprocess.run(
        [sys.executable, "-c", send],
        env=os.environ | NOWHERE | {"WORKSHOP_PACE": "fast"},
        capture_output=True,
        text=True,
    )
    assert "WorkshopError: WORKSHOP_PACE is 'fast'. It must be a number from 0 to 60,000." in done.stderr
    assert not (state / FILE).exists()


def test_a_worker_that_someone_starts_ends_before_its_first_task() -> None:
    command = [sys.executable, "-m", "celery", "-A", "workshop.tasks", "worker", "-n", "mine@%h"]
    done = subprocess.run(
        command,
        env=os.environ | NOWHERE | {"WORKSHOP_PACE": "fast"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 1
    assert "Error: WORKSHOP_PACE is 'fast'." in done.stderr


def test_changes_of_several_processes_at_the_same_time_are_all_kept() -> None:
    change = """if True:
        import sys, time
        from workshop import settings
        read = settings.read
        def read_slowly(name):
            found = read(name)
            time.sleep(0.5)  # long enough for the others to read the same
            return found
        settings.read = read_slowly
        settings.change(**{sys.argv[1]: 1})
    """
    names = ["pace", "seed", "workers", "processes"]
    running = [subprocess.Popen([sys.executable, "-c", change, name]) for name in names]
    assert [process.wait(240) for process in running] == [0] * len(names)
    assert state_folder.read("settings.json") == dict.fromkeys(names, 1)


@pytest.mark.posix
def test_files_are_private_and_replaced_as_a_whole(state: Path) -> None:
    state_folder.write("joined.json", {"password": "long " * 1000})
    with (state / "joined.json").open(encoding="utf-8") as reader:
        state_folder.write("joined.json", {"password": "short"})
        assert len(json.load(reader)["password"]) == 5000
    assert state_folder.read("joined.json") == {"password": "short"}
    assert stat.S_IMODE((state / "joined.json").stat().st_mode) == 0o600
    assert {path.name for path in state.iterdir()} == {state_folder.MARK, "joined.json"}


def test_a_change_is_seen_at_once() -> None:
    for number in range(500):
        settings.change(pace=number)
        assert settings.pace() == number


def test_a_task_looks_once_and_meets_one_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it asks for costs one look at the state folder, however much that is."""
    settings.change(pace=20)
    state, looked, true_stat = state_folder.state_dir(), [], os.stat
    wait_for(lambda: settings._from_files() is settings._from_files(), 5, "files that are old enough")
    monkeypatch.setattr(os, "stat", lambda path, **options: looked.append(path) or true_stat(path, **options))
    with settings.steady():
        assert (settings.pace(), settings.fault_rate()) == (20, 0)
        assert looked == [state]
        settings.change(pace=30)
        assert settings.pace() == 20
    assert settings.pace() == 30


@pytest.mark.posix
def test_a_folder_that_ignores_permissions_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    """As on a shared drive, where chmod does nothing and everyone may read everything."""
    true_mkdir, true_chmod = Path.mkdir, Path.chmod

    def mkdir(path: Path, mode: int = 0o777, **options: bool) -> None:
        true_mkdir(path, **options)
        if path == state:
            true_chmod(path, 0o777)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(Path, "chmod", lambda path, mode: None if path == state else true_chmod(path, mode))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    far = state_folder.state_dir()
    assert far.parent == tmp_path / "home" / "workshop"
    assert stat.S_IMODE(far.stat().st_mode) == 0o700


def test_no_usable_folder_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "file" / "state"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(WorkshopError, match="set WORKSHOP_STATE to a folder"):
        state_folder.state_dir()
