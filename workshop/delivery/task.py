"""The Celery task class beneath `workshop.tasks.AppBaseTask`: what holds whatever a task's own code does."""

import gc
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from threading import current_thread, main_thread
from typing import Any

import celery
from celery.exceptions import Reject, Retry
from celery.signals import worker_before_create_process, worker_init, worker_process_init
from celery.utils import uuid
from celery.utils.log import get_task_logger
from kombu import pools
from sqlalchemy.exc import SQLAlchemyError

from workshop import database, settings
from workshop.database import keep_database
from workshop.delivery import publisher, record
from workshop.delivery.attempt import ERRORS, current_attempt
from workshop.delivery.log import ASKED, write_task_log
from workshop.delivery.topology import SQUARES
from workshop.errors import WorkshopError

_logger = get_task_logger(__name__)

LATE = 3
"""How often a process gives a task back because the database answered too late."""

_LIMITS = ("time_limit", "soft_time_limit")

_late: dict[str, int] = {}


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
        except MemoryError as error:
            if current_thread() is main_thread():
                raise  # its process ends, and the worker counts that
            raise Reject("its thread found no memory", requeue=True) from error
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
        id = options["task_id"] = options.get("task_id") or uuid()
        if not self.request.called_directly:
            return super().apply_async(args, kwargs, **options)
        try:
            with settings.steady():
                follow_settings(self.app)
                if options.keys() == {"task_id"} and self._plain and not self.app.conf.task_always_eager:
                    return self._send(id, args, kwargs)
                return super().apply_async(args, kwargs, **options)
        except WorkshopError:  # its record is the publisher's; or a setting is wrong, and nothing was tried
            raise
        except Exception as error:
            entry = record.entry(id, self.name, args, kwargs)
            record.note_unsent(entry, f"{type(error).__name__}: {error}")
            raise

    def _send(self, id: str, args: Any, kwargs: Any) -> Any:
        """Send the task without the work of Celery's own `apply_async` that does nothing for it."""
        self.__header__(*(args or ()), **(kwargs or {}))  # right number and names of arguments?
        limits = {name: getattr(self, name) for name in _LIMITS}
        publisher.send(publisher.task_message(id, self.name, args, kwargs, **limits))
        return self.AsyncResult(id)

    @cached_property
    def _plain(self) -> bool:
        """Whether it is sent as `_send` does: in JSON, to the queue of all, with time limits at most."""
        options = {name for name, value in self._get_exec_options().items() if value is not None}
        queue = self.app.amqp.router.route({}, self.name).get("queue")
        usual = queue == SQUARES and self.typing and not self._dump_pydantic_arguments
        return usual and self.serializer == "json" and options <= {"serializer", *_LIMITS}

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


def follow_settings(app: celery.Celery) -> None:
    """Point a Celery application in a notebook or script to the broker that the settings name now."""
    if (url := settings.broker_url()) != app.conf.broker_url:
        pools.reset()  # they are shared by address, and a closed one would be met again on the way back
        app._pool = app.amqp._producer_pool = None
        app.conf.broker_url = url


@worker_init.connect
def _stay(**_: Any) -> None:
    try:
        settings.check()
    except WorkshopError as error:  # Celery would go on after it, and each task would fail
        raise SystemExit(f"Error: {error}") from None
    keep_database()


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
