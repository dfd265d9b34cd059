"""`delay` tells the truth within seconds: the task is on the queue, or a sentence says why it may not be."""

import socket
from uuid import uuid4

import pytest

from tests.conftest import wait_for
from tests.integration.machine import frozen
from tests.integration.own_stack import (
    EDINBURGH,
    broker_that_wants_more_disk,
    refusal,
    sent_again_makes_one_row,
)
from workshop.delivery import publisher
from workshop.delivery.ledger import ledger
from workshop.delivery.publisher import NotSent
from workshop.delivery.record import published
from workshop.tasks import do_task


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """However fast this machine is, no task is part of a burst."""
    monkeypatch.setattr(publisher, "BURST", 0)


def test_an_unknown_host_is_named_and_no_password(machine, monkeypatch):
    monkeypatch.setenv("WORKSHOP_BROKER_URL", "amqp://celery_user:wrong@nobody.invalid:5672/celery_app")
    error = refusal()
    assert 'host "nobody.invalid"' in error.text
    assert "The task is not on the queue" in str(error)
    assert "wrong@" not in str(error)


def test_what_could_not_be_sent_is_in_the_ledger(machine, monkeypatch):
    monkeypatch.setenv("WORKSHOP_BROKER_URL", "amqp://a:b@127.0.0.1:1/c")
    id = refusal().task_id
    monkeypatch.delenv("WORKSHOP_BROKER_URL")
    task = next(task for task in published() if task.id == id)
    assert task.unsent.startswith("Nothing listens")
    assert [each.id for each in ledger([task]).unsent] == [id]
    sent_again_makes_one_row(id)
    assert not next(task for task in published() if task.id == id).unsent


def test_a_frozen_broker_that_was_known(machine):
    do_task.delay(*EDINBURGH)
    with frozen(machine.service("rabbitmq")["pid"]):
        error = refusal()
        fate = "Perhaps it has the task, perhaps not."
        assert error.text.strip() == f"RabbitMQ did not confirm the task within 3 s. {fate}"
    sent_again_makes_one_row(error.task_id)


def test_a_broker_that_says_nothing_is_named(machine, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("WORKSHOP_BROKER_URL", f"amqp://a:b@127.0.0.1:{port}/c")
        assert f"RabbitMQ at port {port} takes the call, but says nothing for 3 s." in refusal().text


def test_a_disk_that_is_nearly_full(machine, tmp_path, monkeypatch):
    with broker_that_wants_more_disk(tmp_path) as url:
        monkeypatch.setenv("WORKSHOP_BROKER_URL", url)
        error = refusal()
        assert "RabbitMQ takes no messages for now: its disk or memory is nearly full." in error.text
    monkeypatch.delenv("WORKSHOP_BROKER_URL")
    sent_again_makes_one_row(error.task_id)


def test_what_was_never_confirmed_is_unknown_until_it_has_its_row(machine):
    id = str(uuid4())
    with frozen(machine.service("rabbitmq")["pid"]):
        refusal(task_id=id)
    task = next(task for task in published() if task.id == id)
    assert not task.confirmed and not task.unsent
    wait_for(lambda: ledger([task]).waiting == 0, what="an empty queue")
    now = ledger([task])
    assert (id in now.rows) != (id in [each.id for each in now.unknown])
    sent_again_makes_one_row(id)


def test_a_queue_that_is_declared_otherwise(machine, monkeypatch):
    """RabbitMQ refuses what a sender declares; the sender is told in RabbitMQ's own words."""
    with machine.amqp() as connection, connection.channel() as channel:
        channel.queue_declare("other", durable=True, auto_delete=False, arguments={"x-max-length": 5})
    from kombu import Queue

    error = refusal(queue=Queue("other", durable=True))
    assert "RabbitMQ refuses the task" in error.text and "PRECONDITION_FAILED" in error.text
    assert "The task is not on the queue" in str(error)


def test_a_queue_that_is_full(machine):
    from kombu import Queue

    limit = {"x-max-length": 1, "x-overflow": "reject-publish"}
    full = Queue("full", durable=True, queue_arguments=limit)
    with pytest.raises(NotSent) as told:
        for _ in range(20):  # RabbitMQ counts now and then
            do_task.apply_async(EDINBURGH, queue=full)
    assert "RabbitMQ refuses the task: its queue is full." in told.value.text and not told.value.perhaps


def test_a_task_that_no_queue_takes(machine):
    error = refusal(exchange="tasks", routing_key="task.unknown")
    assert 'no queue gets what is sent to "tasks" with the key "task.unknown"' in error.text
    assert "The task is not on the queue" in str(error)
    assert next(task for task in published() if task.id == error.task_id).unsent
