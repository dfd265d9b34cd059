"""The queue `dead`: the messages of tasks that failed for good, and those that are no tasks."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import celery
from kombu import Connection, Message, Producer

from workshop import settings
from workshop.delivery import publisher
from workshop.delivery.guard import fault
from workshop.delivery.topology import DEAD, DEAD_EXCHANGE

REASON, SINCE = "reason", "dead_since"
"""The headers that say why a message is here, and since when."""


@dataclass(frozen=True)
class DeadLetter:
    """One message in the queue `dead`.

    Attributes
    ----------
    id : str
        The task's id as the message says; empty where it says none.
    fault : str
        Why a worker refuses such a message; empty if it is a task like others.
    reason : str
        Why it is here, as the worker wrote that put it here; empty if RabbitMQ did.
    at : str
        When it became a dead letter (UTC, ISO 8601); empty if nobody said.
    """

    id: str
    fault: str
    reason: str = ""
    at: str = ""


def letters(known: Container[str] | None = None, broker_url: str | None = None) -> Iterator[DeadLetter]:
    """Yield the messages in the queue `dead`, oldest first. They stay there.

    A central's dead letters are not for its guests: there it yields none.

    Parameters
    ----------
    known : container of str, optional
        The names of the tasks that workers know; see `workshop.delivery.guard.fault`.
    broker_url : str, optional
        Whose queue; by default that of the broker that this machine uses.
    """
    if settings.joined() and not broker_url:
        return
    url = broker_url or settings.broker_url()
    with Connection(url, connect_timeout=3) as connection, connection.channel() as channel:
        while (raw := channel.basic_get(DEAD.name)) is not None:
            message = channel.message_to_python(raw)
            headers = message.headers if isinstance(message.headers, dict) else {}
            id, reason = (str(headers.get(key) or "") for key in ("id", REASON))
            yield DeadLetter(id, fault(message, known) or "", reason, _since(headers))
        # the channel is closed without an acknowledgement, so RabbitMQ puts all back


def _since(headers: dict[str, Any]) -> str:
    try:
        return str(headers.get(SINCE) or headers["x-death"][0]["time"].isoformat())
    except (KeyError, IndexError, TypeError, AttributeError):  # someone else put it here
        return ""


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
        Of whatever kind, if RabbitMQ did not take it; then the message may only be rejected. At a central
        queue always: nobody but RabbitMQ itself writes to `dead` there.
    """
    if settings.joined():
        raise PermissionError("at a central queue RabbitMQ itself moves it to the queue dead")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")

    def publish(producer: Producer, **options: Any) -> None:
        producer.publish(
            message.body,
            exchange=DEAD_EXCHANGE.name,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers={**(message.headers or {}), REASON: reason.partition("\n")[0][:500], SINCE: now},
            delivery_mode=2,
            **options,
        )

    publisher.send(app, str((message.headers or {}).get("id")), publish)
