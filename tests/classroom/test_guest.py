"""A joined machine at work: what it does, with the least rights, and how it comes back after each loss."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from uuid import uuid4

import psutil
import pytest
from celery import Celery
from kombu import Connection

from backstage.classroom.card import Card
from backstage.stack.central_config import machine_of
from tests.classroom.guests import have_joined
from tests.conftest import wait_for
from tests.integration.machine import Machine, frozen, manage
from tests.servers import at
from workshop import live, maps, settings
from workshop.delivery.asking import ask, code_digest, living
from workshop.delivery.configuration import SQUARES, TASKS
from workshop.delivery.ledger import ledger, letters
from workshop.delivery.record import Published, published
from workshop.tasks import do_task

POINT = (325_200, 673_500)


@pytest.fixture(scope="module")
def guest(cards: list[Card], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with a worker and nothing else; this process uses its settings, as its notebook would."""
    guest = Machine(tmp_path_factory.mktemp("machine") / "state")
    have_joined(guest, cards[1])
    with at(guest.state, HASTE="10"):
        try:
            guest.workshop("up", "--detach", "worker", WORKSHOP_PROCESSES="2", WORKSHOP_HASTE="10")
            yield guest
        finally:
            guest.workshop("down", "--purge")


def send(number: int, **options: object) -> list[Published]:
    before = len(published())
    for _ in range(number):
        do_task.apply_async(POINT, **options)
    return published()[before:]


def done(run: list[Published], patience: float = 60) -> live.Progress:
    return live.watch(run, quiet=True, patience=patience)


def test_the_worker_has_the_name_on_the_card(guest: Machine, central: Machine) -> None:
    assert guest.service("worker1")["state"] == "ready"
    joined = json.loads((guest.state / "joined.json").read_text())
    assert living(joined["database_url"]) == {"worker1@machine02": code_digest()}
    assert "worker1 is ready" in guest.workshop("doctor")
    wait_for(
        lambda: "machine02" in map(machine_of, users(central)),
        what="the account among the broker's connections",
    )


def users(central: Machine) -> set[str]:
    return {each.get("user") for each in json.loads(manage(central, "GET", "connections"))}


def test_each_process_has_its_connection_before_any_task(guest: Machine, central: Machine) -> None:
    count = "SELECT count(*) FROM pg_stat_activity WHERE usename ~ '-machine02$'"
    wait_for(lambda: central.sql(count)[0][0] >= 2, what="a connection of each process")


def test_tasks_and_retries_are_done_and_seen(guest: Machine, central: Machine) -> None:
    """Half of the attempts fail once; the row says whose it is; Flower's exchange hears all of it."""
    with heard(central) as events:
        settings.change(fault_rate=0.5)
        for number in range(40):
            do_task.delay(POINT[0] + number * 1000, POINT[1])
        run = published()[-40:]
        assert done(run).done == 40
        settings.change(fault_rate=None)
        wait_for(lambda: of_kind(events, "task-succeeded") >= {task.id for task in run}, what="each success")
    squares = maps.read_squares(task.id for task in run)
    assert set(squares.machine) == {"machine02"}
    assert set(squares.worker) == {"worker1@machine02"}
    log = live.read_log(task.id for task in run)
    assert set(log.state) == {"RETRY"} and squares.attempt.max() > 1
    assert of_kind(events, "task-retried") == set(map(str, log.task_id))


@contextmanager
def heard(central: Machine) -> Iterator[list[dict[str, Any]]]:
    """Collect the events of all workers, as Flower at the central does."""
    events: list[dict[str, Any]] = []
    application = Celery(broker=central.stack()["broker_url"], set_as_current=False)
    application.conf.event_exchange = "amq.topic"
    with application.connection() as connection:
        receiver = application.events.Receiver(connection, handlers={"*": events.append})

        def listen() -> None:
            receiver.capture(limit=None, timeout=None, wakeup=False)

        Thread(target=listen, daemon=True).start()
        wait_for(lambda: of_type(events, "worker-heartbeat"), 30, "a sign of life of the worker")
        yield events
        receiver.should_stop = True


def of_type(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in list(events) if event["type"] == kind]


def of_kind(events: list[dict[str, Any]], kind: str) -> set[str]:
    return {event["uuid"] for event in of_type(events, kind)}


def test_a_guest_declares_and_commands_nothing(guest: Machine, central: Machine) -> None:
    """What asks a broker at home keeps quiet here, instead of being refused."""
    url = settings.broker_url()
    with Connection(url) as connection, connection.channel() as channel:
        SQUARES(channel).declare()
        TASKS(channel).declare()
        assert channel.is_open
    assert ask(url, "course_report") == {}
    assert letters() == []
    for kind in ("queues", "exchanges"):
        names = [each["name"] for each in json.loads(manage(central, "GET", kind))]
        assert not [name for name in names if "pidbox" in name or name == "celeryev"]


def test_what_is_refused_becomes_a_dead_letter_and_costs_no_worker(guest: Machine, central: Machine) -> None:
    """The worker may not write to the queue `dead`; RabbitMQ moves the message there itself."""
    before, pid = dead_letters(central), guest.service("worker1")["pid"]
    with central.amqp() as connection:
        producer = connection.Producer()
        for body in ("42", '[[1,2],{},{"chain":[1]}]', "no json"):
            producer.publish(
                body,
                exchange="tasks",
                routing_key="task.square",
                content_type="application/json",
                content_encoding="utf-8",
                headers={"id": str(uuid4()), "task": do_task.name},
            )
    do_task.delay(-1, 5)  # a task that fails for good
    wait_for(lambda: dead_letters(central) == before + 4, what="four dead letters")
    assert done(send(5)).done == 5
    assert guest.service("worker1")["pid"] == pid and guest.service("worker1")["restarts"] == 0


def dead_letters(central: Machine) -> int:
    with central.amqp() as connection, connection.channel() as channel:
        return channel.queue_declare("dead", passive=True).message_count


def test_nothing_is_called_missing(guest: Machine, central: Machine) -> None:
    """A task that another machine holds can't be seen from here."""
    with central.amqp() as connection, connection.channel() as channel:
        channel.queue_bind("dead", "tasks", "task.square")  # so that the next task is taken by somebody else
        channel.queue_unbind("squares", "tasks", "task.square")
        (task,) = send(1)
        channel.queue_bind("squares", "tasks", "task.square")
        channel.queue_unbind("dead", "tasks", "task.square")
    found = ledger([task])
    assert (found.missing, found.unknown, found.balanced) == ([], [], False)


def test_a_worker_waits_for_the_database(guest: Machine, central: Machine) -> None:
    pid = guest.service("worker1")["pid"]
    with frozen(central.service("postgis")["pid"]):
        run = send(4)
        psutil.Process(pid).kill()
        said = "The central does not answer"
        wait_for(lambda: said in guest.service("worker1")["message"], 60, "what the worker waits for")
    guest.until_again("worker1", pid, 90)
    assert done(run).done == 4


def test_the_central_restarts_and_the_worker_is_back(guest: Machine, central: Machine) -> None:
    """Meanwhile the status says what the worker waits for, and how to do without."""
    settings.change(pace=50)
    run = send(60)
    wait_for(lambda: live.progress(run).done, what="the first row")
    before, broker = guest.service("worker1")["pid"], central.service("rabbitmq")["pid"]
    supervisor = psutil.Process(central.stack()["pid"])
    supervisor.suspend()  # so that the broker stays away until the worker has noticed
    try:
        psutil.Process(broker).kill()
        said = "The central does not answer. Nothing listens at the broker's port"
        wait_for(lambda: said in guest.service("worker1")["message"], 60, "what the worker waits for")
        assert guest.service("worker1")["state"] in ("starting", "broken")
        status = guest.workshop("status", code=1)
        assert "The central does not answer. Nothing listens at the broker's port" in status
        assert "workshop leave" in status
        doctor = guest.workshop("doctor", code=3)
        assert "NOT READY: The central does not answer." in doctor and "workshop leave goes back" in doctor
    finally:
        supervisor.resume()
    central.until_again("rabbitmq", broker, 60)
    guest.until_again("worker1", before, 90)
    assert done(run, 90).done == 60
    settings.change(pace=None)
