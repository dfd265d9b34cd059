"""A central that listens on an address which other machines could reach, and what a machine has of it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import amqp
import psycopg
import pytest

from tests.integration.machine import Machine
from workshop.classroom import central, own_address
from workshop.classroom.card import Card


@contextmanager
def lan() -> Iterator[str]:
    """Yield an address beyond 127.0.0.1: one of this machine, or one that is made for as long as needed."""
    if found := own_address.addresses():
        yield found[0]
        return
    if os.geteuid() != 0 or not shutil.which("ip"):
        yield "127.0.0.2"
        return
    address = f"10.77.{os.getpid() % 250}.1"
    subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    try:
        yield address
    finally:
        subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "lo"], check=True)


@contextmanager
def settled(folder: Path) -> Iterator[Machine]:
    """Yield a machine whose central, if it has one, this process sees; at the end nothing runs there."""
    machine = Machine(folder / "state")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WORKSHOP_")]:
            patch.delenv(name)
        patch.setenv("WORKSHOP_STATE", str(machine.state))
        patch.setenv("WORKSHOP_PORTS", "any")
        try:
            yield machine
        finally:
            machine.workshop("central", "stop")
            machine.workshop("down", "--purge")
            machine.until_gone(set(), 10)


@contextmanager
def opened(folder: Path, machines: int = 3) -> Iterator[list[Card]]:
    """Open a central for some machines."""
    with lan() as address, settled(folder):
        yield central.start(machines, address)


@contextmanager
def broker(card: Card, **changed: object) -> Iterator[amqp.Channel]:
    """Yield a channel at the broker, with a machine's account, that waits for each message's confirmation."""
    of = vars(card.broker) | changed
    connection = amqp.Connection(
        host=f"{of['host']}:{of['port']}",
        userid=of["user"],
        password=of["password"],
        virtual_host=of["virtual_host"],
        login_method="PLAIN",
        confirm_publish=True,
        connect_timeout=5,
        read_timeout=20,
        write_timeout=20,
    )
    connection.connect()
    try:
        yield connection.channel()
    finally:
        if connection.connected:
            connection.collect()


def database(card: Card, **changed: object) -> psycopg.Connection:
    """Return a connection to the database with a machine's account."""
    of = vars(card.database) | changed
    return psycopg.connect(
        host=str(of["host"]),
        port=of["port"],
        user=of["user"],
        password=of["password"],
        dbname=of["name"],
        connect_timeout=5,
        autocommit=True,
    )
