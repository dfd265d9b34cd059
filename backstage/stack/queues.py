"""Declares the exchanges and queues of the course at a virtual host, before anybody uses them there."""

from typing import Any

from amqp.exceptions import PreconditionFailed
from kombu import Connection, Queue

from backstage.stack.texts import refusal, words
from workshop.delivery.configuration import DEAD, DEAD_EXCHANGE, SQUARES, TASKS

_PATIENCE = {"read_timeout": 10, "write_timeout": 10}


def declare(broker_url: str) -> None:
    """Declare the exchanges, then the queues, before any worker lives: so a task that is sent then is kept.

    Parameters
    ----------
    broker_url : str
        The broker, with a user that may declare there.

    Raises
    ------
    WorkshopError
        If there is one of the same name with other arguments.
    """
    with Connection(broker_url, connect_timeout=3, transport_options=_PATIENCE) as broker:
        for entity in (DEAD_EXCHANGE, TASKS, DEAD, SQUARES):
            try:
                with broker.channel() as channel:
                    mine: Any = entity(channel)
                    mine.no_declare = False  # as it is for all others
                    mine.declare()
            except PreconditionFailed as error:
                kind = "queue" if isinstance(entity, Queue) else "exchange"
                afresh = words("start-afresh")
                raise refusal("other-arguments", kind=kind, name=entity.name, afresh=afresh) from error
