"""The queues are there before any worker; those of another version are replaced only if they are empty."""

import os
import signal
from collections.abc import Iterator

import pytest
from kombu import Connection, Exchange, Queue

from tests.conftest import wait_for
from tests.integration.machine import Machine
from workshop.delivery.topology import DEAD, DEAD_EXCHANGE, ROUTING_KEY, SQUARES, TASKS
from workshop.errors import WorkshopError
from workshop.stack import queues

QUORUM = {"x-queue-type": "quorum"}
SHORT = {"x-queue-type": "classic", "x-max-length": 5}


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("queues") / "state")
    try:
        machine.workshop("up", "--detach", "rabbitmq")
        yield machine
    finally:
        machine.workshop("down", "--purge")
        machine.until_gone(set(), 5)


@pytest.fixture
def broker(room: Machine) -> Iterator[Connection]:
    with room.amqp() as broker:
        yield broker
    with room.amqp() as broker:
        for queue in (DEAD, SQUARES):
            broker.default_channel.queue_delete(queue.name)
    queues.declare(room.stack()["broker_url"])


def redeclare(broker: Connection, name: str, arguments: dict[str, object]) -> None:
    broker.default_channel.queue_delete(name)
    Queue(name, durable=True, queue_arguments=arguments)(broker.default_channel).declare()


def send(broker: Connection, exchange: str = TASKS.name, key: str = ROUTING_KEY) -> None:
    broker.Producer().publish({}, exchange=exchange, routing_key=key, mandatory=True)


def length(broker: Connection, name: str) -> int:
    return broker.default_channel.queue_declare(name, passive=True).message_count


def is_ours(broker: Connection) -> bool:
    for entity in (DEAD_EXCHANGE, TASKS, DEAD, SQUARES):
        with broker.channel() as channel:
            entity(channel).declare()
    return True


def test_a_task_sent_before_any_worker_lives_is_kept(broker: Connection) -> None:
    send(broker)
    assert length(broker, SQUARES.name) == 1
    SQUARES(broker.default_channel).get().reject()
    wait_for(lambda: length(broker, DEAD.name) == 1, 5, "the rejected message in the queue dead")


def test_declaring_again_changes_nothing(broker: Connection) -> None:
    send(broker)
    assert queues.declare(broker.as_uri(include_password=True)) == ""
    assert length(broker, SQUARES.name) == 1


@pytest.mark.parametrize("arguments", [QUORUM, SHORT], ids=["quorum", "short"])
@pytest.mark.parametrize("name", [SQUARES.name, DEAD.name])
def test_an_empty_queue_is_replaced(broker: Connection, name: str, arguments: dict[str, object]) -> None:
    redeclare(broker, name, arguments)
    news = queues.declare(broker.as_uri(include_password=True))
    assert news == f"the queue '{name}' was declared otherwise by another version and held nothing: replaced"
    assert is_ours(broker)
    send(broker)
    assert length(broker, SQUARES.name) == 1


@pytest.mark.parametrize("arguments", [QUORUM, SHORT], ids=["quorum", "short"])
def test_a_task_is_never_removed(broker: Connection, arguments: dict[str, object]) -> None:
    redeclare(broker, SQUARES.name, arguments)
    send(broker, "", SQUARES.name)
    with pytest.raises(
        WorkshopError, match="queue 'squares' with other(.|\n)*messages in it: 1(.|\n)*Next: "
    ):
        queues.declare(broker.as_uri(include_password=True))
    wait_for(lambda: length(broker, SQUARES.name) == 1, 5, "the message")


def test_a_queue_in_use_is_left_alone(broker: Connection) -> None:
    redeclare(broker, SQUARES.name, SHORT)
    with (
        broker.Consumer(Queue(SQUARES.name, no_declare=True)),
        pytest.raises(WorkshopError, match="programs that read from it: 1"),
    ):
        queues.declare(broker.as_uri(include_password=True))


def test_an_exchange_of_another_type_is_replaced(broker: Connection) -> None:
    broker.default_channel.exchange_delete(TASKS.name)
    Exchange(TASKS.name, type="direct")(broker.default_channel).declare()
    SQUARES.bind(broker.default_channel).bind_to(TASKS.name, "old.key")
    send(broker, "", SQUARES.name)
    news = queues.declare(broker.as_uri(include_password=True))
    assert news == "the exchange 'tasks' was declared otherwise by another version and held nothing: replaced"
    assert is_ours(broker)
    send(broker)
    assert length(broker, SQUARES.name) == 2


def test_a_queue_that_differs_is_named_and_a_start_does_not_go_on(own_broker: Machine) -> None:
    machine = own_broker
    with machine.amqp() as broker:
        redeclare(broker, SQUARES.name, SHORT)
        broker.Producer().publish({}, routing_key=SQUARES.name, delivery_mode=2)
    before = machine.service("rabbitmq")["pid"]
    os.kill(before, signal.SIGTERM)  # killed, it would forget what was declared in the last seconds
    machine.until_again("rabbitmq", before)
    assert "queue 'squares' with other arguments" in machine.service("rabbitmq")["message"]
    with machine.amqp() as broker:
        assert length(broker, SQUARES.name) == 1

    machine.workshop("down")
    shown = machine.workshop("up", "--detach", "rabbitmq", code=3)
    assert "Error: RabbitMQ has a queue 'squares' with other arguments" in shown
    assert "messages in it: 1, programs that read from it: 0." in shown
    assert "Next: start the version of the course that declared it" in shown
    assert "Trying again" not in shown
    machine.until_gone(set(), 5)
