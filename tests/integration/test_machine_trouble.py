"""Computers unlike others: the course goes on there, or says in a sentence why it can't."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import wait_for
from tests.denied import refusing
from tests.integration.machine import CORE, ROOT, Machine, command_line, copy_course, lives
from tests.integration.odd_machine import (
    IS_ROOT,
    NAMELESS,
    NAMELESS_ALONE,
    ROOT_ALONE,
    OddMachine,
    filled,
    small_disk,
)
from workshop.state_folder import claim

NO_INOTIFY = "echo 0 > /proc/sys/user/max_inotify_instances"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OddMachine]:
    """Start services on a small disk, on a machine whose inotify is used up."""
    folder = tmp_path_factory.mktemp("trouble")
    with small_disk(folder / "state", 400, copy_course(folder / "course"), NO_INOTIFY) as machine:
        machine.workshop("up", "--detach", *CORE)
        yield machine


def test_saved_files_are_noticed_without_inotify(machine: OddMachine) -> None:
    before = machine.service("worker1")["pid"]
    tasks = machine.course / "workshop/tasks.py"

    def noticed() -> bool:
        tasks.write_text(tasks.read_text() + "# saved\n")
        return machine.service("worker1")["message"] == "tasks.py was saved"

    wait_for(noticed, 30, "the notice of a saved file")
    machine.until_again("worker1", before, 90)


def test_a_full_disk_does_not_end_the_watching(machine: OddMachine) -> None:
    before = machine.service("worker1")
    supervisor = psutil.Process(machine.stack()["pid"])
    with filled(machine.files):
        psutil.Process(before["pid"]).kill()
        wait_for(lambda: before["pid"] not in workers(supervisor), 20, "the end of the killed worker")
        wait_for(lambda: workers(supervisor), 60, "another worker")
    machine.until_again("worker1", before["pid"], 90)
    assert lives(supervisor)
    assert machine.sql("SELECT count(*) FROM uk_boundary") == [(5,)]


def workers(supervisor: psutil.Process) -> set[int]:
    return {child.pid for child in supervisor.children() if "worker1@" in command_line(child)}


def test_more_processes_than_the_database_takes_are_refused(machine: OddMachine) -> None:
    before = machine.stack()["services"].keys()
    shown = machine.workshop("scale", "10", "-c", "20", code=3)
    assert "10 x 21 = 210 sessions at PostGIS, more than the 80 that it has for them (100 in all" in shown
    assert machine.stack()["services"].keys() == before


def test_a_stopped_launcher_ends(machine: OddMachine) -> None:
    """As one that was left with Ctrl-Z. This is the last test of this machine."""
    supervisor = psutil.Process(machine.stack()["pid"])
    processes = {supervisor, *supervisor.children(recursive=True)}
    supervisor.suspend()
    wait_for(lambda: supervisor.status() == psutil.STATUS_STOPPED, 5, "the stop")
    assert "All services are stopped" in machine.workshop("down", timeout=240)
    assert not any(map(lives, processes))


def test_a_user_whose_number_has_no_name(tmp_path: Path) -> None:
    machine = OddMachine(tmp_path / "state", before=NAMELESS)
    try:
        assert "READY\n" in machine.workshop("up", "--detach", *CORE, HOME="/nowhere")
        assert machine.sql("SELECT count(*) FROM uk_boundary") == [(5,)]
    finally:
        machine.workshop("down", "--purge")


@pytest.mark.parametrize(
    ("before", "reason"),
    [(ROOT_ALONE, "number 0 can't become one here"), (NAMELESS_ALONE, "number 54321 can't become one here")],
    ids=["root", "nameless"],
)
def test_without_namespaces_it_is_said_who_can_start_it(
    before: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    machine = OddMachine(tmp_path / "state", before=before)
    shown = machine.workshop("up", "postgis", code=3)
    assert reason in shown
    assert "Next: the same as an ordinary user of this computer, or with Docker" in shown
    assert "purge" not in shown


@pytest.mark.skipif(not IS_ROOT, reason="only root can run PostgreSQL as another account")
def test_root_runs_the_database_as_another_account(tmp_path: Path) -> None:
    """Without a namespace, which a plain container does not have. Files that root copied serve, too."""
    machine = OddMachine(tmp_path / "state", first=refusing("unshare", errno.EPERM))
    try:
        machine.workshop("up", "--detach", "postgis")
        server = psutil.Process(machine.service("postgis")["pid"])
        assert server.username() != "root"
        machine.sql("CREATE TABLE notes (note text)")
        machine.sql("INSERT INTO notes VALUES ('kept')")
        processes = machine.processes()
        psutil.Process(machine.stack()["pid"]).kill()
        machine.until_gone(processes, 20)
        for path in (machine.state / "postgis", *(machine.state / "postgis").rglob("*")):
            os.chown(path, 0, 0)
        machine.workshop("up", "--detach", "postgis")
        assert machine.sql("SELECT note FROM notes") == [("kept",)]
    finally:
        assert "Removed" in machine.workshop("down", "--purge")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_folder_without_file_locks_is_refused(number: int, tmp_path: Path) -> None:
    machine = OddMachine(tmp_path / "state", first=refusing("flock", number))
    for command in (("up", "postgis"), ("up", "--detach", "postgis"), ("down",)):
        shown = machine.workshop(*command, code=3)
        assert f"{machine.state} can't be locked ({os.strerror(number)}), as on some network drives" in shown
        assert "Next: set WORKSHOP_STATE to a folder on a disk of this computer" in shown


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state", 100, ROOT) as machine:
        for options in ((), ("--detach",)):
            shown = machine.workshop("up", *options, "postgis", code=3)
            assert "has only 105 MB free; the services need 150 MB" in shown
            assert "Next: make room" in shown


def test_a_start_with_more_processes_than_sessions_is_refused(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "state")
    shown = machine.workshop("up", *CORE, code=3, WORKSHOP_WORKERS="2", WORKSHOP_PROCESSES="64")
    assert "2 x 65 = 130 sessions at PostGIS, more than the 80" in shown
    assert "Warning" not in shown


def test_a_database_of_another_version_is_named_with_what_to_do(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "state")
    made = machine.state / "postgis" / "PG_VERSION"
    claim(machine.state)
    made.parent.mkdir(mode=0o700)
    made.write_text("9\n")
    made.with_name("postgresql.conf").touch()
    shown = machine.workshop("up", "postgis", code=3)
    assert "initialized by PostgreSQL version 9, which is not compatible with this version 1" in shown
    assert "Its data can't be read. To start without its data: workshop down --purge" in shown
    assert made.exists()
