"""No dead letter is ever dropped: the queue has no bound, and one that had is replaced with what it holds."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from kombu import Connection, Message, Queue

from tests.integration.machine import Machine
from workshop import settings
from workshop.delivery.topology import DEAD, DEAD_EXCHANGE, SQUARES
from workshop.errors import WorkshopError
from workshop.stack import queues

BOUNDED = {"x-queue-type": "classic", "x-max-length": 5, "x-overflow": "reject-publish"}
QUORUM = {"x-queue-type": "quorum"}
HEADERS = {
    "id": "0b6e9a52-8a43-4d0e-9d38-1f0d3a3ae6a1",
    "x-death": [{"queue": "squares", "count": 1, "time": datetime(2026, 11, 27, tzinfo=UTC)}],
}


@pytest.fixture
def broker(room: Machine) -> Iterator[Connection]:
    with Connection(settings.broker_url(), transport_options={"confirm_publish": True}) as broker:
        DEAD(broker.default_channel).purge()
        yield broker
    with Connection(settings.broker_url()) as broker:
        for name in (DEAD.name, "dead.aside"):
            broker.default_channel.queue_delete(name)
    queues.declare(settings.broker_url())


def replace_by(broker: Connection, arguments: dict[str, object]) -> None:
    """Let another version's queue `dead` be there, with five dead letters."""
    broker.default_channel.queue_delete(DEAD.name)
    Queue(DEAD.name, DEAD_EXCHANGE, durable=True, queue_arguments=arguments)(broker.default_channel).declare()
    send(broker, DEAD_EXCHANGE.name, "")


def send(broker: Connection, exchange: str, key: str) -> None:
    for number in range(5):
        broker.Producer().publish([number], exchange=exchange, routing_key=key, headers=HEADERS, retry=False)


def take_all(broker: Connection) -> list[Message]:
    found = []
    while (message := DEAD(broker.default_channel).get(no_ack=True)) is not None:
        found.append(message)
    return found


@pytest.mark.parametrize("arguments", [BOUNDED, QUORUM], ids=["bounded", "quorum"])
def test_a_queue_of_another_version_is_replaced_with_its_messages(
    broker: Connection, arguments: dict[str, object]
) -> None:
    replace_by(broker, arguments)
    news = queues.declare(settings.broker_url())
    assert news == (
        "the queue 'dead' was declared otherwise by another version and its 5 messages were kept: replaced"
    )
    send(broker, DEAD_EXCHANGE.name, "")
    found = take_all(broker)
    assert [message.payload for message in found] == [[0], [1], [2], [3], [4]] * 2
    assert {message.headers["id"] for message in found} == {HEADERS["id"]}
    assert found[0].headers["x-death"][0]["time"] == datetime(2026, 11, 27, tzinfo=UTC).replace(tzinfo=None)
    assert found[0].properties["delivery_mode"] == 2
    assert not queues.declare(settings.broker_url())


def test_what_a_killed_start_set_aside_comes_back(broker: Connection) -> None:
    """It was killed after the queue `dead` was gone, while both were bound."""
    aside = Queue("dead.aside", DEAD_EXCHANGE, durable=True, queue_arguments={"x-queue-type": "classic"})
    aside(broker.default_channel).declare()
    broker.default_channel.queue_delete(DEAD.name)
    send(broker, DEAD_EXCHANGE.name, "")
    queues.declare(settings.broker_url())
    send(broker, DEAD_EXCHANGE.name, "")
    assert len(take_all(broker)) == 10


def test_dead_letters_that_someone_reads_are_left_alone(broker: Connection) -> None:
    replace_by(broker, BOUNDED)
    with (
        broker.Consumer(Queue(DEAD.name, no_declare=True)),
        pytest.raises(WorkshopError, match="queue 'dead'(.|\n)*programs that read from it: 1"),
    ):
        queues.declare(settings.broker_url())


def test_the_queue_itself_has_no_bound(broker: Connection) -> None:
    for queue in (DEAD, SQUARES):
        assert not [name for name in queue.queue_arguments if "max-" in name or "expires" in name]
