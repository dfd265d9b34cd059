"""The queues are there before any worker; another version's are left as they are."""

from collections.abc import Iterator

import pytest
from kombu import Connection, Exchange, Queue

from backstage.stack import rabbitmq
from tests.conftest import wait_for
from tests.integration.machine import Machine
from workshop.delivery.configuration import DEAD, ROUTING_KEY, SQUARES, TASKS
from workshop.errors import WorkshopError

SHORT = {"x-queue-type": "classic", "x-max-length": 5}


@pytest.fixture
def broker(room: Machine) -> Iterator[Connection]:
    with room.amqp() as broker:
        yield broker
    with room.amqp() as broker:
        for queue in (DEAD, SQUARES):
            broker.default_channel.queue_delete(queue.name)
        broker.default_channel.exchange_delete(TASKS.name)
    rabbitmq.declare(room.stack()["broker_url"])


def redeclare(broker: Connection, name: str) -> None:
    broker.default_channel.queue_delete(name)
    Queue(name, durable=True, queue_arguments=SHORT)(broker.default_channel).declare()


def send(broker: Connection, exchange: str = TASKS.name, key: str = ROUTING_KEY) -> None:
    broker.Producer().publish({}, exchange=exchange, routing_key=key, mandatory=True)


def length(broker: Connection, name: str) -> int:
    return broker.default_channel.queue_declare(name, passive=True).message_count


def test_a_task_sent_before_any_worker_lives_is_kept(broker: Connection) -> None:
    send(broker)
    assert length(broker, SQUARES.name) == 1
    SQUARES(broker.default_channel).get().reject()
    wait_for(lambda: length(broker, DEAD.name) == 1, 5, "the rejected message in the queue dead")


def test_declaring_again_changes_nothing(broker: Connection) -> None:
    send(broker)
    rabbitmq.declare(broker.as_uri(include_password=True))
    assert length(broker, SQUARES.name) == 1


def test_no_message_is_dropped_as_a_queue_is_full_or_old() -> None:
    for queue in (DEAD, SQUARES):
        assert not [name for name in queue.queue_arguments if "max-" in name or "expires" in name]


@pytest.mark.parametrize("name", [SQUARES.name, DEAD.name])
def test_another_versions_queue_is_left_as_it_is(broker: Connection, name: str) -> None:
    redeclare(broker, name)
    send(broker, "", name)
    with pytest.raises(WorkshopError, match=f"queue '{name}' with other(.|\n)*Next: (.|\n)*--purge"):
        rabbitmq.declare(broker.as_uri(include_password=True))
    assert length(broker, name) == 1


def test_another_versions_exchange_is_left_as_it_is(broker: Connection) -> None:
    broker.default_channel.exchange_delete(TASKS.name)
    Exchange(TASKS.name, type="direct")(broker.default_channel).declare()
    with pytest.raises(WorkshopError, match="exchange 'tasks' with other"):
        rabbitmq.declare(broker.as_uri(include_password=True))
