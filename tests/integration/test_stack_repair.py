"""What the stack does when code is saved, and to its workers.

It runs a copy of the course with nothing but workers, which do their work in a room.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import wait_for
from tests.integration.machine import Machine, copy_course, lives
from tests.servers import Lodger
from workshop import settings
from workshop.delivery.asking import living

NEW_LINE = "\n"
BROKEN = "\nundefined_name\n"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the course, with a space in its name, whose tasks.py can't be imported."""
    target = copy_course(tmp_path_factory.mktemp("repair") / "the course")
    with (target / "workshop/tasks.py").open("a") as tasks:
        tasks.write(BROKEN)
    return target


@pytest.fixture(scope="module")
def broken(course: Path, room: Machine) -> Iterator[tuple[Machine, str]]:
    """Start the broken course; return it, and what the start showed."""
    machine = Lodger(course / "the state", course, room=room)
    try:
        yield machine, machine.workshop("up", "--detach", "worker")
    finally:
        machine.workshop("down", "--purge")


@pytest.fixture(scope="module")
def machine(broken: tuple[Machine, str]) -> Machine:
    """Return the same course once it is mended."""
    machine, _ = broken
    tasks = machine.course / "workshop/tasks.py"
    tasks.write_text(tasks.read_text().removesuffix(BROKEN))
    wait_for(lambda: machine.service("worker1")["state"] == "ready", 30, "the mended worker")
    return machine


def alive() -> set[str]:
    return {name.partition("@")[0] for name in living(settings.database_url())}


def test_a_mistake_in_the_tasks_stops_only_the_worker(broken: tuple[Machine, str], course: Path) -> None:
    machine, shown = broken
    line = (course / "workshop/tasks.py").read_text().count("\n")
    wrong = f"workshop/tasks.py, line {line}: NameError: name 'undefined_name' is not defined"
    assert wrong in shown
    assert shown.splitlines()[-2].startswith("READY, except worker1")
    assert wrong in machine.workshop("status", code=1)
    assert wrong in machine.workshop("doctor", code=3)
    assert "undefined_name" in machine.workshop("logs", "worker")


def test_the_copy_runs_its_own_code_in_its_own_folder(machine: Machine) -> None:
    worker = psutil.Process(machine.service("worker1")["pid"])
    assert worker.cwd() == str(machine.course)
    assert worker.environ()["WORKSHOP_STATE"] == str(machine.state)
    assert alive() == {"worker1"}


def test_a_saved_file_restarts_the_worker_warm(machine: Machine) -> None:
    before = machine.service("worker1")
    tasks = machine.course / "workshop/tasks.py"
    tasks.write_text(tasks.read_text() + "# saved\n")
    machine.until_again("worker1", before["pid"], 30)
    after = machine.service("worker1")
    assert after["restarts"] == before["restarts"]
    assert after["message"] == "tasks.py was saved"
    # A warm shutdown: the worker said good-bye by itself, nothing was killed.
    assert "worker: Warm shutdown" in machine.workshop("logs", "worker", "-n", "60")


def test_a_syntax_error_leaves_the_old_worker_at_work(machine: Machine) -> None:
    before = machine.service("worker1")["pid"]
    service = machine.course / "workshop/service.py"
    right = service.read_text()
    where = f"workshop/service.py, line {right.count(NEW_LINE) + 1}"
    service.write_text(right + "def oops(:\n")
    wait_for(lambda: where in machine.service("worker1")["message"], 10, "the notice of the syntax error")
    assert machine.service("worker1")["pid"] == before
    assert alive() == {"worker1"}
    assert where in machine.workshop("status")
    shown = machine.workshop("doctor", code=3).splitlines()[-1]
    assert shown.startswith(f"NOT READY: {where}")

    os.kill(before, signal.SIGKILL)
    wait_for(lambda: machine.service("worker1")["state"] == "broken", 10, "a broken worker")
    wait_for(lambda: machine.service("worker1")["message"].startswith(where), 10, "what keeps it broken")
    service.write_text(right)
    machine.until_again("worker1", before, 30)
    assert machine.workshop("doctor").splitlines()[-1] == "READY"


def test_scale(machine: Machine) -> None:
    assert "3 workers are ready" in machine.workshop("scale", "3", "-c", "1")
    assert alive() == {"worker1", "worker2", "worker3"}
    shown = machine.workshop("status")
    assert all(f"worker{number}    ready" in shown for number in (1, 2, 3))
    third = psutil.Process(machine.service("worker3")["pid"])
    assert len(third.children()) == 1
    assert "1 worker is ready" in machine.workshop("scale", "1")
    assert alive() == {"worker1"}
    assert not lives(third)


def test_doctor_misses_no_worker_where_only_servers_run(room: Machine) -> None:
    assert room.workshop("doctor").splitlines()[-1] == "READY"


def test_doctor_names_a_mistake_in_what_it_looks_with(machine: Machine) -> None:
    models = machine.course / "workshop/db.py"
    right = models.read_text()
    models.write_text(right + BROKEN)
    shown = machine.workshop("doctor", code=3)
    models.write_text(right)
    assert f"NOT READY: workshop/db.py, line {right.count(NEW_LINE) + 2}: NameError" in shown
    wait_for(lambda: machine.service("worker1")["state"] == "ready", 60, "the mended worker")


def test_doctor_names_nations_that_are_missing(machine: Machine, room: Machine) -> None:
    room.sql("ALTER TABLE uk_boundary RENAME TO nations")
    none = machine.workshop("doctor", code=3)
    room.sql("CREATE VIEW uk_boundary AS SELECT * FROM nations WHERE code <> 'IMN'")
    all_but_one = machine.workshop("doctor", code=3)
    room.sql("DROP VIEW uk_boundary; ALTER TABLE nations RENAME TO uk_boundary")
    assert "has no table geopython.uk_boundary. Next: workshop logs postgis" in none
    assert "NOT READY: The table uk_boundary has 4 nations of 5" in all_but_one


def test_doctor_names_a_dead_worker(machine: Machine) -> None:
    supervisor = psutil.Process(machine.stack()["pid"])
    supervisor.suspend()
    try:
        psutil.Process(machine.service("worker1")["pid"]).kill()
        wait_for(lambda: alive() == set(), 5, "the end of its session")
        shown = machine.workshop("doctor", code=3).splitlines()[-1]
    finally:
        supervisor.resume()
    assert shown.startswith("NOT READY: worker1 does not answer")
    assert shown.endswith("Next: workshop logs worker1")
