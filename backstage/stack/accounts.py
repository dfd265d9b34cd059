"""What a central has at RabbitMQ, and what all accounts of its machines are good for.

A machine may take tasks, send them again, write its rows and tell what it does, and nothing else: each
has one account here and one at the database (`backstage.stack.roles`). It sees the central's virtual host and
database only. All of it is made anew, with the same outcome, whenever the broker or the database has started.

What a machine that means harm can still do, as it may read the queue and write rows:

* empty the queue, or take tasks and acknowledge or reject them without doing them;
* send tasks that nobody asked for, up to the queue's length, and reject them: all are kept as dead letters,
  until RabbitMQ takes no more messages as the disk is nearly full. That stops everyone, this machine's own
  notebook too, until there is room again;
* write rows for tasks that were never sent, as many as the disk takes;
* tell events in another's name, so that Flower shows what never was;
* keep the database busy with its own sessions, as each may lift its own time limits.

Whoever reaches the database's port can do one thing more, without a card: open as many connections as
PostgreSQL takes, and say nothing. Each has a place and some memory before it is asked for a password, for 10
seconds, and then comes anew. Meanwhile nobody else gets a session, this machine's own notebook neither.

What was sent is compared with the rows: so what was taken is noticed and sent again, and rows too many are
found by the account that they name. Passwords and rows travel unencrypted: a central is for one room's
network and some hours.
"""

import json
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError

from backstage.stack.central_config import CentralConfig
from backstage.stack.http import ask_rabbitmq
from backstage.stack.queues import declare
from backstage.stack.site import Site
from workshop.delivery.configuration import SQUARES

_RIGHTS = {"configure": "^$", "write": r"^(tasks|amq\.topic)$", "read": "^squares$"}
_TOPICS = {"tasks": r"^task\.square$", "amq.topic": r"^(task|worker)\."}

_LIMITS = {"max-connections": 30, "max-channels": 120}
"""For each machine: a worker has two connections, and one in each process that sent a retry."""

_OWN_CONNECTIONS = 50
"""At the same virtual host, for feeding, the audit and the wall."""

_POLICY = {
    "name": "bounds",
    "pattern": f"^{SQUARES.name}$",
    "apply-to": "queues",
    "priority": 0,
    "definition": {"max-length": 25_000, "max-length-bytes": 100_000_000, "overflow": "reject-publish"},
}
"""For the queue of the tasks: a message more is refused, and its sender told.

The queue `dead` has no bound: a dead letter that it did not take would be lost, and nobody told. What keeps
dead letters from filling the disk is RabbitMQ's alarm, ``disk_free_limit``: it takes no message from anyone
until there is room again, and forgets none.
"""


def settle(site: Site) -> None:
    """Make virtual host, queues and accounts as ``central.json`` wants them; remove what else has that id.

    A central that is closed keeps nothing here, one whose cards have ended only its queues.
    """
    central = CentralConfig.read()
    if not central:
        return
    users = {user["name"] for user in json.loads(ask_rabbitmq(site, "/api/users"))}
    of_it = {name for name in users if name.startswith(f"{central.id}-")}
    if old := of_it - central.accounts.keys():
        ask_rabbitmq(site, "/api/users/bulk-delete", {"users": sorted(old)})
    if central.passwords:
        ask_rabbitmq(site, f"/api/vhosts/{central.id}", {}, method="PUT")  # its owner is who asks
        declare(site.of(central).broker_url)  # RabbitMQ 4 gives no rights to exchanges that are not there
        ask_rabbitmq(site, "/api/definitions", _definitions(central))
        return
    with suppress(HTTPError):  # there is none
        ask_rabbitmq(site, f"/api/vhosts/{central.id}", method="DELETE")


def _definitions(central: CentralConfig) -> dict[str, Any]:
    here, names = {"vhost": central.id}, central.accounts
    most = _LIMITS["max-connections"] * len(central.passwords) + _OWN_CONNECTIONS
    limit = {"component": "vhost-limits", "name": "limits", "value": {"max-connections": most}}
    return {
        "users": [
            {"name": name, "password": password, "tags": [], "limits": _LIMITS}
            for name, password in names.items()
        ],
        "permissions": [here | {"user": name} | _RIGHTS for name in names],
        "topic_permissions": [
            here | {"user": name, "exchange": exchange, "write": keys, "read": "^$"}
            for name in names
            for exchange, keys in _TOPICS.items()
        ],
        "parameters": [here | limit],
        "policies": [here | _POLICY],
    }
