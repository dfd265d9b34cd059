"""What goes wrong beside the services ends neither them nor their watching: it is said once."""

import asyncio
import errno
import itertools
import shutil
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest

from backstage.stack import plan, watch
from backstage.stack.ports import USUAL_PORTS
from backstage.stack.service import Service
from backstage.stack.site import Site
from backstage.stack.supervisor import Supervisor
from tests.conftest import wait_for
from workshop import json_files, settings, state_folder

pytestmark = pytest.mark.posix


class Stack:
    """A supervisor of one small program, and what it said."""

    def __init__(self, state: Path) -> None:
        self.said: list[str] = []
        self.supervisor = Supervisor(Site(state, USUAL_PORTS, ""), ("worker",), self.said.append)

    def count(self, words: str) -> int:
        return sum(words in line for line in self.said)

    def state(self) -> str:
        return state_folder.read("stack.json")["services"]["sleeper"]["state"]

    async def until(self, condition: Callable[[], object]) -> None:
        await asyncio.to_thread(wait_for, condition, 20)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    state, code = tmp_path / "state", tmp_path / "code"
    state_folder.claim(state)
    for folder in (state / "logs", code):
        folder.mkdir()
    monkeypatch.setenv("WORKSHOP_STATE", str(state))
    monkeypatch.setattr(watch, "CODE", code)
    monkeypatch.setattr("backstage.stack.watch.ROOT", tmp_path)
    monkeypatch.setattr(plan, "services", lambda *_: {"sleeper": sleeper(str(settings.get("pace")))})
    return Stack(state)


def sleeper(setting: str) -> Service:
    program = [sys.executable, "-c", "import time; time.sleep(600)", setting]
    return Service("sleeper", lambda _: program, lambda _: None, reloads=True)


def run(stack: Stack, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the supervisor while something happens to it, and require that it lives until it is stopped."""

    async def both() -> None:
        ready = asyncio.Event()
        supervising = asyncio.create_task(stack.supervisor.run(ready.set))
        await asyncio.wait_for(ready.wait(), 20)
        try:
            await scenario()
            assert not supervising.done(), stack.said
        finally:
            supervising.cancel()
            await asyncio.wait([supervising])

    asyncio.run(both())


def test_a_full_disk_is_said_once_and_written_down_when_there_is_room(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, write, number = True, json_files.write, itertools.count()

    def to_a_full_disk(path: Path, content: dict[str, Any]) -> None:
        if full and path.name == "stack.json":
            raise OSError(errno.ENOSPC, "No space left on device", f"{path}.draft-{next(number)}")
        write(path, content)

    async def scenario() -> None:
        nonlocal full
        monkeypatch.setattr(json_files, "write", to_a_full_disk)
        settings.change(pace=1)
        await stack.until(lambda: stack.count("sleeper    ready") == 2)
        assert stack.count("No space left") == 1
        assert state_folder.read("stack.json")["matches"]["settings"] == {}
        full = False
        await stack.until(lambda: state_folder.read("stack.json")["matches"]["settings"] == {"pace": 1})
        await stack.until(lambda: stack.state() == "ready")

    run(stack, scenario)


def test_a_spoilt_settings_file_is_said_once_and_the_next_good_one_counts(stack: Stack) -> None:
    async def scenario() -> None:
        (state_folder.state_dir() / "settings.json").write_text("{")
        await stack.until(lambda: stack.count("settings.json"))
        settings_file = state_folder.state_dir() / "settings.json"
        settings_file.unlink()
        settings.change(pace=2)
        await stack.until(lambda: stack.count("sleeper    ready") == 2)
        assert stack.count("settings.json") == 1

    run(stack, scenario)


def test_an_error_of_the_watcher_is_said_once_and_saved_files_are_watched_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, errors = watch.saved, ["the disk is gone"] * 2

    def fails_twice() -> Any:
        if errors:
            raise OSError(errors.pop())
        return look()

    async def scenario() -> None:
        monkeypatch.setattr(watch, "saved", fails_twice)
        await until_noticed(stack, "tasks.py")
        assert stack.count("the disk is gone") == 1

    run(stack, scenario)


def test_a_folder_of_code_that_goes_and_comes_back_is_watched_again(stack: Stack) -> None:
    async def scenario() -> None:
        await until_noticed(stack, "tasks.py")
        before = stack.count("tasks.py was saved")
        shutil.rmtree(watch.CODE)
        await stack.until(lambda: stack.count("tasks.py was saved") > before)
        watch.CODE.mkdir()
        await until_noticed(stack, "service.py")

    run(stack, scenario)


async def until_noticed(stack: Stack, name: str) -> None:
    """Save a file until that is noticed: when a watch begins can't be seen."""

    def save() -> bool:
        path = watch.CODE / name
        path.write_text(f"{path.read_text() if path.exists() else ''}# saved\n")
        return f"{name} was saved" in " ".join(stack.said)

    await stack.until(save)


def test_what_fails_beside_the_services_does_not_end_them(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(supervisor: Supervisor) -> None:
        raise RuntimeError("it fell over")

    async def scenario() -> None:
        await stack.until(lambda: stack.count("it fell over"))
        settings.change(pace=3)
        await stack.until(lambda: stack.count("sleeper    ready") == 2)

    monkeypatch.setattr(Supervisor, "_follow_code", fail)
    run(stack, scenario)


def test_a_failure_of_its_own_is_loud_and_leaves_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []

    def fail() -> None:
        pids.append(state_folder.read("stack.json")["services"]["sleeper"]["pid"])
        raise RuntimeError("it fell over")

    with pytest.raises(RuntimeError, match="it fell over"):
        asyncio.run(stack.supervisor.run(fail))
    assert not psutil.pid_exists(*pids)
    assert not (state_folder.state_dir() / "stack.json").exists()


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file where a program notes that it begins, and that it ended its work, which takes a second."""
    notes = tmp_path / "notes"
    slow = (
        "import signal, sys, time; note = lambda word: print(word, file=open(sys.argv[1], 'a'), flush=True);"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), note('end'), sys.exit()));"
        "note('begin'); time.sleep(600)"
    )
    service = Service(
        "sleeper", lambda _: [sys.executable, "-c", slow, str(notes)], lambda _: None, reloads=True
    )
    monkeypatch.setattr(plan, "services", lambda *_: {"sleeper": service})
    return notes


async def save(stack: Stack, name: str) -> None:
    (watch.CODE / name).write_text("# saved\n")
    await stack.until(lambda: name in str(state_folder.read("stack.json")["services"]))


def test_two_saves_while_it_ends_its_work_never_make_two_programs(stack: Stack, notes: Path) -> None:
    async def scenario() -> None:
        await stack.until(notes.exists)
        for name in ("tasks.py", "service.py"):
            await save(stack, name)
        await stack.until(lambda: notes.read_text().split()[-2:] == ["end", "begin"])

    run(stack, scenario)
    assert notes.read_text().split() == ["begin", "end"] * 2


def test_a_stop_right_after_a_save_waits_for_the_end_of_its_work(stack: Stack, notes: Path) -> None:
    async def scenario() -> None:
        await stack.until(notes.exists)
        await save(stack, "tasks.py")

    run(stack, scenario)
    assert notes.read_text().split() == ["begin", "end"]


def test_one_not_wanted_right_after_a_save_is_there_until_the_end_of_its_work(
    stack: Stack, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await stack.until(notes.exists)
        await save(stack, "tasks.py")
        monkeypatch.setattr(plan, "services", lambda *_: {})
        settings.change(pace=4)
        await stack.until(lambda: not state_folder.read("stack.json")["services"])
        assert notes.read_text().split() == ["begin", "end"]

    run(stack, scenario)
