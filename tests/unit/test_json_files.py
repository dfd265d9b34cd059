"""Small files that many read and change: always whole, no copy shared by mistake, no draft left over."""

import errno
import threading
from pathlib import Path

import pytest

from workshop import json_files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.json"


def test_who_changes_what_was_read_changes_nobody_elses(file: Path) -> None:
    json_files.write(file, {"services": {"lab": {"state": "ready"}}})
    mine = json_files.read(file)
    mine["services"]["lab"]["state"] = "broken"
    mine["pace"] = 20
    assert json_files.read(file) == {"services": {"lab": {"state": "ready"}}}


def test_threads_that_write_one_file_never_meet(file: Path) -> None:
    failed: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(100):
                json_files.write(file, {"writer": number, "text": str(number) * 5000})
                found = json_files.read(file)
                assert found["text"] == str(found["writer"]) * 5000
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert list(file.parent.iterdir()) == [file]


def test_a_full_disk_leaves_the_file_as_it_was_and_no_draft(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    json_files.write(file, {"pace": 20})

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        json_files.write(file, {"pace": 30})
    assert json_files.read(file) == {"pace": 20}
    assert list(file.parent.iterdir()) == [file]


def test_what_is_no_json_leaves_no_draft(file: Path) -> None:
    with pytest.raises(TypeError):
        json_files.write(file, {"value": object()})
    assert list(file.parent.iterdir()) == []
