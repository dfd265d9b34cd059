"""A reset beside QGIS and git: who is in its way is named, and all is as before; who only reads is not."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.classroom.course import Course
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


@pytest.fixture
def machine(course: Course, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "state", course.root)
    try:
        machine.workshop("up", "--detach", *CORE)
        machine.sql(LINE)
        yield machine
    finally:
        machine.workshop("down", "--purge")


def held(machine: Machine) -> tuple[int, int]:
    """Return how many lines of the log and dead letters there are."""
    ((lines,),) = machine.sql("SELECT count(*) FROM geopython.task_log")
    with machine.amqp() as broker, broker.channel() as channel:
        return lines, channel.queue_declare("dead", passive=True).message_count


def test_an_edit_session_is_named_and_a_reader_is_not_in_the_way(machine: Machine, course: Course) -> None:
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
        assert (course.state(), held(machine)) == (before, (1, 1))
        assert machine.service("worker1") == worker

        said = machine.python(BLIND).stderr
        assert "index.lock': File exists" in said, "also if git is at work only after the reset had looked"
        assert (course.state(), held(machine)) == (before, (1, 1))
        busy.unlink()

        qgis.execute("SELECT * FROM geopython.task_log")  # and the transaction stays open
        assert "Squares, log and queues are empty." in machine.workshop("reset", "1", "--yes")
        assert held(machine) == (0, 0)
