"""The worker: what it does with each message, and how it pauses.

A message that is no task is refused. A task that met an outage, or lost its process, waits here,
unacknowledged, longer each time: whatever happens meanwhile, RabbitMQ still has it. Celery would put it back
at once, again and again, or drop it. Its `retries` stay as they are: they are for errors that the task itself
knows. What failed for good is put on the queue `dead` before it is acknowledged.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import celery.worker.consumer
import celery.worker.request
from billiard.einfo import ExceptionInfo, ExceptionWithTraceback
from celery import Celery
from celery._state import _task_stack
from celery.exceptions import Reject, TimeLimitExceeded, WorkerLostError
from celery.platforms import EX_FAILURE
from celery.utils.log import get_logger
from celery.worker.state import task_ready
from kombu import Message
from kombu.asynchronous import get_event_loop

from workshop import database, settings
from workshop.delivery import publisher
from workshop.delivery.configuration import DEAD_EXCHANGE, REASON, SINCE
from workshop.delivery.guard import Packed, fault

LONGEST_PAUSE = 8
"""Seconds between two attempts in an outage, at most."""

EVENTS_WAIT = 0.2
"""Seconds that events, which Flower shows, wait for others."""

LOSSES = 4
"""How often a task may lose its process, in one worker, until it is a dead letter."""

_LOSS = (WorkerLostError, SystemExit)

_logger = get_logger(__name__)
_in_a_row = 0
_losses: Counter[str] = Counter()
given_back: dict[str, float] = {}
"""When each task that waits here is put back on the queue, by the clock `time.monotonic`."""


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

    def on_send_event_buffered(self) -> None:
        """Let events wait for others, so that a message has many; Celery would send each turn's own."""

    def shutdown(self) -> None:
        """End, and send the events of the last tasks before."""
        self._flush_events()
        super().shutdown()

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Message], None]:
        """Return what is called with each message."""
        receive = super().create_task_handler(*args, **options)
        self.task_consumer.channel.Message = Packed
        self.hub.call_repeatedly(EVENTS_WAIT, self._flush_events)
        self._change_places, self.qos.callback = self.qos.callback, self._make_room

        def receive_guarded(message: Message) -> None:
            if reason := fault(message, self.app.tasks):
                self._refuse(message, reason)
            else:
                receive(message)

        return receive_guarded

    def _make_room(self, prefetch_count: int) -> None:
        """Let another consumer take over whenever a task begins to wait in this worker.

        Such a task is not acknowledged, so it takes one of the few places that the prefetch count gives a
        worker. Celery asks RabbitMQ for another place then. That works up to RabbitMQ 3. RabbitMQ 4 counts
        for each consumer on its own, and does not change the count of one that runs: a worker with two
        places that holds two retries would stand still until the first is due. The other consumer has as
        many places.
        """
        self._change_places(prefetch_count=prefetch_count)  # RabbitMQ 3: for all consumers of this worker
        if self.qos.prev is not None and prefetch_count > self.qos.prev and not self.paused:
            self.task_consumer.cancel()  # what it holds stays with the worker
            self.task_consumer.qos(prefetch_count=self.initial_prefetch_count, apply_global=False)
            self.task_consumer.consume()

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """End this worker, as RabbitMQ is gone; its supervisor starts it anew when RabbitMQ is back.

        Celery would wait within and connect again. Meanwhile it reads no results, so that time limits strike
        processes that have done their work; and afterwards some workers end, or take nothing (celery#9250).
        What this worker has not acknowledged, RabbitMQ delivers again.
        """
        why = f"BrokerError: RabbitMQ is gone ({type(exc).__name__}). It starts anew when RabbitMQ is back"
        print(why, file=sys.__stderr__, flush=True)  # not as a line of the log, where nobody finds it
        os._exit(EX_FAILURE)  # without a broker an orderly end only adds errors to the log

    def _refuse(self, message: Message, reason: str) -> None:
        _logger.error('Refused a message, now in the queue "dead": %s', reason)
        end = message.ack_log_error if bury(self.app, message, reason) else message.reject_log_error
        end(_logger, self.connection_errors)


class Request(celery.worker.request.Request):
    """One message in the worker's main process; `workshop.delivery.task.Task` names it.

    In the fast profile its methods run in the threads of the tasks, which may use the event loop by
    ``call_soon`` only.
    """

    _why = ""

    def on_failure(self, exc_info: ExceptionInfo, *args: Any, **options: Any) -> None:
        """Put a task back after an outage, and one whose process died; the rest is Celery's."""
        error = exc_info.exception
        error = error.exc if isinstance(error, ExceptionWithTraceback) else error
        self._why = f"{type(error).__name__}: {error}"
        if isinstance(error, Reject) and error.requeue:
            task_ready(self)
            self._give_back(str(error.reason))
        elif isinstance(error, _LOSS) and not (self._already_cancelled or self._already_revoked):
            task_ready(self)
            self._after_loss(error, exc_info)
        else:
            if isinstance(error, TimeLimitExceeded):
                self.reject(requeue=False)  # a dead letter: it would be as long the next time
            super().on_failure(exc_info, *args, **options)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Write the failure of a task that did not even end at its hard limit to the task log."""
        with _running(self):
            super().on_timeout(soft, timeout)

    def acknowledge(self) -> None:
        """Tell RabbitMQ that the task has ended, or its retry is published."""
        global _in_a_row
        _in_a_row = 0
        _losses.pop(self.id, None)
        super().acknowledge()

    def reject(self, requeue: bool = False) -> None:
        """Put the message back on the queue, or for good into the queue `dead`."""
        if not requeue and not self.acknowledged and bury(self.app, self.message, self._why):
            super().acknowledge()
        super().reject(requeue)

    def _announce_revoked(self, reason: str, *args: Any) -> None:
        """Let a task that was revoked, terminated or has expired be a dead letter, not vanish."""
        self._why = f"the task was {reason}"
        self.reject(requeue=False)
        super()._announce_revoked(reason, *args)

    def _after_loss(self, error: BaseException, exc_info: ExceptionInfo) -> None:
        _losses[self.id] += 1
        if _losses[self.id] < LOSSES:
            self._give_back(f"its process ended ({error})")
            return
        del _losses[self.id]
        reason = WorkerLostError(f"The process that ran it ended, {LOSSES} times: {error}")
        self._why = f"WorkerLostError: {reason}"
        _logger.error("Task %s is a dead letter now: %s", self.id, reason)
        self.reject(requeue=False)
        with _running(self):
            self.task.on_failure(reason, self.id, self.args, self.kwargs, exc_info)

    def _give_back(self, why: str) -> None:
        global _in_a_row
        pause = min(LONGEST_PAUSE, 2**_in_a_row) * random.uniform(0.5, 1)
        _in_a_row = min(_in_a_row + 1, 10)
        _logger.warning("Task %s goes back to the queue in %.1f s: %s", self.id, pause, why)
        given_back[self.id] = time.monotonic() + pause
        hub: Any = get_event_loop()
        hub.call_soon(hub.call_later, pause, self._put_back)

    def _put_back(self) -> None:
        given_back.pop(self.id, None)
        self.reject(requeue=True)


@contextmanager
def _running(request: Request) -> Iterator[None]:
    """Make a request the current one, for the task's own handlers in the main process.

    That process starts others by forking, so it keeps no connection to the database open.
    """
    _task_stack.push(request.task)
    request.task.request_stack.push(request._context)
    try:
        yield
    finally:
        request.task.request_stack.pop()
        _task_stack.pop()
        database.engine().dispose()


def bury(app: Celery, message: Message, reason: str) -> bool:
    """Put a copy of a message on the queue `dead`, and return whether RabbitMQ has confirmed that it has it.

    If not, reject the message: RabbitMQ moves it there by itself, but without a confirmation. Killed within a
    second after that (tried: 0.1 s on an idle machine, 1.8 s under load), it has lost the message.

    Parameters
    ----------
    app : celery.Celery
        Whose broker it is.
    message : kombu.Message
        As it was delivered.
    reason : str
        Why.

    Returns
    -------
    bool
        Never true at a central queue: nobody but RabbitMQ itself writes to `dead` there.
    """
    if settings.joined():
        return False
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        headers = {**(message.headers or {}), REASON: reason.partition("\n")[0][:500], SINCE: now}
        id = str(headers.get("id") or uuid4())
        options = {
            "exchange": DEAD_EXCHANGE.name,
            "content_type": message.content_type,
            "content_encoding": message.content_encoding,
            "headers": headers,
            "delivery_mode": 2,
            "correlation_id": id,
        }
        publisher.send(publisher.Message(id, message.body, options), app.conf.broker_url)
    except Exception as error:  # such as a message that can't be copied
        _logger.warning("A message is rejected: %s", error)
        return False
    return True
