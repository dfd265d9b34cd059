"""Outages cost no task and no retry: whatever breaks, each task ends as one row at its first attempt."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from tests.conftest import wait_for
from tests.integration.machine import Machine
from tests.integration.own_stack import done, frozen, kill, own_stack, send, task_of, until_ready
from workshop import db, live, maps, settings
from workshop.connection import execute
from workshop.delivery.ledger import ledger
from workshop.tasks import do_task

OUTAGE = float(os.environ.get("TEST_OUTAGE", 8))
"""Seconds that the database or the broker is gone; with 60 it was tried by hand."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[Machine]:
    with own_stack(tmp_path_factory.mktemp("outages"), WORKSHOP_HASTE="20") as machine:
        yield machine


@pytest.fixture(autouse=True)
def settings_as_before(machine) -> Iterator[None]:
    yield
    settings.change(pace=None, fault_rate=None)


@pytest.fixture
def said(machine) -> Callable[[str], bool]:
    """Return whether the worker's log has had a text since the test began."""
    log = machine.state / "logs" / "worker1.log"
    before = log.stat().st_size
    return lambda text: text.encode() in log.read_bytes()[before:]


@contextmanager
def gone(machine: Machine, name: str) -> Iterator[None]:
    """Kill a service, and again whenever its supervisor has brought it back, until the end."""
    before, over = machine.service(name)["pid"], Event()

    def keep_down() -> None:
        while not over.wait(0.02):
            with suppress(psutil.NoSuchProcess, FileNotFoundError):
                psutil.Process(machine.service(name)["pid"]).kill()

    thread = Thread(target=keep_down)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        until_ready(machine, name, before)


def send_some(number: int = 40) -> list:
    return [send(1000.0 * n, 2000.0 * n) for n in range(1, number + 1)]


def all_at_the_first_attempt(tasks: list) -> None:
    end = done(tasks)
    assert (end.done, end.failed, end.retried) == (len(tasks), 0, 0)
    rows = maps.read_squares([task.id for task in tasks])
    assert set(rows.attempt) == {1}
    now = ledger(tasks)
    assert now.balanced and not now.dead and not now.missing


def test_an_outage_of_the_database(machine, said):
    settings.change(pace=100)
    tasks = send_some()
    wait_for(lambda: live.progress(tasks).done > 2, what="the first rows")
    with gone(machine, "postgis"):
        time.sleep(OUTAGE)
    all_at_the_first_attempt(tasks)
    assert said("goes back to the queue in")


def test_an_outage_of_the_broker(machine, said):
    settings.change(pace=100)
    tasks = send_some()
    wait_for(lambda: live.progress(tasks).done > 2, what="the first rows")
    with gone(machine, "rabbitmq"):
        time.sleep(OUTAGE)
    all_at_the_first_attempt(tasks)
    assert said("BrokerError: RabbitMQ is gone")
    assert not said("SoftTimeLimitExceeded"), "no process that had done its work was struck by a late limit"
    assert "it ended with exit code 1: BrokerError" in machine.service("worker1")["message"]


def test_a_second_outage_of_the_broker_leaves_no_worker_without_work(machine):
    """Some workers end after the second one, or live on and take nothing."""
    settings.change(pace=100)
    tasks = send_some(60)
    for _ in range(2):
        wait_for(lambda: live.progress(tasks).waiting > 0, what="waiting tasks")
        before = kill(machine, "rabbitmq")
        until_ready(machine, "rabbitmq", before)
    all_at_the_first_attempt(tasks)


def test_no_nations_yet(machine):
    nations = execute(sa.select(db.UkBoundary.code, db.UkBoundary.name, db.UkBoundary.geom)).all()
    execute(sa.delete(db.UkBoundary))
    try:
        tasks = send_some(3)
        time.sleep(2)
        assert live.progress(tasks).ended == 0
    finally:
        for code, name, geom in nations:
            execute(sa.insert(db.UkBoundary), {"code": code, "name": name, "geom": geom})
    all_at_the_first_attempt(tasks)


@contextmanager
def locked(machine: Machine) -> Iterator[None]:
    """Keep every statement that writes squares waiting."""
    url = machine.stack()["database_url"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE geopython.grid_squares IN ACCESS EXCLUSIVE MODE")
        yield


def test_a_statement_that_hangs_is_cancelled_before_the_soft_limit(machine, said):
    with locked(machine):
        task = send()
        wait_for(lambda: said("canceling statement due to statement timeout"), 10, "a cancelled statement")
    all_at_the_first_attempt([task])
    assert not said("SoftTimeLimitExceeded")


def test_the_soft_limit_that_strikes_within_a_statement(machine, said):
    """Sleeping took most of the time; the connection in use is not used again."""
    settings.change(pace=2500)
    with locked(machine):
        task = send()
        wait_for(lambda: said("no answer from the database in time"), 15, "the limit")
        settings.change(pace=None)
    all_at_the_first_attempt([task, *send_some(6)])


def test_the_soft_limit_ends_a_task_that_hangs_and_says_so(machine):
    settings.change(pace=60_000)
    task = send()
    wait_for(lambda: task.id in ledger([task]).dead, 15, "a dead letter")
    settings.change(pace=None)
    assert "SoftTimeLimitExceeded" in ledger([task]).dead[task.id]
    all_at_the_first_attempt(send_some(4))


def worker_children(machine: Machine) -> list[psutil.Process]:
    return psutil.Process(machine.service("worker1")["pid"]).children()


def test_a_process_that_is_killed(machine):
    settings.change(pace=1000)
    tasks = send_some(4)
    wait_for(lambda: live.progress(tasks).running > 0, what="a running task")
    for child in worker_children(machine):
        child.kill()
    all_at_the_first_attempt(tasks)


def test_a_worker_that_is_killed(machine):
    settings.change(pace=500)
    tasks = send_some(6)
    wait_for(lambda: live.progress(tasks).running > 0, what="a running task")
    before = kill(machine, "worker1")
    machine.until_again("worker1", before)
    all_at_the_first_attempt(tasks)
    assert machine.service("worker1")["message"].endswith("it was ended by SIGKILL; started again after 1 s")


@pytest.mark.challenge(2)
def test_a_retry_that_can_t_be_sent_gives_the_message_back(machine, said):
    """Three known errors, three retries; that one of them met a frozen broker costs none."""
    settings.change(pace=1500, fault_rate=1)
    id = do_task.delay(1000, 1000).id
    wait_for(lambda: live.progress([task_of(id)]).running > 0, what="a running task")
    with frozen(machine.service("rabbitmq")["pid"]):
        wait_for(lambda: said("its retry could not be sent"), 20, "a retry that failed")
    end = done([task_of(id)])
    assert (end.done, end.failed) == (1, 0)
    assert list(maps.read_squares([id]).attempt) == [4]
