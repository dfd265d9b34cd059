"""Hands tasks to RabbitMQ, and within seconds says the truth about each of them.

Celery's own `delay` may wait for ever: for a broker that is frozen, or one that takes no messages because its
disk is full. And it takes for sent what no queue takes. Here RabbitMQ confirms that it has the task in a
queue, or `NotSent` says what is wrong.

A lone task is waited for. In a burst, such as a loop, waiting would take most of the time: there each task is
handed over, and the confirmations of some hundred are read while the loop goes on. What goes wrong then is
said by a later `delay`, by the end of the cell or script, or by `flush`, which whoever counts calls.
"""

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import celery
from celery import current_task
from kombu import Producer
from kombu.exceptions import EncodeError
from kombu.serialization import dumps
from kombu.utils.json import JSONEncoder

from workshop import settings
from workshop.delivery import record, sender
from workshop.delivery.configuration import ROUTING_KEY, TASKS
from workshop.delivery.window import Lost, Message, Window
from workshop.errors import WorkshopError

BURST = 0.02
"""Seconds from one task of a burst to the next, at most; 0 in workers and forked processes: each is alone."""


class NotSent(WorkshopError):
    """Tasks are not on the queue, or nobody knows whether they are.

    Attributes
    ----------
    tasks : list of Message
        Which. In a burst they can be some hundred, those of earlier calls among them.
    task_id : str
        The id of the first one.
    perhaps : bool
        Whether RabbitMQ may have one of them nevertheless: only its answer is missing.
    """

    def __init__(self, lost: Sequence[Lost]) -> None:
        self.tasks = [message for message, _, _ in lost]
        unknown = sum(perhaps for _, _, perhaps in lost)
        self.task_id, self.why, self.perhaps = self.tasks[0].id, lost[0][1], unknown > 0
        fate = "Perhaps it has the task, perhaps not." if self.perhaps else "The task is not on the queue."
        again = f'it again: apply_async((x, y), task_id="{self.task_id}")'
        if len(lost) > 1:
            fate = f"So it is with {len(lost)} tasks: {unknown} are perhaps on the queue, the others are not."
            again = f"them again, {self.task_id} and the others: import sys; sys.last_value.send_again()"
        super().__init__(f"{self.why} {fate}\n", f"workshop status. Then it is safe to send {again}")
        self.args = (lost,)  # of which another process makes it anew

    def send_again(self) -> None:
        """Send the tasks again, each under its own id: one that RabbitMQ has twice makes one row.

        Raises
        ------
        NotSent
            About all of them, if one is not confirmed now either.
        """
        try:
            for message in self.tasks:
                send(message)
            flush()
        except NotSent as error:
            raise NotSent([(message, error.why, True) for message in self.tasks]) from None


_NOTHING_EMBEDDED = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))
_ENVELOPE = {"exchange": TASKS.name, "routing_key": ROUTING_KEY, "delivery_mode": 2}
_ENVELOPE |= {"content_type": "application/json", "content_encoding": "utf-8"}
_encode = JSONEncoder().encode


def task_message(id: str, name: str, args: Any, kwargs: Any = None, recorded: bool = True) -> Message:
    """Return the message of a task for the queue `squares`, as Celery's protocol 2 has it.

    What is empty, or what the worker's own task says, is left out: that is most of the work of sending.

    Parameters
    ----------
    id, name, args, kwargs
        The task.
    recorded : bool
        Whether it goes into the record of publishes.

    Raises
    ------
    TypeError
        If the arguments are no list or tuple.
    kombu.exceptions.EncodeError
        If an argument is nothing that JSON can carry.
    """
    if not isinstance(args or (), list | tuple):
        raise TypeError("task args must be a list or tuple")
    headers = {"task": name, "id": id, "argsrepr": repr(tuple(args or ()))[:1000]}
    if kwargs:
        headers["kwargsrepr"] = repr(kwargs)[:1000]
    try:
        body = _encode([args or (), kwargs or {}, _NOTHING_EMBEDDED])
    except Exception as error:  # as kombu does, whatever an argument's own encoder raises
        raise EncodeError(error) from error
    envelope = _ENVELOPE | {"headers": headers, "correlation_id": id}
    return Message(id, body, envelope, record.entry(id, name, args, kwargs) if recorded else None)


def serve(app: celery.Celery) -> None:
    """Take over what a Celery application itself would send: tasks by their name or with options, groups.

    Parameters
    ----------
    app : celery.Celery
        The application.
    """
    prepare = app.amqp._create_task_sender()

    def send_task_message(_: Producer, name: str, message: Any, **options: Any) -> None:
        prepare(_Catcher(message), name, message, **options)

    app.amqp.send_task_message = send_task_message


@dataclass
class _Catcher:
    """Gets what Celery has made ready, in the place of a producer."""

    task: Any

    def publish(self, body: Any, serializer: str | None = None, **options: Any) -> None:
        headers, _, (args, kwargs, _), _ = self.task
        id, name = headers["id"], headers["task"]
        content_type, content_encoding, text = dumps(body, serializer)
        options |= {"content_type": content_type, "content_encoding": content_encoding, "retry": False}
        new = record.is_new(name)
        entry = record.entry(id, name, args, kwargs, headers["retries"]) if new else None
        send(Message(id, text, options, entry), current_task.app.conf.broker_url if current_task else "")


_window = Window()
_latest = threading.local()


def send(message: Message, url: str = "") -> None:
    """Hand a task to RabbitMQ, and wait until it confirms it, unless this is one call of a burst.

    Parameters
    ----------
    message : Message
        The task.
    url : str, optional
        The broker's address; by default the one that the settings name now.

    Raises
    ------
    NotSent
        Within about five seconds, if RabbitMQ can't be reached, refuses a task, or does not confirm it; also
        about tasks of earlier calls, of which nobody was told yet. This one is not sent then.
    """
    burst = time.monotonic() - getattr(_latest, "end", 0) < BURST
    if not burst:
        settings.check()  # a worker would fail each task
    lost = _window.send(message, url or settings.broker_url(), wait=not burst)
    _latest.end = time.monotonic()
    _tell(lost)


def flush() -> None:
    """Wait until RabbitMQ has confirmed whatever this process has sent.

    Raises
    ------
    NotSent
        About what it did not confirm, if nobody was told yet.
    """
    _tell(_window.flush())


def _tell(lost: Sequence[Lost]) -> None:
    if lost:
        raise NotSent(lost)


def _begin_child() -> None:
    """Leave the parent's window and connection to the parent."""
    global _window, BURST
    _window, BURST = Window(), 0


def _end_cell(result: Any) -> None:
    """Let a cell fail whose tasks are not on the queue, so that the cells after it don't run."""
    try:
        flush()
    except NotSent as error:
        shell.showtraceback((NotSent, error, None))
        if result and result.success:
            result.error_in_exec = error
    record.end_cell(result)


def _end_script() -> None:
    """Let a script fail whose tasks are not on the queue."""
    try:
        flush()
    except NotSent as error:
        print(f"Error: {error}", file=sys.stderr)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)  # by now nothing else changes the exit code


atexit.register(_end_script)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)
if shell := sender.shell():
    shell.events.register("pre_run_cell", sender.begin_cell)
    shell.events.register("post_run_cell", _end_cell)
