"""Puts messages on the queue `dead`: those of tasks that failed for good, and those that are no tasks."""

from datetime import UTC, datetime
from uuid import uuid4

import celery
from kombu import Message as Received

from workshop import settings
from workshop.delivery import publisher
from workshop.delivery.topology import DEAD_EXCHANGE, REASON, SINCE
from workshop.delivery.window import Message


def bury(app: celery.Celery, message: Received, reason: str) -> None:
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
    headers = message.headers or {}
    id = str(headers.get("id") or uuid4())
    options = {
        "exchange": DEAD_EXCHANGE.name,
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "headers": {**headers, REASON: reason.partition("\n")[0][:500], SINCE: now},
        "delivery_mode": 2,
        "correlation_id": id,
    }
    publisher.send(Message(id, message.body, options), app.conf.broker_url)
