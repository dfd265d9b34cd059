"""What breaks a central on purpose, and machines that join it beside this one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from backstage.classroom.card import Card
from tests.integration.machine import Machine
from workshop.state_folder import claim

RIGHTS = {"configure": "^$", "read": "^squares$", "write": r"^(tasks|amq\.topic)$"}


def have_joined(machine: Machine, card: Card) -> None:
    """Let a machine whose services don't run yet be one that joined."""
    claim(machine.state)
    joined = {"broker_url": card.broker.url, "database_url": card.database.url, "machine": card.machine}
    (machine.state / "joined.json").write_text(json.dumps(joined))


@contextmanager
def other_machine(folder: Path, card: Card) -> Iterator[Machine]:
    """Run the worker of a machine that joined, without any services of its own."""
    machine = Machine(folder / card.machine)
    have_joined(machine, card)
    try:
        machine.workshop("up", "--detach", "worker", WORKSHOP_PROCESSES="1")
        yield machine
    finally:
        machine.workshop("down", "--purge")


def with_superuser(central: Machine, statement: str) -> None:
    """Run a statement as the database's superuser."""
    token = json.loads((central.state / "token.json").read_text())["token"]
    port = central.stack()["ports"]["postgis"]
    name = urlsplit(central.stack()["database_url"]).path
    url = f"postgresql://postgres:{token}@127.0.0.1:{port}{name}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[arg-type]
