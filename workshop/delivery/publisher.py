"""Hands a task to RabbitMQ, and within seconds says the truth about it.

Celery's own `delay` may wait for ever: for a broker that is frozen, or one that takes no messages because its
disk is full. Here RabbitMQ confirms that it has the task, or `NotSent` says what is wrong.
"""

from collections.abc import Callable
from typing import Any

import celery
from amqp.exceptions import AMQPError, ChannelError, MessageNacked
from kombu import Producer
from kombu.exceptions import OperationalError

from workshop.delivery.addresses import broker_trouble
from workshop.errors import WorkshopError

CONFIRM = 3
"""Seconds that RabbitMQ has to confirm a message."""


class NotSent(WorkshopError):
    """A task is not on the queue, or nobody knows whether it is.

    Attributes
    ----------
    task_id : str
        The task's id. Sent again under this id, it makes one row, even if RabbitMQ has it twice.
    perhaps : bool
        Whether RabbitMQ may have the task nevertheless: only its answer is missing.
    """

    def __init__(self, task_id: str, text: str, perhaps: bool) -> None:
        fate = "Perhaps it has the task, perhaps not." if perhaps else "The task is not on the queue."
        again = f'apply_async((x, y), task_id="{task_id}")'
        super().__init__(f"{text} {fate}\n", f"workshop status. Then it is safe to send it again: {again}")
        self.task_id, self.perhaps = task_id, perhaps
        self.args = (task_id, text, perhaps)  # of which another process makes it anew


def send(app: celery.Celery, task_id: str, publish: Callable[..., Any]) -> Any:
    """Publish a task, and wait until RabbitMQ confirms it.

    Parameters
    ----------
    app : celery.Celery
        Whose connections are used.
    task_id : str
        The task's id.
    publish : callable
        Publishes it; takes the options `producer`, `retry` and `confirm_timeout` of `apply_async`.

    Raises
    ------
    NotSent
        Within about five seconds, if RabbitMQ can't be reached, refuses the task, or does not confirm it.
    """
    with app.producer_or_acquire() as producer:
        if text := _connect(producer, app.conf.broker_url):
            raise NotSent(task_id, text, perhaps=False)
        alarm: list[str] = []
        producer.connection.connection.on_blocked = alarm.append
        try:
            return publish(producer=producer, retry=False, confirm_timeout=CONFIRM)
        except (OperationalError, AMQPError, MessageNacked, OSError) as error:
            producer.connection.collect()
            cause = error.__cause__ or error
            refused = isinstance(cause, ChannelError | MessageNacked)
            text = _in_words(cause, bool(alarm), app.conf.broker_url)
            raise NotSent(task_id, text, perhaps=not refused) from error
        except BaseException:  # such as a time limit or Ctrl-C while it waits: the answer would come later
            producer.connection.collect()
            raise


def _connect(producer: Producer, url: str) -> str:
    """See to it that the connection lives; return what keeps it from that, in words."""
    connection = producer.connection
    if connection.connected:
        try:
            connection.drain_events(timeout=0)
        except TimeoutError:
            return ""  # nothing was said: it lives
        except (AMQPError, OSError):
            connection.collect()
    if trouble := broker_trouble(url):
        return trouble.text
    try:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONFIRM)
        producer.revive(connection)
    except (OperationalError, OSError) as error:
        return f"RabbitMQ was there a moment ago, but now: {error}."
    return ""


def _in_words(error: BaseException, alarm: bool, url: str) -> str:
    if alarm:
        return "RabbitMQ takes no messages for now: its disk or memory is nearly full."
    if isinstance(error, TimeoutError):
        return f"RabbitMQ did not confirm the task within {CONFIRM} s."
    if isinstance(error, MessageNacked):
        return "RabbitMQ refuses the task: its queue is full."
    if isinstance(error, ChannelError):
        return f"RabbitMQ refuses the task: {error}."
    now = broker_trouble(url)
    return "The connection broke before RabbitMQ confirmed the task." + (f" {now.text}" if now else "")
