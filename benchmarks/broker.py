"""What a benchmark asks of RabbitMQ: virtual hosts of its own, users with few rights, and counts."""

import json
import re
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from amqp.exceptions import NotFound
from kombu import Connection


@dataclass(frozen=True)
class Broker:
    """A RabbitMQ, and a user who may administer it.

    Attributes
    ----------
    url : str
        Its AMQP address; the virtual host in it is not used.
    management_url : str
        The address of its pages and its HTTP interface.
    """

    url: str
    management_url: str

    def version(self) -> str:
        """Return RabbitMQ's version."""
        return str(self.ask("GET", "overview")["rabbitmq_version"])

    def fresh_host(self, name: str) -> str:
        """Make a virtual host with nothing in it, and return its AMQP address."""
        parts = urlsplit(self.url)
        self.remove_host(name)
        self.ask("PUT", f"vhosts/{name}", {})
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.ask("PUT", f"permissions/{name}/{parts.username}", everything)
        return parts._replace(path=f"/{name}").geturl()

    def remove_host(self, name: str) -> None:
        """Remove a virtual host and all that it holds, if it exists."""
        if name in [host["name"] for host in self.ask("GET", "vhosts")]:
            self.ask("DELETE", f"vhosts/{name}")

    def guest(self, host: str, name: str, queue: str, topics: dict[str, str]) -> str:
        """Make a user of a virtual host who may declare nothing, and return the AMQP address with it.

        Parameters
        ----------
        host, name : str
            The virtual host and the user.
        queue : str
            The queue that the user may read from.
        topics : dict of str to str
            The exchanges that the user may send to, each with the pattern of its routing keys.
        """
        exchanges = "|".join(map(re.escape, topics))
        rights = {"configure": "^$", "write": f"^({exchanges})$", "read": f"^{queue}$"}
        self.ask("PUT", f"users/{name}", {"password": name, "tags": ""})
        self.ask("PUT", f"permissions/{host}/{name}", rights)
        for exchange, pattern in topics.items():
            rule = {"exchange": exchange, "write": pattern, "read": "^$"}
            self.ask("PUT", f"topic-permissions/{host}/{name}", rule)
        parts = urlsplit(self.url)
        return f"amqp://{name}:{name}@{parts.hostname}:{parts.port}/{host}"

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        """Ask the management interface, and return what it answers."""
        parts = urlsplit(self.url)
        login = b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.management_url}/api/{quote(path)}",
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def length(url: str, queue: str) -> tuple[int, int]:
    """Return how many messages wait in a queue, and how many consumers it has; zeros if there is none."""
    try:
        with Connection(url, connect_timeout=5) as connection:
            found = connection.default_channel.queue_declare(queue, passive=True)
            return found.message_count, found.consumer_count
    except NotFound:
        return 0, 0


def dead_ids(url: str) -> set[str]:
    """Take every message out of the queue `dead`, and return the ids of their tasks."""
    ids = set()
    with Connection(url, connect_timeout=5) as connection:
        while (message := connection.default_channel.basic_get("dead", no_ack=True)) is not None:
            ids.add(message.headers.get("id"))
    return ids
