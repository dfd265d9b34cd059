"""Which folder is taken as the state folder, and what happens to one that is not the course's."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import workshop
from workshop import state_folder
from workshop.errors import WorkshopError


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    state_folder._state_dir.cache_clear()
    yield
    state_folder._state_dir.cache_clear()


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that `WORKSHOP_STATE` names, and everyone may use."""
    folder = tmp_path / "named"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv("WORKSHOP_STATE", str(folder))
    return folder


@pytest.mark.posix
@pytest.mark.parametrize("name", ["letter.txt", "token.json", "settings.json"])
def test_a_folder_with_someone_elses_files_is_left_as_it_is(folder: Path, name: str) -> None:
    """As a home, /tmp, or the folder of another program that keeps a token."""
    (folder / name).write_text('{"token": "ya29", "refresh_token": "1//0e"}', encoding="utf-8")
    with pytest.raises(WorkshopError, match=rf"WORKSHOP_STATE is '{folder}'.*holds '{name}'.*Next: "):
        state_folder.state_dir()
    assert mode(folder) == 0o777
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.posix
def test_an_empty_folder_and_one_that_does_not_exist_are_taken(folder: Path) -> None:
    assert state_folder.state_dir() == folder
    assert mode(folder) == 0o700
    folder.rename(folder.with_name("moved"))
    state_folder._state_dir.cache_clear()
    assert mode(state_folder.state_dir()) == 0o700


def test_a_folder_of_the_course_is_taken_again(folder: Path) -> None:
    state_folder.state_dir()
    (folder / "results.json").touch()
    state_folder._state_dir.cache_clear()
    assert state_folder.state_dir() == folder


def test_the_command_says_it_in_a_sentence(folder: Path) -> None:
    (folder / "letter.txt").touch()
    for command in (("status",), ("up", "--detach"), ("down", "--purge")):
        said = workshop(*command)
        assert said.returncode == 3
        assert said.stderr.startswith(f"Error: WORKSHOP_STATE is '{folder}'") and "Next: " in said.stderr
        assert not said.stdout
