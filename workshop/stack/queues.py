"""Declares the course's exchanges and queues on the broker of this machine, before any worker lives.

So a task that is sent while no worker runs is kept. RabbitMQ refuses to declare a queue again with other
arguments, as another version of the course may have done: an empty queue is then replaced, one that holds
messages is left alone, and the start fails with a sentence that says what to do.
"""

from amqp.exceptions import AMQPNotImplementedError, PreconditionFailed
from kombu import Connection, Exchange, Queue

from workshop.delivery.topology import DEAD, DEAD_EXCHANGE, SQUARES, TASKS
from workshop.stack.condition import StartFailed

_OPTIONS = {"read_timeout": 10, "write_timeout": 10}


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
        If a queue differs and holds messages, or a program reads from it.
    """
    with Connection(broker_url, connect_timeout=3, transport_options=_OPTIONS) as broker:
        news = [_declare(broker, entity) for entity in (DEAD_EXCHANGE, TASKS, DEAD, SQUARES)]
    return "; ".join(filter(None, news))


def _declare(broker: Connection, entity: Exchange | Queue) -> str:
    try:
        with broker.channel() as channel:
            entity(channel).declare()
        return ""
    except PreconditionFailed:
        pass  # RabbitMQ closes the channel with that
    kind = "queue" if isinstance(entity, Queue) else "exchange"
    if kind == "queue":
        _remove_empty(broker, entity.name)
    with broker.channel() as channel:
        if kind == "exchange":
            channel.exchange_delete(entity.name)  # an exchange holds no messages
        entity(channel).declare()
    return f"the {kind} {entity.name!r} was declared otherwise by another version and held nothing: replaced"


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
