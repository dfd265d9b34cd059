"""Outages cost no task and no retry: whatever breaks, each task ends as one row at its first attempt."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.conftest import wait_for
from tests.integration.machine import Machine, frozen
from tests.integration.own_stack import (
    all_at_the_first_attempt,
    done,
    gone,
    kill,
    refusal,
    send,
    send_some,
    sent_again_makes_one_row,
    task_of,
    until_ready,
)
from workshop import live, maps, settings
from workshop.delivery.ledger import ledger
from workshop.tasks import do_task

OUTAGE = float(os.environ.get("TEST_OUTAGE", 8))
"""Seconds that the database or the broker is gone; with 60 it was tried by hand."""


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


def test_an_outage_of_the_database(machine, said):
    settings.change(pace=100)
    tasks = send_some()
    wait_for(lambda: live.progress(tasks).done > 2, what="the first rows")
    with gone(machine, "postgis"):
        time.sleep(OUTAGE)
    all_at_the_first_attempt(tasks)
    assert said("goes back to the queue in")


def test_two_outages_of_the_broker(machine, said):
    """Some workers of Celery end after the second one, or live on and take nothing."""
    settings.change(pace=100)
    tasks = send_some()
    wait_for(lambda: live.progress(tasks).done > 2, what="the first rows")
    with gone(machine, "rabbitmq"):
        error = refusal()
        assert "Nothing listens at the broker's port" in error.text
        time.sleep(OUTAGE)
    assert said("BrokerError: RabbitMQ is gone")
    assert not said("SoftTimeLimitExceeded"), "no process that had done its work was struck by a late limit"
    assert "BrokerError: RabbitMQ is gone" in machine.service("worker1")["message"]
    tasks += send_some()
    before = kill(machine, "rabbitmq")
    until_ready(machine, "rabbitmq", before)
    all_at_the_first_attempt(tasks)
    sent_again_makes_one_row(error.task_id)


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


@pytest.mark.challenge(2)
def test_a_retry_that_can_t_be_sent_gives_the_message_back(machine, said):
    """Three known errors, three retries; that one of them met a frozen broker costs none."""
    settings.change(pace=2500, fault_rate=1)
    id = do_task.delay(1000, 1000).id
    wait_for(lambda: live.progress([task_of(id)]).running > 0, what="a running task")
    with frozen(machine.service("rabbitmq")["pid"]):
        wait_for(lambda: said("its retry could not be sent"), 20, "a retry that failed")
    end = done([task_of(id)])
    assert (end.done, end.failed) == (1, 0)
    assert list(maps.read_squares([id]).attempt) == [4]
    assert not said("Pool process"), "no time limit struck a process that had no task"
