"""Which source of a setting wins, and that the files are whole, private and never read stale."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from workshop import machine, settings


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("BROKER_URL", "DATABASE_URL", "FAULT_RATE", "PACE", "SEED"):
        monkeypatch.delenv(f"WORKSHOP_{name}", raising=False)
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "the state"))
    machine._state_dir.cache_clear()
    yield tmp_path / "the state"
    machine._state_dir.cache_clear()


def test_the_first_source_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(settings.NotRunning, match="not running. Next: make lab, or workshop up"):
        settings.broker_url()
    machine.write("stack.json", {"broker_url": "stack"})
    assert settings.broker_url() == "stack"
    monkeypatch.setenv("WORKSHOP_BROKER_URL", "environment")
    assert settings.broker_url() == "environment"
    settings.change(broker_url="changed")
    assert settings.broker_url() == "changed"
    machine.write("joined.json", {"broker_url": "joined"})
    assert settings.broker_url() == "joined"


def test_a_starter_brings_its_own_numbers(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    challenge = state.parent / "challenge.json"
    monkeypatch.setattr(settings, "CHALLENGE", challenge)
    assert settings.fault_rate() == 0
    challenge.write_text('{"challenge": 2, "fault_rate": 0.1}', encoding="utf-8")
    assert settings.fault_rate() == 0.1
    machine.write("stack.json", {"fault_rate": 0.2})
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


@pytest.mark.posix
def test_files_are_private_and_replaced_as_a_whole(state: Path) -> None:
    machine.write("joined.json", {"password": "long " * 1000})
    with (state / "joined.json").open(encoding="utf-8") as reader:
        machine.write("joined.json", {"password": "short"})
        assert len(json.load(reader)["password"]) == 5000
    assert machine.read("joined.json") == {"password": "short"}
    assert stat.S_IMODE((state / "joined.json").stat().st_mode) == 0o600
    assert [path.name for path in state.iterdir()] == ["joined.json"]


def test_a_change_is_seen_at_once() -> None:
    for number in range(500):
        settings.change(pace=number)
        assert settings.pace() == number


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
    far = machine.state_dir()
    assert far.parent == tmp_path / "home" / "workshop"
    assert stat.S_IMODE(far.stat().st_mode) == 0o700


def test_no_usable_folder_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "file" / "state"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(OSError, match="Set WORKSHOP_STATE to a folder"):
        machine.state_dir()
