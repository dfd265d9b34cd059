"""The Celery task class beneath `workshop.tasks.AppBaseTask`: what holds whatever a task's own code does.

What runs now is read from Celery in this one place, and the task log is written here.
"""

import gc
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

import celery
from celery import current_task
from celery.exceptions import Reject, Retry
from celery.signals import worker_before_create_process, worker_process_init
from celery.utils.log import get_task_logger
from kombu import pools
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from workshop import database, db, settings
from workshop.delivery import publisher, record
from workshop.delivery.configuration import SQUARES
from workshop.errors import WorkshopError

_logger = get_task_logger(__name__)

ERRORS = "known_errors"
"""The message header that counts how often a task asked for a retry."""

ASKED = " (it had asked for a retry)"
"""Ends the error of an attempt that had asked for a retry, when the task's own code caught the Retry."""

LATE = 3
"""How often a process gives a task back because the database answered too late."""

_late: dict[str, int] = {}


@dataclass(frozen=True)
class Attempt:
    """One run of one task.

    Attributes
    ----------
    task_id : uuid.UUID
        Celery's id of the task; a fresh one outside a worker.
    worker : str
        The worker's name, such as ``worker1@laptop``; ``direct`` outside a worker.
    number : int
        1 for the first run, 2 for the first retry, and so on.
    errors : int
        How often the task asked for a retry before, because of an error it knows.
    countdown : float, optional
        The seconds that this attempt, asking for a retry, named itself.
    asked : bool
        Whether this attempt has asked for a retry.
    """

    task_id: UUID
    worker: str
    number: int
    errors: int
    countdown: float | None = None
    asked: bool = False


def current_attempt() -> Attempt:
    """Return the attempt that is running in this process."""
    request = current_task.request if current_task else None
    if request is None or request.id is None:
        return Attempt(uuid4(), "direct", 1, 0)
    errors = (request.headers or {}).get(ERRORS, 0)
    number = (request.retries or 0) + 1
    worker, asked = request.hostname or "direct", request.get("asked", False)
    return Attempt(UUID(request.id), worker, number, errors, request.get("countdown"), asked)


def write_task_log(state: str, error: BaseException) -> None:
    """Add a line about the running attempt to the table `task_log`, unless it is there.

    The log never changes what becomes of a task: if the line can't be written, the worker's own log says so.

    Parameters
    ----------
    state : str
        ``RETRY`` or ``FAILURE``.
    error : BaseException
        What ended the attempt.
    """
    attempt = current_attempt()
    text = f"{type(error).__name__}: {error}".partition("\n[SQL: ")[0][:2000].replace("\0", "")
    line = {
        "task_id": attempt.task_id,
        "state": state,
        "attempt": attempt.number,
        "error": f"{text}{ASKED if state == 'FAILURE' and attempt.asked else ''}",
        "worker": attempt.worker,
        "countdown": attempt.countdown,
    }
    try:
        database.execute(insert(db.TaskLog).on_conflict_do_nothing(), line)
    except SQLAlchemyError as problem:
        _logger.error("Could not write %s to task_log: %s", line, problem)


class Task(celery.Task):
    """A task that no outage costs anything, and that is sent to wherever the settings point now."""

    Request = "workshop.delivery.worker:Request"

    default_retry_delay = 10
    """Seconds before a retry that names no countdown. Celery's own 180 s look like a hang."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task; give it back if the database had an outage, whatever the task made of that."""
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        database.outage.set(None)
        try:
            with settings.steady():
                result = self.run(*args, **kwargs)
        except (Retry, Reject):
            raise
        except SystemExit as error:
            if isinstance(error.code, int) and error.code < 0:
                raise  # a signal, such as that of the hard time limit
            raise RuntimeError(f"The task called exit({error.code or ''})") from error
        except MemoryError as error:  # Celery would end this process, or forget the task that a thread ran
            raise RuntimeError("The task found no memory") from error
        except Exception:
            self._give_back_after_outage()
            raise
        self._give_back_after_outage()
        if self.request.get("asked"):  # Celery knows nothing of this retry, which is on the queue
            write_task_log("RETRY", RuntimeError(f"the task went on{ASKED}"))
        return result

    @classmethod
    def on_bound(cls, app: celery.Celery) -> None:
        """Let the publisher send whatever the application sends."""
        publisher.serve(app)

    def apply_async(self, args: Sequence[Any] | None = None, kwargs: Any = None, **options: Any) -> Any:
        """Send the task, as `celery.Task.apply_async` does, by way of the publisher.

        Raises
        ------
        workshop.delivery.publisher.NotSent
            Within about five seconds, if RabbitMQ does not confirm it; in a burst by a later call.
        WorkshopError
            If a variable of the environment has a wrong value.
        """
        id = options["task_id"] = options.get("task_id") or str(uuid4())
        if not self.request.called_directly:
            return super().apply_async(args, kwargs, **options)
        try:
            with settings.steady():
                url = follow_settings(self.app)
                eager = self.app.conf.changes.get("task_always_eager")
                if options.keys() == {"task_id"} and self._plain and not eager:
                    return self._send(id, args, kwargs, url)
                return super().apply_async(args, kwargs, **options)
        except WorkshopError:  # its record is the publisher's; or a setting is wrong, and nothing was tried
            raise
        except Exception as error:
            entry = record.entry(id, self.name, args, kwargs)
            record.note_unsent(entry, f"{type(error).__name__}: {error}")
            raise

    def _send(self, id: str, args: Any, kwargs: Any, url: str) -> Any:
        """Send the task without the work of Celery's own `apply_async` that does nothing for it."""
        self.__header__(*(args or ()), **(kwargs or {}))  # right number and names of arguments?
        publisher.send(publisher.task_message(id, self.name, args, kwargs), url)
        return self.AsyncResult(id)

    @cached_property
    def _plain(self) -> bool:
        """Whether it is sent as `_send` does: to the queue of all, with no options of its own."""
        options = {name for name, value in self._get_exec_options().items() if value is not None}
        queue = self.app.amqp.router.route({}, self.name).get("queue")
        return queue == SQUARES and options <= {"serializer", "time_limit", "soft_time_limit"}

    def retry(self, *args: Any, countdown: float | None = None, **options: Any) -> Any:
        """Ask for another attempt, as `celery.Task.retry` does, and count the error in the message.

        After an outage of the database, and where the retry can't be sent, the task is given back instead.
        With ``WORKSHOP_HASTE=10`` in the environment each retry comes ten times sooner, for tests.
        """
        self._give_back_after_outage()
        headers = self.request.as_execution_options()["headers"] | {ERRORS: current_attempt().errors + 1}
        self.request.countdown = countdown
        if options.get("eta") is None:
            seconds = self.default_retry_delay if countdown is None else countdown
            countdown = seconds / (settings.get("haste") or 1)
        try:
            return super().retry(*args, countdown=countdown, headers=headers, **options)
        except Retry:
            self.request.asked = True
            raise
        except Reject as error:
            self.request.unsent = f"its retry could not be sent: {error.reason}"
            raise Reject(self.request.unsent, requeue=True) from None

    def _give_back_after_outage(self) -> None:
        if self.request.called_directly:
            return
        if unsent := self.request.get("unsent"):
            raise Reject(unsent, requeue=True) from None
        if (outage := database.outage.get()) is None:
            return
        if outage.late:
            _late[self.request.id] = _late.get(self.request.id, 0) + 1
        if not outage.late or _late[self.request.id] <= LATE:
            raise Reject(f"the database: {outage.text}", requeue=True) from None


def follow_settings(app: celery.Celery) -> str:
    """Point a Celery application in a notebook or script to the broker that the settings name now."""
    if (url := settings.broker_url()) != app.conf.changes.get("broker_url"):
        pools.reset()  # they are shared by address, and a closed one would be met again on the way back
        app._pool = app.amqp._producer_pool = None
        app.conf.broker_url = url
    return url


@worker_before_create_process.connect
def _share_memory(**_: Any) -> None:
    """Keep the collector off all that processes share: what it touches, each of them has for itself."""
    gc.collect()
    gc.freeze()


@worker_process_init.connect
def _log_in(**_: Any) -> None:
    """Open the connection to the database: no first task waits for it, and a card in use is seen there."""
    with suppress(SQLAlchemyError):
        database.engine().connect().close()
