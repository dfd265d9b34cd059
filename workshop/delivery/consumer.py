"""The part of a worker that receives messages: it refuses those that are no tasks, and lives on."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import celery.worker.consumer
from celery.platforms import EX_FAILURE
from celery.utils.log import get_logger
from kombu import Connection, Message

from workshop.delivery.dead import bury
from workshop.delivery.guard import Packed, fault

_logger = get_logger(__name__)


class Consumer(celery.worker.consumer.Consumer):
    """Celery's consumer behind the guard, which can pause; the setting ``worker_consumer`` names it."""

    _goes_on_at = 0.0

    @property
    def paused(self) -> float:
        """For how many seconds more it takes no message; 0 if it does."""
        return max(0.0, self._goes_on_at - time.monotonic())

    def pause(self, seconds: float) -> None:
        """Take no message for so many seconds, from now on; what was taken before runs on."""
        self._goes_on_at = time.monotonic() + seconds
        self.task_consumer.cancel()
        self.hub.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        if not self.paused:  # another pause may have begun meanwhile
            self.task_consumer.consume()

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Message], None]:
        """Return what is called with each message."""
        receive = super().create_task_handler(*args, **options)
        self.task_consumer.channel.Message = Packed
        _make_room(self)

        def receive_guarded(message: Message) -> None:
            if reason := fault(message, self.app.tasks):
                self._refuse(message, reason)
            else:
                receive(message)

        return receive_guarded

    def connection_for_write(self, url: str | None = None, heartbeat: int | None = None) -> Connection:
        """Connect for events, which nobody confirms.

        Celery would wait for each confirmation in this one thread. While RabbitMQ is silent it would read no
        results, and a time limit would then strike a process that has long done its work.
        """
        unconfirmed = {"confirm_publish": False}
        return self.ensure_connected(
            self.app.connection_for_write(url=url, heartbeat=heartbeat, transport_options=unconfirmed)
        )

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """End this worker, as RabbitMQ is gone; its supervisor starts it anew when RabbitMQ is back.

        Celery would wait within and connect again. Meanwhile it reads no results, so that time limits strike
        processes that have done their work; and afterwards some workers end, or take nothing (celery#9250).
        What this worker has not acknowledged, RabbitMQ delivers again.
        """
        why = f"BrokerError: RabbitMQ is gone ({type(exc).__name__}). It starts anew when RabbitMQ is back"
        print(why, file=sys.__stderr__, flush=True)  # not as a line of the log, where nobody finds it
        os._exit(EX_FAILURE)  # without a broker an orderly end only adds errors to the log

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Refuse what can't even be unpacked; Celery would acknowledge it, and it would be gone."""
        self._refuse(message, fault(message, self.app.tasks) or f"UNREADABLE: {type(exc).__name__}")

    def _refuse(self, message: Message, reason: str) -> None:
        _logger.error('Refused a message, now in the queue "dead": %s', reason)
        try:
            bury(self.app, message, reason)
            message.ack_log_error(_logger, self.connection_errors)
        except Exception:  # a machine without the right to write there, or a message that can't be copied
            message.reject_log_error(_logger, self.connection_errors)


def _make_room(consumer: celery.worker.consumer.Consumer) -> None:
    """Let a worker's consumer be followed by another one whenever a task begins to wait in it.

    Such a task is not acknowledged, so it takes one of the few places that the prefetch count gives a worker.
    Celery asks RabbitMQ for another place then. That works up to RabbitMQ 3. RabbitMQ 4 counts for each
    consumer on its own, and does not change the count of one that runs: a worker with two places that holds
    two retries would stand still until the first is due. So another consumer takes over, with as many places.
    """
    qos, change = consumer.qos, consumer.qos.callback

    def change_and_follow(prefetch_count: int) -> None:
        change(prefetch_count=prefetch_count)  # RabbitMQ 3: for all consumers of this worker
        if qos.prev is not None and prefetch_count > qos.prev and not consumer.paused:
            tasks = consumer.task_consumer
            tasks.cancel()  # what it holds stays with the worker
            tasks.qos(prefetch_count=consumer.initial_prefetch_count, apply_global=False)
            tasks.consume()

    qos.callback = change_and_follow
