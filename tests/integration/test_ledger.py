"""The ledger finds what is missing, unknown, never sent or strange, and mends it."""

from uuid import uuid4

import pytest
from kombu import Connection

from tests.conftest import wait_for
from tests.integration.machine import Machine
from tests.integration.own_stack import EDINBURGH, done, task_of
from tests.messages import message, publish
from tests.servers import empty, worker
from workshop import maps, settings
from workshop.delivery.ledger import ledger, requeue
from workshop.delivery.publisher import NotSent
from workshop.delivery.record import published
from workshop.delivery.topology import SQUARES
from workshop.tasks import do_task


@pytest.fixture(autouse=True)
def afresh(room):
    """Nothing was sent yet."""
    empty(room)
    (room.state / "published.jsonl").unlink(missing_ok=True)


def steal() -> list[str]:
    """Take every waiting task away, as a purge or a thief does."""
    ids = []
    with Connection(settings.broker_url()) as connection, connection.channel() as channel:
        while (stolen := SQUARES(channel).get(no_ack=True)) is not None:
            ids.append(stolen.headers["id"])
    return ids


def test_without_services_it_says_so(tmp_path):
    shown = Machine(tmp_path / "state").workshop("ledger", code=3)
    assert "Next: make lab, or workshop up" in shown


def test_what_is_missing_is_found_and_sent_again(room):
    ids = [do_task.delay(1000 * n, 1000).id for n in range(5)]
    now = ledger()
    assert (len(now.published), now.waiting, now.missing, now.balanced) == (5, 5, [], False)
    assert "Tasks are on their way" in room.workshop("ledger", code=1)

    assert steal() == ids
    assert [task.id for task in ledger().missing] == ids
    shown = room.workshop("ledger", code=1)
    assert "missing          5  confirmed by RabbitMQ, and nowhere" in shown
    assert f"1 x workshop.tasks.do_task {ids[0]}" in shown
    assert "workshop ledger --requeue" in shown

    assert "5 tasks were sent again" in room.workshop("ledger", "--requeue")
    with worker():
        assert done([task_of(id) for id in ids]).done == 5
        assert "The ledger balances" in room.workshop("ledger")
    assert sorted(maps.read_squares(ids).x) == [1000 * n for n in range(5)]


def test_sent_again_although_it_was_not_missing_makes_one_row(room):
    id = do_task.delay(*EDINBURGH).id
    task = next(task for task in published() if task.id == id)
    assert requeue([task, task]) == 2
    with worker():
        wait_for(lambda: ledger([task]).waiting == 0 and not ledger([task]).held, what="an empty queue")
    assert len(maps.read_squares([id])) == 1


def test_dead_letters_refusals_and_strangers_are_told_apart(room):
    bad, stranger = do_task.delay(-1, 5).id, str(uuid4())
    publish(settings.broker_url(), message(id=stranger), message(b"42"))
    with worker():
        wait_for(lambda: bad in ledger().dead and stranger in ledger().strangers, what="both ends")
        now = ledger()
    assert "x must be a number of metres" in now.dead[bad]
    assert now.strangers == {stranger}
    assert [reason.partition(":")[0] for reason in now.refused] == ["BODY"]
    assert now.balanced
    shown = room.workshop("ledger")
    assert "1 x BODY: it is not [arguments, arguments by name, options]" in shown
    assert "strangers        1" in shown


def test_a_task_that_waits_for_its_retry_is_held(room):
    with worker():
        id = do_task.apply_async(EDINBURGH, countdown=60).id
        task = next(task for task in published() if task.id == id)
        wait_for(lambda: id in ledger([task]).held, what="the task at its worker")
        assert not ledger([task]).missing
    assert steal() == [id]


def test_what_could_not_be_sent_is_not_missing(room, monkeypatch):
    monkeypatch.setenv("WORKSHOP_BROKER_URL", "amqp://a:b@127.0.0.1:1/c")
    with pytest.raises(NotSent):
        do_task.delay(*EDINBURGH)
    monkeypatch.delenv("WORKSHOP_BROKER_URL")
    now = ledger()
    assert (len(now.published), len(now.unsent), now.missing) == (0, 1, [])
    assert "1 x Nothing listens at the broker's port 1" in room.workshop("ledger")
