"""The queue `dead`: the messages of tasks that failed for good, and those that are no tasks."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

import celery
from kombu import Connection, Message, Producer

from workshop import settings
from workshop.delivery import publisher
from workshop.delivery.guard import fault
from workshop.delivery.topology import DEAD, DEAD_EXCHANGE

REASON = "reason"
"""The header that says why a message is here."""


@dataclass(frozen=True)
class DeadLetter:
    """One message in the queue `dead`.

    Attributes
    ----------
    id, name : str
        The task's id and name as the message says; empty where it says none.
    fault : str
        Why a worker refuses such a message; empty if it is a task like others.
    reason : str
        Why it is here, as the worker wrote that put it here; empty if RabbitMQ did.
    """

    id: str
    name: str
    fault: str
    reason: str = ""


def letters(known: Container[str] | None = None) -> Iterator[DeadLetter]:
    """Yield the messages in the queue `dead`, oldest first. They stay there.

    Parameters
    ----------
    known : container of str, optional
        The names of the tasks that workers know; see `workshop.delivery.guard.fault`.
    """
    with Connection(settings.broker_url(), connect_timeout=3) as connection, connection.channel() as channel:
        while (raw := channel.basic_get(DEAD.name)) is not None:
            message = channel.message_to_python(raw)
            headers = message.headers if isinstance(message.headers, dict) else {}
            id, name, reason = (str(headers.get(key) or "") for key in ("id", "task", REASON))
            yield DeadLetter(id, name, fault(message, known) or "", reason)
        # the channel is closed without an acknowledgement, so RabbitMQ puts all back


def bury(app: celery.Celery, message: Message, reason: str) -> None:
    """Put a copy of a message on the queue `dead`, and wait until RabbitMQ confirms that it has it.

    RabbitMQ moves a rejected message there by itself, but without a confirmation: killed within a second
    after that (tried: 0.1 s on an idle machine, 1.8 s under load), it has lost the message.

    Parameters
    ----------
    app : celery.Celery
        Whose connections are used.
    message : kombu.Message
        As it was delivered.
    reason : str
        Why.

    Raises
    ------
    Exception
        Of whatever kind, if RabbitMQ did not take it; then the message may only be rejected.
    """

    def publish(producer: Producer, **options: Any) -> None:
        producer.publish(
            message.body,
            exchange=DEAD_EXCHANGE.name,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers={**(message.headers or {}), REASON: reason.partition("\n")[0][:500]},
            delivery_mode=2,
            **options,
        )

    publisher.send(app, str((message.headers or {}).get("id")), publish)
