"""`delay` tells the truth within seconds: the task is on the queue, or a sentence says why it may not be."""

import re
import socket
from contextlib import ExitStack
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
from workshop.delivery.record import FILE, published
from workshop.tasks import do_task


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """However fast this machine is, no task is part of a burst."""
    monkeypatch.setattr(publisher, "BURST", 0)


@pytest.mark.parametrize(
    ("part", "replacement", "sentence"),
    [
        (r"@127.0.0.1", "@nobody.invalid", 'host "nobody.invalid"'),
        (r":secret@", ":wrong@", 'refuses the user "celery_user" with this password'),
        (r"/celery_app", "/nowhere", 'no virtual host "nowhere"'),
    ],
    ids=["unknown host", "password", "virtual host"],
)
def test_a_wrong_address_is_named_by_its_part(machine, monkeypatch, part, replacement, sentence):
    url = re.sub(part, replacement, machine.stack()["broker_url"])
    monkeypatch.setenv("WORKSHOP_BROKER_URL", url)
    error = refusal()
    assert sentence in error.text
    assert "The task is not on the queue" in str(error)
    assert "wrong@" not in str(error)


def test_a_wrong_port_is_named(machine, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("WORKSHOP_BROKER_URL", f"amqp://a:b@127.0.0.1:{port}/c")
        assert f"Nothing listens at the broker's port {port} on 127.0.0.1." in refusal().text


def test_a_host_that_does_not_answer_is_named(machine, monkeypatch):
    """A queue of calls that is full is as silent as a cable that is cut."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent, ExitStack() as calls:
        for _ in range(3):
            call = calls.enter_context(socket.socket())
            call.setblocking(False)
            call.connect_ex(silent.getsockname())
        port = silent.getsockname()[1]
        monkeypatch.setenv("WORKSHOP_BROKER_URL", f"amqp://a:b@127.0.0.1:{port}/c")
        assert f'The broker\'s host "127.0.0.1" does not answer at port {port} within 3 s.' in refusal().text


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


def test_a_frozen_broker_that_is_called_for_the_first_time(machine):
    with frozen(machine.service("rabbitmq")["pid"]):
        ended = machine.python(
            "from workshop.tasks import do_task\n"
            "from workshop.delivery.publisher import NotSent\n"
            "import time; began = time.monotonic()\n"
            "try: do_task.delay(1, 2)\n"
            "except NotSent as error: print(error, time.monotonic() - began < 22)"
        )
    assert "takes the call, but says nothing for 3 s." in ended.stdout, ended.stdout + ended.stderr
    assert ended.stdout.endswith("True\n"), ended.stdout


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


def test_a_record_that_cannot_be_written_refuses_the_task(machine):
    kept = machine.state / "kept.jsonl"
    (machine.state / FILE).rename(kept)
    (machine.state / FILE).symlink_to("/dev/full")
    try:
        before = ledger([]).waiting
        error = refusal()
        assert "The record of what is sent can't be written: [Errno 28] No space left on device" in error.text
        assert "The task is not on the queue" in str(error)
        assert ledger([]).waiting == before
    finally:
        kept.replace(machine.state / FILE)
    sent_again_makes_one_row(error.task_id)
