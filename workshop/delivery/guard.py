"""Tells which messages are no tasks of this course, so that none of them can stop a worker.

Celery takes a message apart in the worker's main process, and some shapes end that process; the message is
then delivered to the next worker, and ends that one too. `fault` looks first. It depends on the message only,
so that whoever finds a message in the queue `dead` learns the same reason again.
"""

from collections.abc import Callable, Container
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from celery.app.task import Context
from kombu import Message
from kombu.transport import pyamqp

LARGEST = 64 * 1024
FARTHEST = timedelta(days=1)


class Packed(pyamqp.Message):
    """A message as it was delivered; a channel whose `Message` it is makes no others.

    kombu would unpack a body before anyone can look at it: a kilobyte may become a gigabyte.
    """

    def __init__(self, delivered: Any, channel: Any = None, **options: Any) -> None:
        headers = delivered.properties.get("application_headers") or {}
        packing = headers.pop("compression", None)
        super().__init__(delivered, channel, **options)
        if packing is not None:
            self.headers["compression"] = packing


def fault(message: Message, known: Container[str] | None = None) -> str | None:
    """Return why a message is refused, such as ``NO-ID: there is no header "id"``; None if it is a task.

    A body has at most `LARGEST` bytes; that of a point has about 100. A task is due at most `FARTHEST` from
    now: a worker holds its message unacknowledged until then, and RabbitMQ's ``consumer_timeout`` is longer.

    Parameters
    ----------
    message : kombu.Message
        As it was delivered.
    known : container of str, optional
        The names of the tasks that the worker knows; without it, any name of the course's own will do.
    """
    headers = message.headers if isinstance(message.headers, dict) else {}
    try:
        return _format(message, headers) or _headers(headers, known) or _body(message)
    except Exception as error:  # whatever else someone sends, it is refused and the worker goes on
        return f"UNREADABLE: {type(error).__name__} {_short(str(error))}"


def _format(message: Message, headers: dict[str, Any]) -> str | None:
    size = len(message.body or b"")
    if size > LARGEST:
        return f"TOO-LARGE: the body has {size:,} bytes; at most {LARGEST:,} are read"
    for kind, right in ("content_type", "application/json"), ("content_encoding", "utf-8"):
        if (value := getattr(message, kind)) != right:
            return f"NOT-JSON: its {kind} is {_short(value)}, not {right}"
    if "compression" in headers:
        return "COMPRESSED: the body is packed; only plain text is read"
    return None


def _headers(headers: dict[str, Any], known: Container[str] | None) -> str | None:
    for name in ("task", "id"):
        if headers.get(name) is None:
            return f'NO-{name.upper()}: there is no header "{name}"'
    for name, value in headers.items():
        test = _HEADERS.get(name)
        if test is None and hasattr(Context, name):
            return f'HEADER: "{name}" is no header of a task; it would change how the task runs'
        if test and (value is not None or name == "retries") and not test(value):
            return f'HEADER: "{name}" is {_short(value)}, which no task has'
    name = headers["task"]
    own = name.startswith("workshop.") if known is None else name in known and not name.startswith("celery.")
    return None if own else f"UNKNOWN-TASK: this worker knows no task {_short(name)}"


def _body(message: Message) -> str | None:
    body = message.payload
    if not isinstance(body, list) or len(body) != 3 or not all(map(isinstance, body, (list, dict, dict))):
        return "BODY: it is not [arguments, arguments by name, options]"
    if embedded := sorted(name for name, value in body[2].items() if value):
        return f"EMBEDDED: it carries further tasks ({_short(', '.join(embedded))}), which are not run"
    return None


def _short(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text[:60] + ("..." if len(text) > 60 else "")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 1000


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_TEXTS = "task lang origin shadow argsrepr kwargsrepr root_id parent_id group"
_COUNTS = "retries group_index replaced_task_nesting known_errors"
_HEADERS: dict[str, Callable[[Any], object]] = {
    **dict.fromkeys(_TEXTS.split(), lambda value: isinstance(value, str)),
    **dict.fromkeys(_COUNTS.split(), _is_count),
    "id": lambda value: str(UUID(value)) == value,
    "eta": lambda value: _moment(value) <= datetime.now(UTC) + FARTHEST,
    "expires": _moment,
    "timelimit": lambda value: len(value) == 2 and all(each is None or 0 < each <= 3600 for each in value),
    "ignore_result": lambda value: isinstance(value, bool),
    **dict.fromkeys(("stamped_headers", "stamps"), lambda value: value in ([], {})),
}
"""What each header may hold. Celery's own senders write None where there is nothing."""
