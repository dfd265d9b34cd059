"""A look into the two queues: how many tasks wait, and which messages nobody could or would do.

Looks change nothing, and who looks again opens no connection.
"""

from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import getpid
from typing import Any

from kombu import Connection, pools

from workshop import settings
from workshop.delivery.configuration import DEAD, REASON, SINCE, SQUARES
from workshop.delivery.guard import Packed, fault
from workshop.json_files import changing
from workshop.state_folder import state_dir


@dataclass(frozen=True)
class DeadLetter:
    """One message in the queue `dead`.

    Attributes
    ----------
    id : str
        The task's id as the message says; empty where it says none.
    fault : str
        Why a worker refuses such a message; empty if it is a task like others.
    reason : str
        Why it is here, as the worker wrote that put it here; empty if RabbitMQ did.
    at : str
        Since when, as that worker wrote (UTC, ISO 8601).
    """

    id: str
    fault: str
    reason: str = ""
    at: str = ""


@contextmanager
def kept_connection(broker_url: str) -> Iterator[Connection]:
    """Yield a connection to RabbitMQ that stays open for whoever looks next; a dead one is replaced.

    Parameters
    ----------
    broker_url : str
        The broker's address.
    """
    options = {"client_properties": {"process": getpid()}, "read_timeout": 3}  # a child has its own
    wanted = Connection(broker_url, connect_timeout=3, transport_options=options)
    with pools.connections[wanted].acquire(block=True) as connection:
        try:
            connection.ensure_connection(max_retries=0)
            try:
                with suppress(TimeoutError):  # it lives, and has nothing to say
                    connection.drain_events(timeout=0)
            except connection.recoverable_connection_errors:
                connection.collect()
            yield connection
        except BaseException:
            connection.collect()  # its late answer would be taken for that to another question
            raise


def squares(broker_url: str) -> Any:
    """Return how many messages and consumers the queue `squares` has: `message_count`, `consumer_count`."""
    with kept_connection(broker_url) as connection, connection.channel() as channel:
        return SQUARES(channel).queue_declare(passive=True)


def tasks_in_queue(broker_url: str) -> int:
    """Return how many messages in the queue `squares` no worker has taken yet.

    Parameters
    ----------
    broker_url : str
        The broker's address.
    """
    return squares(broker_url).message_count


def letters(known: Container[str] | None = None, broker_url: str | None = None) -> list[DeadLetter]:
    """Return the messages in the queue `dead`, oldest first. They stay there.

    RabbitMQ gives a message to one reader at a time. So who comes second waits, and sees all of them, too. A
    central's dead letters are not for its guests: there are none for them.

    Parameters
    ----------
    known : container of str, optional
        The names of the tasks that workers know; see `workshop.delivery.guard.fault`.
    broker_url : str, optional
        Whose queue; by default that of the broker that this machine uses.
    """
    if settings.joined() and not broker_url:
        return []
    url, found = broker_url or settings.broker_url(), []
    with changing(state_dir() / "dead"), kept_connection(url) as connection, connection.channel() as channel:
        while (raw := channel.basic_get(DEAD.name)) is not None:
            message = Packed(raw, channel)
            headers = message.headers if isinstance(message.headers, dict) else {}
            id, reason, at = (str(headers.get(key) or "") for key in ("id", REASON, SINCE))
            found.append(DeadLetter(id, fault(message, known) or "", reason, at))
    return found  # the channel was closed without an acknowledgement, so RabbitMQ has put all back
