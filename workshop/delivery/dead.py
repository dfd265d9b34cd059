"""Reads the queue `dead`, where the messages of tasks that failed for good and of refused ones are."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

from kombu import Connection

from workshop import settings
from workshop.delivery.guard import fault
from workshop.delivery.topology import DEAD


@dataclass(frozen=True)
class DeadLetter:
    """One message in the queue `dead`.

    Attributes
    ----------
    id, name : str
        The task's id and name as the message says; empty where it says none.
    fault : str
        Why a worker refuses such a message; empty if it is a task like others.
    at : str
        When it became a dead letter (UTC, ISO 8601, whole seconds); empty where RabbitMQ does not say.
    """

    id: str
    name: str
    fault: str
    at: str = ""


def letters(known: Container[str] | None = None) -> Iterator[DeadLetter]:
    """Yield the messages in the queue `dead`, oldest first. They stay there.

    Parameters
    ----------
    known : container of str, optional
        The names of the tasks that workers know; see `workshop.delivery.guard.fault`.
    """
    with Connection(settings.broker_url(), connect_timeout=3) as connection, connection.channel() as channel:
        while (raw := channel.basic_get(DEAD.name)) is not None:
            message = channel.message_to_python(raw)
            headers = message.headers if isinstance(message.headers, dict) else {}
            id, name = str(headers.get("id") or ""), str(headers.get("task") or "")
            yield DeadLetter(id, name, fault(message, known) or "", _since(headers))
        # the channel is closed without an acknowledgement, so RabbitMQ puts all back


def _since(headers: dict[str, Any]) -> str:
    try:
        return headers["x-death"][0]["time"].isoformat()
    except (KeyError, IndexError, TypeError, AttributeError):  # it came here without being rejected
        return ""
