"""The parts of the stack that need no running service."""

import asyncio
import errno
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from backstage import scale
from backstage.stack import binaries, control, keeper, lock, logs, plan, startup
from backstage.stack.keeper import Keeper
from backstage.stack.ports import USUAL_PORTS, free_ports
from backstage.stack.process import born
from backstage.stack.service import NotReady, Service
from backstage.stack.site import Site
from tests.conftest import wait_for, workshop
from workshop import settings, state_folder
from workshop.errors import WorkshopError

CONDA = (
    "bin/initdb",
    "bin/postgres",
    "lib/rabbitmq/sbin/rabbitmq-server",
)


@pytest.fixture
def conda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in CONDA:
        program = tmp_path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(mode=0o755)
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("share", ["share/extension", "share/postgresql/extension"])
def test_conda_comes_first(conda: Path, share: str) -> None:
    (conda / share).mkdir(parents=True)
    (conda / share / "postgis.control").touch()
    assert binaries.find("initdb") == conda / "bin/initdb"
    assert binaries.find("rabbitmq-server") == conda / "lib/rabbitmq/sbin/rabbitmq-server"


def test_a_postgresql_without_postgis_is_passed_over(conda: Path) -> None:
    with suppress(binaries.Missing):
        assert binaries.find("initdb") != conda / "bin/initdb"


def test_what_is_missing_is_named_as_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_folders", lambda *_: [])
    assert binaries.missing_packages()[:2] == ["postgresql-postgis", "rabbitmq-server"]


def test_the_set_up_can_ask_without_any_package() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-I", binaries.__file__, "no-such-program"], capture_output=True
    )
    assert done.returncode == 0
    assert b"no-such-program" in done.stdout


@pytest.mark.posix
def test_each_program_has_a_port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for usual in ("any", ""):
        monkeypatch.setenv("WORKSHOP_PORTS", usual)
        ports = free_ports()
        assert ports.keys() == USUAL_PORTS.keys()
        assert len({*ports.values()}) == len(USUAL_PORTS)
        assert usual != "any" or not set(USUAL_PORTS.values()) & set(ports.values())


@pytest.mark.posix
def test_a_taken_port_is_replaced_by_the_next_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_PORTS", "any")
    first = free_ports()["postgis"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()
        assert first < free_ports()["postgis"] <= first + 100


@pytest.mark.posix
def test_born_tells_a_process_from_others() -> None:
    assert born(os.getpid()) == born(os.getpid())
    process = subprocess.Popen([sys.executable, "-c", ""])
    assert born(process.pid) is not None
    process.wait()
    assert born(process.pid) is None


def test_the_last_error_of_the_last_start(tmp_path: Path) -> None:
    log = tmp_path / "worker1.log"
    logs.begin(log)
    with log.open("a", encoding="utf-8") as output:
        output.write(
            f'  File "{state_folder.ROOT}/workshop/tasks.py", line 7, in <module>\n'
            '  File "/usr/lib/python3/json.py", line 3, in loads\n'
            "json.decoder.JSONDecodeError: Expecting value\n"
        )
    said = "workshop/tasks.py, line 7: json.decoder.JSONDecodeError: Expecting value"
    assert logs.failure(logs.latest(log)) == said
    logs.begin(log)
    assert logs.failure(logs.latest(log)) == ""
    assert logs.failure(logs.latest(tmp_path / "none.log")) == ""


@pytest.mark.posix
def test_who_asks_is_told_what_ended_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))
    for variable, wrong in (("WORKSHOP_PROCESSES", "64"), ("WORKSHOP_WORKERS", "20")):
        monkeypatch.setenv(variable, wrong)
    with pytest.raises(WorkshopError, match="= 1300 sessions at PostGIS"):
        startup.up(("worker",), print, print)
    shown = workshop("status", **{"WORKSHOP_STATE": str(tmp_path / "state")})
    assert shown.returncode == 3
    assert "not running. The last start failed: Workers x" in shown.stderr


def test_a_log_is_shown_without_colours(tmp_path: Path) -> None:
    log = tmp_path / "rabbitmq.log"
    log.write_text("one\n\x1b[38;5;246mtwo\x1b[0m\nthree\n", encoding="utf-8")
    assert logs.tail(log, 2) == "    two\n    three"


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    ("name", "value", "most"),
    [("workers", 0, 20), ("workers", 21, 20), ("workers", "two", 20), ("processes", "x", 64)],
)
def test_a_number_that_can_not_be_is_refused(
    name: str, value: Any, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "services", lambda: {"worker1": "ready"})
    said = f"{name} is {value!r}. It must be a whole number from 1 to {most}. Next: "
    with pytest.raises(WorkshopError, match=said):
        scale(**{"workers": 2, name: value})
    assert state_folder.read("settings.json") == {}


@pytest.mark.usefixtures("state")
def test_more_workers_than_the_database_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "services", lambda: {"worker1": "ready"})
    with pytest.raises(WorkshopError, match="10 x 21 = 210 sessions at PostGIS, more than the 80"):
        scale(10, processes=20)
    assert state_folder.read("settings.json") == {}


def test_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "get", {"workers": 2}.get)
    wanted = plan.services(("postgis", "rabbitmq", "worker"))
    assert set(wanted) == {"postgis", "rabbitmq", "worker1", "worker2"}
    assert all(name == service.name for name, service in wanted.items())
    monkeypatch.setattr(settings, "get", {"workers": 0}.get)
    assert set(plan.services(("rabbitmq", "worker"))) == {"rabbitmq"}


def test_what_a_later_start_added_is_in_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))
    state_folder.write("parts.json", {"added": ["flower"]})
    assert set(plan.services(("rabbitmq",))) == {"rabbitmq", "flower"}


def run_keeper(tmp_path: Path, code: str, may_fail: bool = False, **options: Any) -> str:
    """Run a service that is this Python code until it is ready or broke; return what was said of it last."""

    async def run() -> str:
        kept = Keeper(Site(tmp_path, {}, ""), {}, lambda: None, may_fail=may_fail)
        kept.start(service)
        while not kept.task.done() and kept.status.state not in ("ready", "broken"):
            await asyncio.sleep(0.01)
        kept.stop()
        with suppress(asyncio.CancelledError):
            await kept.task
        return kept.status.message

    (tmp_path / "logs").mkdir(parents=True)
    service = Service("short", lambda site: [sys.executable, "-c", code], **options)
    return asyncio.run(run())


@pytest.mark.posix
def test_a_service_that_ends_is_told_with_its_error(tmp_path: Path) -> None:
    said = run_keeper(tmp_path, "1 / 0", probe=_refuse)
    assert "exit code 1: ZeroDivisionError: division by zero; started again" in said


@pytest.mark.posix
def test_a_prober_of_any_kind_does_not_end_the_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "PATIENCE", 0.3)
    said = run_keeper(tmp_path, "import time; time.sleep(60)", probe=_burst)
    assert "did not answer within 0.3 s: KeyError: 'what'" in said


@pytest.mark.posix
def test_an_essential_service_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match="short did not start: it was ended by SIGKILL") as failed:
        run_keeper(tmp_path, "import os; os.kill(os.getpid(), 9)", probe=_refuse, essential=True)
    assert "Next: " in str(failed.value)


@pytest.mark.posix
def test_a_stop_while_a_program_is_ended_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    stubborn = f"trap 'touch {asked}' TERM; while :; do sleep 0.1; done"
    service = Service("stubborn", lambda site: ["/bin/sh", "-c", stubborn], _refuse)

    async def run() -> int | None:
        kept = Keeper(Site(tmp_path, {}, ""), {}, lambda: None)
        kept.start(service)
        await asyncio.to_thread(wait_for, asked.exists, 20, "the end of one that did not get ready")
        kept.stop()
        await kept.until_gone()
        return kept.status.pid

    (tmp_path / "logs").mkdir()
    monkeypatch.setattr(keeper, "PATIENCE", 1)
    assert not psutil.pid_exists(asyncio.run(run()) or 0)


@pytest.mark.posix
def test_an_essential_service_that_comes_later_does_not_end_the_others(tmp_path: Path) -> None:
    said = run_keeper(tmp_path, "1 / 0", may_fail=True, probe=_refuse, essential=True)
    assert "ZeroDivisionError: division by zero; started again" in said


@pytest.mark.posix
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_folder_without_file_locks_is_refused(
    state: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    said = rf"{state} can't be locked \(.*\), as on some network drives.*set WORKSHOP_STATE"
    with pytest.raises(WorkshopError, match=said), lock.only_one():
        pass


@pytest.mark.posix
def test_what_can_not_be_finished_ends_a_first_start_and_is_told_of_a_later_one(tmp_path: Path) -> None:
    """As another version's queue that RabbitMQ has; ending the broker would mend nothing."""

    def differ(site: Site) -> None:
        raise WorkshopError("RabbitMQ has queue 'squares' with other arguments.")

    options = {"probe": lambda site: None, "finish": differ, "essential": True}
    with pytest.raises(WorkshopError, match="^RabbitMQ has queue 'squares' with other arguments"):
        run_keeper(tmp_path / "first", "import time; time.sleep(60)", **options)
    said = run_keeper(tmp_path / "later", "import time; time.sleep(60)", may_fail=True, **options)
    assert said == "RabbitMQ has queue 'squares' with other arguments."


def _refuse(site: Site) -> None:
    raise NotReady("not yet")


def _burst(site: Site) -> None:
    raise KeyError("what")


@pytest.mark.posix
def test_further_packages_are_known_by_their_program_or_library() -> None:
    found = {name: binaries._has_program_or_library(name) for name in ("sh", "no-such-program", "libc6")}
    assert found == {"sh": True, "no-such-program": False, "libc6": True}
