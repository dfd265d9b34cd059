"""Reads the queue `dead`, where the messages of tasks that failed for good and of refused ones are."""

from collections.abc import Container, Iterator
from dataclasses import dataclass

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
    """

    id: str
    name: str
    fault: str


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
            yield DeadLetter(id, name, fault(message, known) or "")
        # the channel is closed without an acknowledgement, so RabbitMQ puts all back
