"""A reset empties the services of this machine for good, also when the attendee's files are broken.

Beside QGIS and git, who is in its way is named, and all is as before; who only reads is not in its way.
"""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.classroom.course import Course
from tests.classroom.opened import Central
from tests.conftest import wait_for
from tests.integration.machine import CORE, Machine

pytestmark = pytest.mark.solved_course

LINE = (
    "INSERT INTO geopython.task_log (task_id, state, attempt, error, worker) "
    "VALUES (gen_random_uuid(), 'RETRY', 1, 'ServiceError', 'worker1')"
)
BLIND = """
from backstage.challenges.starters import Level
from backstage.classroom import branches, reset
branches.require_ready = print
reset.reset(Level(1), print)
"""
CLEAR = "from backstage.classroom import clearing; clearing.clear(clearing.own())"

BROKEN = "(this is no Python"
SEND = """
from workshop import settings
from workshop.tasks import do_task
settings.change(pace=300, workers=2)
do_task.delay(-1, 5)
do_task.delay(1000, 2000)
do_task.apply_async((3000, 4000), countdown=12)
for number in range(200):
    do_task.delay(1000, 2000)
"""
LATER = "from workshop.tasks import do_task; do_task.apply_async((1000, 2000), countdown=12)"


@pytest.fixture
def machine(course: Course, tmp_path: Path):
    machine = Machine(tmp_path / "state", course.root)
    try:
        shown = machine.workshop("up", "--detach", *CORE)
        assert "READY\nThis is the solved course. To begin: workshop reset 1" in shown
        yield machine
    finally:
        machine.workshop("down", "--purge")


def run(machine: Machine, code: str) -> None:
    subprocess.run(
        [sys.executable, "-c", code], cwd=machine.course, env=machine.environment, check=True, timeout=240
    )


def counts(machine: Machine) -> tuple[int, int, int, int]:
    """Return squares, lines of the log, messages waiting, dead letters."""
    (rows,) = machine.sql(
        "SELECT (SELECT count(*) FROM geopython.grid_squares), (SELECT count(*) FROM geopython.task_log)"
    )
    with machine.amqp() as broker, broker.channel() as channel:
        lengths = [channel.queue_declare(name, passive=True).message_count for name in ("squares", "dead")]
    return (*rows, *lengths)


def test_everything_is_gone_and_the_new_code_runs(machine: Machine, course: Course) -> None:
    an_edit_session_is_named_and_a_reader_is_not_in_the_way(machine, course)
    run(machine, SEND)
    wait_for(lambda: all(counts(machine)), what="squares, log lines, waiting messages and dead letters")
    for name in ("tasks", "demo", "service"):
        (course.root / f"workshop/{name}.py").write_text(BROKEN)
    shown = machine.workshop("reset", "1", "--yes")

    assert "dead letters: 1" in shown and "The worker is ready with the new code." in shown
    assert "do_task" in (course.root / "workshop/tasks.py").read_text()
    assert machine.service("worker1")["state"] == "ready"
    assert "worker2" not in machine.stack()["services"]
    assert counts(machine) == (0, 0, 0, 0)
    assert not list(machine.state.glob("settings.json")) and not list(machine.state.glob("published.jsonl"))

    (name,) = course.saved()
    assert (course.root / name / "workshop/demo.py").read_text() == BROKEN
    run(machine, LATER)
    wait_for(lambda: counts(machine)[0], 40, "the task sent after the reset")
    assert counts(machine) == (1, 0, 0, 0), "what was delayed before the reset did not come back"
    a_joined_machine_leaves_first_and_the_central_keeps_all(machine)


def an_edit_session_is_named_and_a_reader_is_not_in_the_way(machine: Machine, course: Course) -> None:
    machine.sql(LINE)
    with machine.amqp() as broker, broker.channel() as channel:
        broker.Producer(channel).publish("kept", exchange="dead")
    url = machine.stack()["database_url"].replace("+psycopg", "")
    before, worker = course.state(), machine.service("worker1")
    with psycopg.connect(url, application_name="QGIS") as qgis:
        qgis.execute("UPDATE geopython.task_log SET attempt = 2")
        named = f"QGIS, process {qgis.info.backend_pid}, user geopython, since "
        shown = machine.workshop("reset", "1", "--yes", code=3)
        assert named in shown
        assert "Nothing was removed. Next: end the edit session or close the table in QGIS" in shown
        assert named in machine.python(CLEAR).stderr, "also if it began after the reset had looked"
        qgis.rollback()
        busy = course.root / ".git/index.lock"
        busy.touch()
        assert "index.lock': File exists" in machine.workshop("reset", "1", "--yes", code=3)
        assert (course.state(), counts(machine)) == (before, (0, 1, 0, 1))
        assert machine.service("worker1") == worker

        said = machine.python(BLIND).stderr
        assert "index.lock': File exists" in said, "also if git is at work only after the reset had looked"
        assert (course.state(), counts(machine)) == (before, (0, 1, 0, 1))
        busy.unlink()

        qgis.execute("SELECT * FROM geopython.task_log")  # and the transaction stays open
        assert "Squares, log and queues are empty." in machine.workshop("reset", "1", "--yes")
        assert counts(machine) == (0, 0, 0, 0)


OPEN = "from backstage.classroom import central; print(central.start(1, say=str)[0].code)"
SEND_THERE = """
from workshop import live
from workshop.tasks import do_task
for number in range(30):
    do_task.delay(1000, 2000)
print(live.watch(quiet=True))
"""


def a_joined_machine_leaves_first_and_the_central_keeps_all(machine: Machine) -> None:
    """The central is on its own servers."""
    code, central = machine.python(OPEN).stdout.strip(), Central(machine.state)
    assert machine.workshop("join", code).startswith("Joined as machine01. ")
    run(machine, SEND_THERE)
    with central.amqp() as broker, broker.channel() as channel:
        broker.Producer(channel).publish("kept", exchange="dead")
    shown = machine.workshop("reset", "1", "--yes")
    back, emptied = (
        shown.find("This machine left the central queue."),
        shown.find("Squares, log and queues are"),
    )
    assert 0 < back < emptied
    assert not (machine.state / "joined.json").exists()
    assert central.sql("SELECT count(*), min(machine) FROM grid_squares") == [(30, "machine01")]
    with central.amqp() as broker, broker.channel() as channel:
        assert channel.queue_declare("dead", passive=True).message_count == 1
    assert counts(machine) == (0, 0, 0, 0)
