"""The fast profile: threads of one process, whose rows are joined. It promises what processes promise."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from backstage import pause, resume, scale
from tests.conftest import wait_for
from tests.integration.machine import Machine
from tests.integration.own_stack import (
    all_at_the_first_attempt,
    done,
    gone,
    kill,
    send,
    send_some,
    task_of,
)
from workshop import live, maps, settings
from workshop.delivery.asking import ask
from workshop.delivery.ledger import ledger
from workshop.delivery.record import Published
from workshop.tasks import do_task


@pytest.fixture(scope="module", autouse=True)
def fast(machine: Machine) -> Iterator[None]:
    machine.workshop("scale", "1", "--fast")
    yield
    scale(None)


@pytest.fixture(autouse=True)
def settings_as_before(fast: None) -> Iterator[None]:
    yield
    settings.change(pace=None, fault_rate=None)


def all_at_once(*points: tuple[float, float]) -> list[Published]:
    """Send tasks while the worker pauses, so that all its threads are busy from the first one on."""
    pause(60)
    try:
        return [send(*point) for point in points]
    finally:
        resume()


POINTS = [(1000.0 * n, 2000.0 * n) for n in range(1, 101)]


def test_rows_that_are_written_at_the_same_time_share_a_statement(machine: Machine) -> None:
    tasks = all_at_once(*POINTS)
    all_at_the_first_attempt(tasks)
    statements = "SELECT count(DISTINCT xmin::text) FROM geopython.grid_squares WHERE task_id = ANY(%s)"
    assert machine.sql(statements, [UUID(task.id) for task in tasks])[0][0] < len(tasks)


@contextmanager
def refused(machine: Machine, x: float) -> Iterator[None]:
    """Let the table refuse the rows of one easting."""
    machine.sql(f"ALTER TABLE geopython.grid_squares ADD CONSTRAINT unlucky CHECK (x <> {x}) NOT VALID")
    try:
        yield
    finally:
        machine.sql("ALTER TABLE geopython.grid_squares DROP CONSTRAINT unlucky")


def test_a_bad_row_harms_no_neighbour(machine: Machine) -> None:
    with refused(machine, x=13_000):
        tasks = all_at_once(*POINTS[:40])
        bad = tasks.pop(12)
        assert done([bad]).failed == 1
        all_at_the_first_attempt(tasks)
        assert "CheckViolation" in ledger([bad]).dead[bad.id]


def test_a_worker_killed_in_the_middle_loses_nothing(machine: Machine) -> None:
    settings.change(pace=100)
    tasks = send_some(60)
    wait_for(lambda: live.progress(tasks).done > 2, what="the first rows")
    machine.until_again("worker1", kill(machine, "worker1"))
    all_at_the_first_attempt(tasks)


def test_an_outage_of_the_database_costs_nothing(machine: Machine) -> None:
    settings.change(pace=100)
    tasks = send_some(60)
    wait_for(lambda: live.progress(tasks).done > 2, what="the first rows")
    with gone(machine, "postgis"):
        wait_for(lambda: b"goes back to the queue" in log(machine), what="tasks that are given back")
    all_at_the_first_attempt(tasks)


def log(machine: Machine) -> bytes:
    return (machine.state / "logs" / "worker1.log").read_bytes()


@pytest.mark.challenge(2)
def test_known_errors_are_retried() -> None:
    settings.change(fault_rate=1)
    tasks = [task_of(do_task.delay(*point).id) for point in POINTS[:12]]
    end = done(tasks)
    assert (end.done, end.failed, end.retried) == (12, 0, 36)
    assert set(maps.read_squares(task.id for task in tasks).attempt) == {4}


def test_it_has_no_process_to_kill() -> None:
    settings.change(pace=1000)
    task = send()
    wait_for(lambda: live.progress([task]).running == 1, what="a task that runs")
    assert [*ask(settings.broker_url(), "course_kill_process", timeout=2, limit=1).values()] == [None]
    all_at_the_first_attempt([task])
