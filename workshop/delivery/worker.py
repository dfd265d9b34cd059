"""Puts a message back after an outage, or when its task lost its process: the worker's main process.

Celery would put it back at once, again and again, or drop it. Here it waits in this worker for a while,
longer each time, unacknowledged: whatever happens meanwhile, RabbitMQ still has it. Its `retries` stay as
they are: they are for errors that the task itself knows.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import celery.worker.request
from billiard.einfo import ExceptionInfo, ExceptionWithTraceback
from celery._state import _task_stack
from celery.exceptions import Reject, TimeLimitExceeded, WorkerLostError
from celery.utils.log import get_logger
from celery.worker.state import task_ready
from kombu.asynchronous import get_event_loop

from workshop import database
from workshop.delivery.dead import bury

LONGEST_PAUSE = 8
"""Seconds between two attempts in an outage, at most."""

LOSSES = 4
"""How often a task may lose its process, in one worker, until it is a dead letter."""

_logger = get_logger(__name__)
_in_a_row = 0
_losses: Counter[str] = Counter()

given_back: dict[str, float] = {}
"""When each task that waits here is put back on the queue, by the clock `time.monotonic`."""


class Request(celery.worker.request.Request):
    """One message in the worker's main process; `workshop.delivery.task.Task` names it."""

    _why = ""

    def on_failure(self, exc_info: ExceptionInfo, *args: Any, **options: Any) -> None:
        """Put a task back after an outage, and one whose process died; the rest is Celery's."""
        error = exc_info.exception
        error = error.exc if isinstance(error, ExceptionWithTraceback) else error
        self._why = f"{type(error).__name__}: {error}"
        if isinstance(error, Reject) and error.requeue:
            task_ready(self)
            self._give_back(str(error.reason))
        elif isinstance(error, WorkerLostError | SystemExit | MemoryError) and not self._is_over():
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
        if not requeue and not self.acknowledged:
            try:
                bury(self.app, self.message, self._why)
                super().acknowledge()
            except Exception as error:  # a machine without the right to write there: RabbitMQ moves it
                _logger.warning("Task %s is rejected: %s", self.id, error)
        super().reject(requeue)

    def _announce_revoked(self, reason: str, *args: Any) -> None:
        """Let a task that was revoked, terminated or has expired be a dead letter, not vanish."""
        self._why = f"the task was {reason}"
        self.reject(requeue=False)
        super()._announce_revoked(reason, *args)

    def _is_over(self) -> bool:
        return self._already_cancelled or self._already_revoked

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
        hub.call_soon(hub.call_later, pause, self._put_back)  # all that another thread may ask of it

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
