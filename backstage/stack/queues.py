"""Declares the course's exchanges and queues on the broker of this machine, before any worker lives.

So a task that is sent while no worker runs is kept. RabbitMQ refuses to declare a queue or an exchange again
with other arguments, as another version of the course may have done: then all stays as it is, and the start
fails with a sentence that says what to do.
"""

from typing import Any

from amqp.exceptions import PreconditionFailed
from kombu import Connection

from backstage.stack.condition import START_AFRESH, StartFailed
from workshop.delivery.topology import DEAD, DEAD_EXCHANGE, SQUARES, TASKS

_REFUSAL = f"""\
RabbitMQ has {{}} {{!r}} with other arguments than this version of the course needs:
another version declared it, or someone by hand. It was left as it is, with all messages in it.
Next: start the version of the course that declared it, and let its workers finish the messages.
{START_AFRESH}"""

_OPTIONS = {"read_timeout": 10, "write_timeout": 10}


def declare(broker_url: str) -> None:
    """Declare the exchanges, then the queues.

    Parameters
    ----------
    broker_url : str
        The broker, with a user that may declare there.

    Raises
    ------
    StartFailed
        If there is one of the same name with other arguments.
    """
    with Connection(broker_url, connect_timeout=3, transport_options=_OPTIONS) as broker:
        for kind, entity in (
            ("exchange", DEAD_EXCHANGE),
            ("exchange", TASKS),
            ("queue", DEAD),
            ("queue", SQUARES),
        ):
            try:
                with broker.channel() as channel:
                    mine: Any = entity(channel)
                    mine.no_declare = False  # as it is for all others
                    mine.declare()
            except PreconditionFailed as error:
                raise StartFailed(_REFUSAL.format(kind, entity.name)) from error
