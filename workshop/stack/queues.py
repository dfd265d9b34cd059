"""Declares the course's exchanges and queues on the broker of this machine, before any worker lives.

So a task that is sent while no worker runs is kept. RabbitMQ refuses to declare a queue again with other
arguments, as another version of the course may have done: an empty queue is then replaced, one that holds
tasks is left alone, and the start fails with a sentence that says what to do. Dead letters nobody works on,
so these are moved to the new queue `dead`; one that was bounded would drop what comes next.
"""

from amqp import Channel, Message
from amqp.exceptions import AMQPNotImplementedError, PreconditionFailed
from kombu import Connection, Exchange, Queue

from workshop.delivery.topology import DEAD, DEAD_EXCHANGE, SQUARES, TASKS
from workshop.stack.condition import StartFailed

_OPTIONS = {"read_timeout": 10, "write_timeout": 10, "confirm_publish": True}

_ASIDE = Queue("dead.aside", durable=True, queue_arguments={"x-queue-type": "classic"})
"""Holds the dead letters while the queue `dead` is made anew; the next start moves what a killed one left."""


def declare(broker_url: str) -> str:
    """Declare the exchanges, then the queues; replace those that hold nothing and differ.

    Parameters
    ----------
    broker_url : str
        The broker, with a user that may declare and delete there.

    Returns
    -------
    str
        What was replaced, in words; empty if nothing was.

    Raises
    ------
    StartFailed
        If a queue differs and a program reads from it, or it holds tasks.
    """
    with Connection(broker_url, connect_timeout=3, transport_options=_OPTIONS) as broker:
        news = [_declare(broker, entity) for entity in (DEAD_EXCHANGE, TASKS, DEAD)]
        _bring_back(broker)
        news.append(_declare(broker, SQUARES))
    return "; ".join(filter(None, news))


def _declare(broker: Connection, entity: Exchange | Queue) -> str:
    try:
        with broker.channel() as channel:
            entity(channel).declare()
        return ""
    except PreconditionFailed:
        pass  # RabbitMQ closes the channel with that
    kind = "queue" if isinstance(entity, Queue) else "exchange"
    moved = _set_aside(broker) if entity is DEAD else 0
    if kind == "queue":
        _remove_empty(broker, entity.name)
    with broker.channel() as channel:
        if kind == "exchange":
            channel.exchange_delete(entity.name)  # an exchange holds no messages
        entity(channel).declare()
    held = f"its {moved:,} messages were kept" if moved else "held nothing"
    return f"the {kind} {entity.name!r} was declared otherwise by another version and {held}: replaced"


def _set_aside(broker: Connection) -> int:
    """Move all dead letters out of a queue `dead` that is to be replaced, and return how many there were.

    Those that come meanwhile go aside, too; one that comes between two steps may be there twice.
    """
    with broker.channel() as channel:
        if channel.queue_declare(DEAD.name, passive=True).consumer_count:
            return 0
        _ASIDE(channel).declare()
        channel.queue_bind(_ASIDE.name, DEAD_EXCHANGE.name)
        channel.queue_unbind(DEAD.name, DEAD_EXCHANGE.name)
        return _move(channel, DEAD.name, _ASIDE.name)


def _bring_back(broker: Connection) -> None:
    """Move what was set aside into the queue `dead`: just now, or at a start that was killed."""
    with broker.channel() as channel:
        _ASIDE(channel).declare()
        channel.queue_unbind(_ASIDE.name, DEAD_EXCHANGE.name)
        _move(channel, _ASIDE.name, DEAD.name)
        channel.queue_delete(_ASIDE.name, if_empty=True)


def _move(channel: Channel, source: str, target: str) -> int:
    """Move all messages as they are: each leaves one queue when the other is known to have it."""
    moved = 0
    while (message := channel.basic_get(source)) is not None:
        copy = Message(message.body, **message.properties | {"delivery_mode": 2})
        channel.basic_publish(copy, routing_key=target)
        channel.basic_ack(message.delivery_tag)
        moved += 1
    return moved


def _remove_empty(broker: Connection, name: str) -> None:
    """Delete a queue that nobody uses.

    Raises
    ------
    StartFailed
        If it holds messages, or if programs read from it.
    """
    with broker.channel() as channel:
        found = channel.queue_declare(name, passive=True)
        # RabbitMQ counts no messages in a quorum queue that has no leader yet; to ask for one is sure.
        waiting = found.message_count or int(channel.basic_get(name) is not None)
    if waiting or found.consumer_count:
        raise StartFailed(_refusal(name, waiting, found.consumer_count))
    _delete(broker, name)


def _delete(broker: Connection, name: str) -> None:
    try:
        with broker.clone() as trial:  # a refusal closes the whole connection
            trial.default_channel.queue_delete(name, if_unused=True, if_empty=True)
    except AMQPNotImplementedError:  # quorum queues know no such conditions
        with broker.channel() as channel:
            channel.queue_delete(name)


def _refusal(name: str, waiting: int, consumers: int) -> str:
    return (
        f"RabbitMQ has a queue {name!r} with other arguments than this version of the course needs:\n"
        "an older version declared it, or someone by hand. It can't be changed, and it is in use:\n"
        f"messages in it: {waiting}, programs that read from it: {consumers}. It was left as it is.\n"
        "Next: start the version of the course that declared it, and let its workers finish the messages.\n"
        "Or, if they are of no use: workshop down --purge, then workshop up, starts afresh, without them\n"
        "and without the squares so far."
    )
