"""The ledger finds what is missing, unknown or strange, and mends it.

The first tests have no worker, the latter ones have that of this file.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from urllib.parse import quote
from uuid import uuid4

import amqp
import psycopg
import pytest
from kombu import Connection

from tests import servers
from tests.conftest import wait_for
from tests.integration.machine import Machine, frozen, manage
from tests.integration.own_stack import EDINBURGH, done, send, task_of
from tests.messages import message, publish
from tests.servers import empty
from workshop import live, maps, settings
from workshop.delivery.configuration import SQUARES
from workshop.delivery.ledger import ledger, letters
from workshop.delivery.record import published
from workshop.errors import WorkshopError
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


def test_a_task_that_waits_for_its_retry_is_held(room):
    with servers.worker():
        id = do_task.apply_async(EDINBURGH, countdown=60).id
        task = next(task for task in published() if task.id == id)
        wait_for(lambda: id in ledger([task]).held, what="the task at its worker")
        assert not ledger([task]).missing
    assert steal() == [id]


def test_two_who_look_at_dead_letters_both_see_all(room):
    ids = [str(uuid4()) for _ in range(300)]
    with Connection(settings.broker_url()) as connection:
        for id in ids:
            connection.Producer().publish([], exchange="dead", headers={"id": id})
    with ThreadPoolExecutor() as pool:
        for found in pool.map(lambda _: letters(), range(4)):
            assert [letter.id for letter in found] == ids


def test_tasks_of_others_are_no_progress(room):
    """More and more of theirs wait; nothing becomes of this machine's own, which nobody has."""
    over = Event()

    def send_those_of_others() -> None:
        for _ in range(100):
            publish(settings.broker_url(), message())
            if over.wait(0.1):
                break

    with ThreadPoolExecutor() as pool:
        others = pool.submit(send_those_of_others)
        try:
            with pytest.raises(WorkshopError, match="Nothing has changed for 2 s. 100 sent: 0 done"):
                live.watch([task_of(str(uuid4())) for _ in range(100)], patience=2, quiet=True)
            assert not others.done()
        finally:
            over.set()


def test_a_retry_that_is_in_the_log_twice_or_not_at_all_counts_once(room):
    """The first attempt was delivered twice; the line of the second one got lost."""
    id = str(uuid4())
    for _ in range(2):
        room.sql(
            "INSERT INTO geopython.task_log (task_id, state, attempt, error, worker)"
            "VALUES (%s, 'RETRY', 1, 'ServiceError: no', 'w') ON CONFLICT DO NOTHING", id,
        )  # fmt: skip
    assert live.progress([task_of(id)]).retried == ledger([task_of(id)]).retried[id] == 1
    room.sql(
        "INSERT INTO geopython.grid_squares (task_id, grid_ref, style_cat, x, y, geom, worker, attempt)"
        "VALUES (%s, 'NT2573', 'SCT', 5, 5, ST_MakeEnvelope(0, 0, 1000, 1000, 27700), 'w', 3)", id,
    )  # fmt: skip
    assert live.progress([task_of(id)]).retried == ledger([task_of(id)]).retried[id] == 2


def connections(room: Machine) -> list[str]:
    """Return the names of the connections to the room's virtual host."""
    room_name = settings.broker_url().rpartition("/")[2]
    return [each["name"] for each in json.loads(manage(room, "GET", f"vhosts/{room_name}/connections"))]


def test_a_connection_that_has_died_meanwhile_is_replaced(room):
    task = send()
    assert ledger([task]).waiting == 1
    room.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    wait_for(lambda: connections(room), what="RabbitMQ's list of connections")
    for name in connections(room):
        manage(room, "DELETE", f"connections/{quote(name)}")
    assert ledger([task]).waiting == 1


def test_what_is_missing_is_found_and_sent_again(room, request):
    ids = [do_task.delay(1000 * n, 1000).id for n in range(5)]
    now = ledger()
    assert (len(now.published), now.waiting, now.missing, now.balanced) == (5, 5, [], False)
    assert "tasks are on their way" in room.workshop("ledger", code=1)

    assert steal() == ids
    assert [task.id for task in ledger().missing] == ids
    shown = room.workshop("ledger", code=1)
    assert "missing          5  confirmed by RabbitMQ, and nowhere" in shown
    assert f"1 x workshop.tasks.do_task {ids[0]}" in shown
    assert "workshop ledger --requeue" in shown

    assert "5 tasks were sent again" in room.workshop("ledger", "--requeue")
    request.getfixturevalue("worker")
    assert done([task_of(id) for id in ids]).done == 5
    assert "The ledger balances" in room.workshop("ledger")
    assert sorted(maps.read_squares(ids).x) == [1000 * n for n in range(5)]


def test_dead_letters_refusals_and_strangers_are_told_apart(room, worker):
    bad, stranger = do_task.delay(-1, 5).id, str(uuid4())
    publish(settings.broker_url(), message(id=stranger), message(b"42"))
    wait_for(
        lambda: bad in (now := ledger()).dead and stranger in now.strangers and now.refused, what="three ends"
    )
    now = ledger()
    assert "x must be a number of metres" in now.dead[bad]
    assert now.strangers == {stranger}
    assert [reason.partition(":")[0] for reason in now.refused] == ["BODY"]
    assert now.balanced
    shown = room.workshop("ledger")
    assert "1 x BODY: it is not [arguments, arguments by name, options]" in shown
    assert "strangers        1" in shown


def test_a_task_whose_worker_is_silent_is_not_missing(worker):
    settings.change(pace=2000)
    try:
        task = send()
        wait_for(lambda: task.id in ledger([task]).held, what="the task at its worker")
        with frozen(worker.pid):
            now = ledger([task])
            assert (now.waiting, now.held, now.missing) == (0, {}, [])
        settings.change(pace=0)
        assert done([task]).done == 1
    finally:
        settings.change(pace=None)


def test_who_looks_again_opens_no_connection(worker, monkeypatch):
    task = send()
    assert done([task]).done == 1

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("another connection")

    monkeypatch.setattr(amqp.Connection, "connect", refuse)
    monkeypatch.setattr(psycopg.Connection, "connect", refuse)
    monkeypatch.setattr(psycopg, "connect", refuse)
    assert ledger([task]).balanced
    assert live.progress([task]).done == 1
    monkeypatch.undo()
