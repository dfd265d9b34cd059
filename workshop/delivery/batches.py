"""Sends many tasks to a central queue at once: RabbitMQ confirms each, but nobody waits for each.

One task at a time, as `workshop.delivery.publisher` sends what a notebook's cell calls, makes some hundred a
second; this makes some thousand. The messages are those of `do_task.delay`. Nothing here writes to the record
of publishes: who sends a country knows how its ids are made.
"""

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import celery
from kombu import Connection, Producer

from workshop.delivery.topology import ROUTING_KEY, SQUARES, TASKS

TASK = "workshop.tasks.do_task"
SOFT_TIME_LIMIT = 5
"""The name and the limit of `do_task`, whose module is not imported here: attendees edit it."""

CONFIRM = 10
"""Seconds in which RabbitMQ takes or confirms something of a batch, or the batch is sent again."""

Task = tuple[UUID, float, float]
"""A task's id and its point in metres (EPSG:27700)."""


class NotTaken(Exception):
    """RabbitMQ is there, but did not take the whole batch. It may be sent again under the same ids."""


class Sender:
    """A connection to RabbitMQ for batches of tasks.

    Parameters
    ----------
    broker_url : str
        The broker's address.

    Raises
    ------
    OSError
        If it can't be reached.
    """

    def __init__(self, broker_url: str) -> None:
        self._app = celery.Celery(broker=broker_url, set_as_current=False)
        self._app.config_from_object("workshop.delivery.configuration")
        limits = {"read_timeout": CONFIRM, "write_timeout": CONFIRM}
        self._connection = Connection(broker_url, connect_timeout=3, transport_options=limits)
        self._channel = self._connection.channel()
        self._producer = Producer(self._channel, auto_declare=False)
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._sent = 0
        self._open: set[int] = set()
        self._refused = 0

    def waiting(self) -> int:
        """Return how many messages in the queue `squares` nobody has taken yet."""
        return SQUARES(self._channel).queue_declare(passive=True).message_count

    def send(self, tasks: Sequence[Task]) -> None:
        """Put tasks on the queue, and wait until RabbitMQ has confirmed every one.

        Raises
        ------
        NotTaken
            If it refuses some, as a full queue does, or says nothing for `CONFIRM` seconds.
        OSError, amqp.exceptions.AMQPError
            If the connection breaks.
        """
        self._refused = 0
        for task in tasks:
            self._sent += 1
            self._open.add(self._sent)
            self._publish(*task)
        try:
            while self._open:
                self._connection.drain_events(timeout=CONFIRM)
        except TimeoutError as error:
            raise NotTaken(f"RabbitMQ did not confirm {len(self._open):,} tasks in {CONFIRM} s.") from error
        if self._refused:
            raise NotTaken(f"RabbitMQ refused {self._refused:,} tasks.")

    def close(self) -> None:
        """End the connection; what is not confirmed by now is to be sent again."""
        with suppress(Exception):
            self._connection.collect()
        with suppress(Exception):
            self._app.close()

    def _publish(self, id: UUID, x: float, y: float) -> None:
        headers, properties, body, _ = self._app.amqp.as_task_v2(
            str(id),
            TASK,
            (x, y),
            {},
            time_limit=self._app.conf.task_time_limit,
            soft_time_limit=SOFT_TIME_LIMIT,
            reply_to=self._app.thread_oid,
        )
        self._producer.publish(
            body,
            exchange=TASKS.name,
            routing_key=ROUTING_KEY,
            serializer=self._app.conf.task_serializer,
            delivery_mode=2,
            headers=headers,
            **properties,
        )

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._open -= {each for each in self._open if each <= tag} if multiple else {tag}

    def _on_nack(self, tag: int, multiple: bool) -> None:
        before = len(self._open)
        self._on_ack(tag, multiple)
        self._refused += before - len(self._open)
